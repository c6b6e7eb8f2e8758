"""A compose file as one app of a target (pure)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.cloud.targets.draft import COMMENT_LENGTH_MAX, Content, parse_draft
from iotistic.compose import (
    app_id_of,
    from_compose,
    own_app_id,
    own_name,
    read_yaml,
    resolved,
)
from iotistic.model.errors import Conflict, InvalidField
from iotistic.model.reader import Fields, check_integer, check_text
from iotistic.model.words import Dialect

_VARIABLES_MAX = 1000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeChange:
    """One app of a target becomes what a compose file says; other apps and `config` stay.

    Which app: `app_id`, else the id that the file asks for, else that of the app of the same
    name, else a free one. Services keep the ids they had by their names, so a file that takes
    over what runs restarts nothing for that. An app that seems to be another one is replaced only
    if somebody named it (`app_id`) or said so (`replace`).
    """

    document: Any = field(repr=False)
    dialect: Dialect
    app_id: int | None = None
    app_name: str | None = None
    comment: str = ""
    new_epoch: bool = False
    replace: bool = False
    warnings: tuple[str, ...] = ()

    def onto(self, before: Mapping[str, Any]) -> Content:
        """The target with that app in it.

        Raises InvalidField with the path in the file, or Conflict (`replaces-another-app`).
        """
        apps: Mapping[str, Any] = before["apps"]
        name = self.app_name or own_name(self.document)
        own_id = None if self.app_name and self.replace else own_app_id(self.document)
        app_id = self.app_id or own_id or app_id_of(name, apps)
        held = apps.get(str(app_id), {})
        if held and self.app_id is None and not self.replace:
            _refuse_another(held, app_id, name, self.document)
        found = from_compose(
            self.document,
            app_id=app_id,
            app_name=name or held.get("appName"),
            service_ids={one["serviceName"]: one["serviceId"] for one in held.get("services", ())},
            strict=before.get("strict", False),
        )
        whole = parse_draft({**before, "apps": {**apps, str(app_id): found.app}}, self.dialect)
        others = [text for text in whole.warnings if not text.startswith(f"apps.{app_id}.")]
        return Content(
            body=whole.onto(before).body,
            warnings=(*self.warnings, *found.warnings, *others),
            app_id=app_id,
        )


def parse_compose_change(raw: Mapping[str, Any], dialect: Dialect) -> ComposeChange:
    """Read `{compose, appId?, appName?, variables?, comment?, newEpoch?}`.

    `compose` is the text of a file, in which expressions are replaced from `variables`; or an
    object, which is taken as it stands. Raises InvalidField.
    """
    fields = Fields(raw, "")
    given = fields.required("compose", expected="the text of a compose file, or an object")
    document: Any = given
    if isinstance(given, str):
        document = resolved(read_yaml(given).value, variables=_variables(fields)).document
    elif fields.raw("variables"):
        raise InvalidField(
            "variables", expected="nothing beside an object, which is taken as it stands"
        )
    for name in ("apps", "config"):
        if fields.raw(name) is not None:
            raise InvalidField(name, expected="nothing beside compose", found="a value")
    app_id = fields.raw("appId")
    change = ComposeChange(
        document=document,
        dialect=dialect,
        app_id=None if app_id is None else check_integer(app_id, "appId", low=1),
        app_name=fields.optional_text("appName"),
        comment=fields.optional_text("comment", length_max=COMMENT_LENGTH_MAX) or "",
        new_epoch=fields.boolean("newEpoch", default=False),
        replace=fields.boolean("replace", default=False),
    )
    fields.warn_unknown()
    return dataclasses.replace(change, warnings=tuple(fields.warnings))


def _refuse_another(
    held: Mapping[str, Any], app_id: int, name: str | None, document: Mapping[str, Any]
) -> None:
    """Raise Conflict when what is held seems to be another app than the file's.

    It is called otherwise, or has no service of the file.
    """
    known = held.get("appName")
    services = {one["serviceName"] for one in held.get("services", ())}
    coming = document.get("services")
    theirs = set(coming) if isinstance(coming, Mapping) else set()
    if (name is None or name == known) and (not services or services & theirs):
        return
    there = ", ".join(sorted(services)[:5]) or "no services"
    raise Conflict(
        f"app {app_id} of this device is {known!r} ({there[:200]}); the file would replace it"
        f" by {name or known!r}",
        code="replaces-another-app",
        remedy="if that is meant: --replace, or --app with its id; else give the file another"
        " name, or x-iotistic.app_id",
    )


def _variables(fields: Fields) -> dict[str, str]:
    given = fields.mapping("variables")
    if len(given) > _VARIABLES_MAX:
        raise InvalidField("variables", expected=f"at most {_VARIABLES_MAX}", found=len(given))
    return {
        check_text(name, "variables", pattern=_VARIABLE, expected="names of variables"): check_text(
            value, f"variables.{name}", secret=True
        )
        for name, value in given.items()
    }
