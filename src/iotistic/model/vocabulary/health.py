"""The health check of a service."""

from __future__ import annotations

from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text
from iotistic.model.service import Healthcheck
from iotistic.model.vocabulary.entries import ENTRIES_MAX, unset
from iotistic.model.vocabulary.quantities import milliseconds_of, whole

NO_TEST = ("NONE",)
_RETRIES_MAX = 1_000_000


def healthcheck(config: Fields) -> Healthcheck | None:
    """The check; None where nothing is said. `disable` and `NONE` are one."""
    raw = config.raw("healthcheck")
    if raw is None:
        return None
    fields = config.nested(raw, config.path("healthcheck"))
    test = _test(fields)
    check = Healthcheck(
        test=test,
        interval_ms=_span(fields, "interval"),
        timeout_ms=_span(fields, "timeout"),
        start_period_ms=_span(fields, "start_period"),
        start_interval_ms=_span(fields, "start_interval"),
        retries=_retries(fields),
    )
    disabled = fields.boolean("disable", default=False)
    fields.warn_unknown()
    if disabled or test == NO_TEST:
        return Healthcheck(test=NO_TEST)
    return None if check == Healthcheck() else check


def _test(fields: Fields) -> tuple[str, ...] | None:
    raw = unset(fields, "test")
    at = fields.path("test")
    if raw is None or raw == []:
        return None
    if isinstance(raw, str):
        return NO_TEST if raw == "NONE" else ("CMD-SHELL", check_text(raw, at))
    expected = 'a command as one text, or a list that starts with "CMD", "CMD-SHELL" or "NONE"'
    if not isinstance(raw, list) or len(raw) > ENTRIES_MAX:
        raise InvalidField(at, expected=expected, found=raw)
    found = tuple(check_text(word, f"{at}[{n}]") for n, word in enumerate(raw))
    kind, rest = found[0], found[1:]
    if kind == "NONE":
        return NO_TEST
    if not (kind == "CMD" and rest) and not (kind == "CMD-SHELL" and len(rest) == 1):
        raise InvalidField(at, expected=expected, found=raw)
    return found


def _span(fields: Fields, name: str) -> int | None:
    # 0 is the engine's word for "as the image says, or else the default".
    raw: Any = unset(fields, name)
    return None if raw is None else milliseconds_of(raw, fields.path(name)) or None


def _retries(fields: Fields) -> int | None:
    raw = unset(fields, "retries")
    return None if raw is None else whole(raw, fields.path("retries"), high=_RETRIES_MAX) or None
