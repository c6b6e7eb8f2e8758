"""A target as an operator hands it in: checked, and brought into one form (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotistic.model.errors import MASK, InvalidField
from iotistic.model.reader import Fields
from iotistic.model.target import parse_target
from iotistic.model.words import Dialect

COMMENT_LENGTH_MAX = 500
# What a target read from here has and one that is handed in may keep: it is ours to say.
_OURS = (
    "version",
    "target_epoch",
    "needs_deployment",
    "last_deployed_at",
    "uuid",
    "status",
    "message",
    "warnings",
    "deployedVersion",
    "etag",
)
_NUMBER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A valid target: `apps` by id. `new_epoch`: devices that hold a higher version take it."""

    apps: Mapping[str, Any]
    config: Mapping[str, Any]
    comment: str = ""
    new_epoch: bool = False
    warnings: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """What is stored."""
        return {"apps": dict(self.apps), "config": dict(self.config)}


def parse_draft(raw: object, dialect: Dialect) -> Draft:
    """Read what an operator sent. Raises InvalidField with the path to the field.

    `apps` must be there: to remove all of them is said, not left out. For a device of the older
    dialect the ids of services become numbers, or are refused.
    """
    fields = Fields(raw, "")
    fields.required("apps", expected="an object by app id, or a list")
    apps, config = fields.raw("apps"), fields.mapping("config")
    comment = fields.optional_text("comment", length_max=COMMENT_LENGTH_MAX) or ""
    new_epoch = fields.boolean("newEpoch", default=False)
    for name in _OURS:
        fields.raw(name)
    fields.warn_unknown()
    parsed = parse_target({"apps": apps, "config": config})
    by_id = dict(_by_id(apps))
    if dialect is Dialect.O1:
        by_id = {app_id: _with_numbers(app, f"apps.{app_id}") for app_id, app in by_id.items()}
    return Draft(
        apps=by_id,
        config=config,
        comment=comment,
        new_epoch=new_epoch,
        warnings=(*fields.warnings, *parsed.warnings),
    )


def _by_id(apps: Any) -> Iterator[tuple[str, Any]]:
    """Each app under its id. They were parsed, so what is needed is there."""
    entries = apps.items() if isinstance(apps, Mapping) else ((None, app) for app in apps)
    for key, app in entries:
        app_id = int(app.get("appId", key))
        yield str(app_id), {**app, "appId": app_id}


def _with_numbers(app: Mapping[str, Any], at: str) -> dict[str, Any]:
    services = []
    for number, service in enumerate(app.get("services") or ()):
        found = service["serviceId"]
        if not _NUMBER.fullmatch(str(found)):
            raise InvalidField(
                f"{at}.services[{number}].serviceId",
                expected="a number, since this device speaks the older dialect",
                found=found,
            )
        services.append({**service, "serviceId": int(found)})
    return {**app, "services": services}


def without_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """A target for eyes that may not see the values of environment variables."""
    apps = {app_id: _masked_app(app) for app_id, app in body["apps"].items()}
    return {**body, "apps": apps}


def _masked_app(app: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_hidden(app),
        "services": [_masked_service(item) for item in app.get("services") or ()],
    }


def _masked_service(service: Mapping[str, Any]) -> dict[str, Any]:
    shown, config = _hidden(service), service.get("config")
    return {**shown, "config": _hidden(config)} if isinstance(config, Mapping) else shown


def _hidden(holder: Mapping[str, Any]) -> dict[str, Any]:
    # In a wrong place it is ignored by devices, with a warning, and no less a secret.
    if "environment" not in holder:
        return dict(holder)
    return {**holder, "environment": dict.fromkeys(_names(holder["environment"]), MASK)}


def _names(environment: Any) -> list[str]:
    found = environment if isinstance(environment, Mapping | list | tuple) else ()
    return [name.partition("=")[0] for name in found if isinstance(name, str)]
