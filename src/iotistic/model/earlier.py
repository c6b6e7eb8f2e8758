"""A target as an earlier version of the agent understood it (pure).

A word that used to be passed over with a warning may be refused by now. A target that was taken
then is still what its device runs: without the words that version did not know it reads as it
did, and what runs is as wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.target import TargetState, parse_target

FIRST_WORDS = frozenset(
    {
        "image", "command", "entrypoint", "environment", "labels", "ports", "volumes", "networks",
        "network_mode", "networkMode", "restart", "working_dir", "workingDir", "user", "hostname",
    }
)  # fmt: skip
"""The fields of a service's `config` that the first version (0.1) applied."""
_FIRST_APP_WORDS = frozenset({"appId", "appName", "appUuid", "services"})


def read_stored(document: Mapping[str, Any]) -> TargetState:
    """A target that was taken once: as this version reads it, or else as the first one did.

    Raises InvalidField, with this version's reason, if neither can.
    """
    try:
        return parse_target(document)
    except InvalidField as error:
        try:
            return parse_target(as_first_read(document))
        except InvalidField:
            raise error from None


def as_first_read(document: Mapping[str, Any]) -> dict[str, Any]:
    """The target without what the first version passed over. Odd parts stay as they are."""
    apps = document.get("apps")
    if isinstance(apps, Mapping):
        read: Any = {key: _app(app) for key, app in apps.items()}
    else:
        read = [_app(app) for app in apps] if isinstance(apps, list) else apps
    return {**document, "apps": read}


def _app(app: Any) -> Any:
    if not isinstance(app, Mapping):
        return app
    kept = {name: value for name, value in app.items() if name in _FIRST_APP_WORDS}
    services = app.get("services")
    if isinstance(services, list):
        kept["services"] = [_service(service) for service in services]
    return kept


def _service(service: Any) -> Any:
    config = service.get("config") if isinstance(service, Mapping) else None
    if not isinstance(config, Mapping):
        return service
    return {**service, "config": {n: v for n, v in config.items() if n in FIRST_WORDS}}
