"""What an operator may send as a target: JSON or YAML, the whole or one app."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from iotistic.cloud.requests import AnyRequest, media_type_of, read_json, read_text
from iotistic.cloud.targets.compose_change import ComposeChange, parse_compose_change
from iotistic.cloud.targets.draft import Change, parse_draft
from iotistic.compose import YAML_BYTES_MAX, is_compose, read_yaml, resolved
from iotistic.model.errors import InvalidField
from iotistic.model.reader import BODY_BYTES_MAX, check_integer
from iotistic.model.words import Dialect

_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})
_DIGITS_MAX = 16


async def read_change(request: AnyRequest, dialect: Dialect) -> Change:
    """The change that a body asks for. Raises InvalidField, TooLarge.

    JSON is the whole target, or one app as `{compose, …}`; YAML is either of them as well, a
    compose file with `appId`, `appName` and `replace` in the query.
    """
    if media_type_of(request) in _YAML:
        text = await read_text(request, bytes_max=YAML_BYTES_MAX)
        query = request.query_params
        app_id, app_name = query.get("appId"), query.get("appName")
        replace = query.get("replace") in ("1", "true")
        return await asyncio.to_thread(
            lambda: _from_yaml(text, dialect, app_id, app_name, replace=replace)
        )
    body = await read_json(request, bytes_max=BODY_BYTES_MAX)
    return await asyncio.to_thread(_from_json, body, dialect)


def _from_json(body: Any, dialect: Dialect) -> Change:
    if isinstance(body, Mapping) and body.get("compose") is not None:
        return parse_compose_change(body, dialect)
    return parse_draft(body, dialect)


def _from_yaml(
    text: str, dialect: Dialect, app_id: str | None, app_name: str | None, *, replace: bool
) -> Change:
    document = read_yaml(text).value
    if not is_compose(document):
        return parse_draft(document, dialect)
    return ComposeChange(
        document=resolved(document, variables={}).document,
        dialect=dialect,
        app_id=None if app_id is None else check_integer(_number(app_id), "appId", low=1),
        app_name=app_name,
        replace=replace,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise InvalidField("appId", expected="an integer from 1", found=text)
    return int(text)
