"""Which values of a target are secret, and taking them out of it and back in (pure).

Environment values and driver options always are; elsewhere it is what the name of a field says,
such as `secrets` of an app, with all below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from iotistic.model.canonical import canonical_json

# Not the words by which logs and reports are masked (`agent.logs.redaction`): these belong to the
# format at rest. They may become more: what an earlier version did not seal is left as it is when
# its document is opened. Were one of them to go, what is sealed under it would stay sealed.
_ALL_BELOW = frozenset({"environment", "driver_opts", "driverOpts"})
"""Environments, and options of volume drivers, which may hold the login of a file server."""
_SECRET_NAME = re.compile(r"passw|secret|token|api_?key|private_?key|credential", re.IGNORECASE)

_SEALED_PREFIX = "v1:"  # what the child process begins every sealed text with

Document = dict[str, Any]


def secret_values(document: Mapping[str, Any]) -> dict[str, str]:
    """The secret values as JSON texts, by the place where they stand."""
    return {
        place: canonical_json(holder[name]).decode()
        for place, holder, name in _places(document, "")
    }


def with_values(document: Mapping[str, Any], values: Mapping[str, str]) -> Document:
    """A copy with other texts at the secret places: the sealed document."""
    copy = _copy(document)
    for place, holder, name in list(_places(copy, "")):
        holder[name] = values[place]
    return copy


def sealed_values(document: Mapping[str, Any]) -> dict[str, str]:
    """What is sealed in a document."""
    return {
        place: holder[name]
        for place, holder, name in _places(document, "")
        if _is_sealed(holder[name])
    }


def with_opened(document: Mapping[str, Any], opened: Mapping[str, str]) -> Document:
    """The document as it was before it was sealed; `opened` as of `secret_values`."""
    copy = _copy(document)
    for place, holder, name in list(_places(copy, "")):
        if _is_sealed(holder[name]):
            holder[name] = msgspec.json.decode(opened[place])
    return copy


def _copy(document: Mapping[str, Any]) -> Document:
    copy: Document = msgspec.json.decode(canonical_json(document))
    return copy


def _places(value: Any, at: str, *, inside: bool = False) -> Iterator[tuple[str, Any, Any]]:
    entries: Iterable[tuple[Any, Any]]
    entries = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, entry in entries:
        # "/" and "~" as in a JSON pointer, so that no two places share a name.
        place = f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}"
        secret = inside or (isinstance(name, str) and _is_secret(name))
        if isinstance(entry, Mapping | list):
            yield from _places(entry, place, inside=secret)
        elif secret and entry is not None:
            yield place, value, name


def _is_sealed(value: object) -> bool:
    return isinstance(value, str) and value.startswith(_SEALED_PREFIX)


def _is_secret(name: str) -> bool:
    return name in _ALL_BELOW or _SECRET_NAME.search(name) is not None
