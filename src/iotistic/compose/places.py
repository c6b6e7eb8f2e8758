"""Where a field of a target stands in the compose document it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from iotistic.model.errors import InvalidField
from iotistic.model.reader import join

_SERVICE = re.compile(r"services\[([0-9]{1,6})\](?:\.|$)")
_OF_A_SERVICE = {
    "imageName": "image",
    "serviceName": "",
    "serviceId": "x-iotistic.service_id",
    "state": "x-iotistic.state",
    "config.update_lock": "x-iotistic.update_lock",
}
_OF_AN_APP = {
    "appName": "name",
    "appId": "x-iotistic.app_id",
    **{name: f"x-iotistic.{name}" for name in ("release", "strategy", "verify", "lock")},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The way back from the paths of one app.

    `services` are their names, in their order; `numbered` those that say an id of their own.
    """

    app_id: int
    services: tuple[str, ...]
    numbered: frozenset[str] = frozenset()

    def moved(self, error: InvalidField) -> InvalidField:
        """The same error, about the document."""
        moved = error.moved(self.path(error.path), expected=self.text(error.expected))
        moved.more = tuple(self.moved(other) for other in error.more)
        return moved

    def path(self, path: str) -> str:
        """A path of the target as a path of the document; any other as it is."""
        prefix = f"apps.{self.app_id}"
        if path == prefix:
            return "the document"
        if not path.startswith(f"{prefix}."):
            return path
        rest = path.removeprefix(f"{prefix}.")
        match = _SERVICE.match(rest)
        if match is None or int(match[1]) >= len(self.services):
            return _renamed(rest, _OF_AN_APP)
        inner = rest[match.end() :]
        name = self.services[int(match[1])]
        at = join("services", name)
        if inner == "serviceId" and name not in self.numbered:
            return at  # its id is its name
        field = _renamed(inner, _OF_A_SERVICE).removeprefix("config.")
        return f"{at}.{field}" if field and field != "config" else at

    def text(self, text: str) -> str:
        """A sentence, each path of the target in it as one of the document."""
        pattern = re.compile(rf"\bapps\.{self.app_id}\b[^\s:,;]*")
        return pattern.sub(lambda found: self.path(found[0]), text)


def _renamed(path: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        if path == name or path.startswith((f"{name}.", f"{name}[")):
            return other + path.removeprefix(name)
    return path
