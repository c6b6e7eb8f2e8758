"""A target as an operator hands it in: checked, and brought into one form (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields
from iotistic.model.target import parse_target
from iotistic.model.target_secrets import restored
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
    "appId",
)
_NUMBER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is stored of a target, and what the operator should know of it.

    `app_id`: the app that a change of one app was about.
    """

    body: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...] = ()
    app_id: int | None = None


class Change(Protocol):
    """A new version in the making. `new_epoch`: devices that hold a higher version take it."""

    @property
    def comment(self) -> str:
        """Why, for the history."""
        ...

    @property
    def new_epoch(self) -> bool:
        """Whether counting starts anew."""
        ...

    def onto(self, before: Mapping[str, Any]) -> Content:
        """The target that follows on the one before. Raises InvalidField."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A valid target: `apps` by id. It may hold masks, which stand for what was there before."""

    apps: Mapping[str, Any] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    strict: bool = False
    comment: str = ""
    new_epoch: bool = False
    warnings: tuple[str, ...] = ()

    def onto(self, before: Mapping[str, Any]) -> Content:
        """All of it, the masks replaced. Raises InvalidField for one that stands for nothing."""
        body: dict[str, Any] = {"apps": dict(self.apps), "config": dict(self.config)}
        if self.strict:  # only where it is said: versions of former days stay as they were
            body["strict"] = True
        return Content(body=restored(body, before), warnings=self.warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerVersion:
    """The content of an old version, once more."""

    body: Mapping[str, Any] = field(repr=False)
    comment: str
    new_epoch: bool = False

    def onto(self, before: Mapping[str, Any]) -> Content:
        """Just that, whatever there is now."""
        del before
        return Content(body=self.body)


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
    fields.strict = fields.boolean("strict", default=False)
    for name in _OURS:
        fields.raw(name)
    fields.warn_unknown()
    parsed = parse_target({"apps": apps, "config": config}, strict=fields.strict)
    by_id = dict(_by_id(apps))
    if dialect is Dialect.O1:
        by_id = {app_id: _with_numbers(app, f"apps.{app_id}") for app_id, app in by_id.items()}
    return Draft(
        apps=by_id,
        config=config,
        strict=fields.strict,
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
