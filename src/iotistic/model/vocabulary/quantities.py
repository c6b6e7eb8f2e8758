"""Sizes, spans of time and shares of a processor, as compose writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import InvalidField

_DAY_MS = 24 * 60 * 60 * 1000
SPAN_MS_MAX = 366 * _DAY_MS
NANO = 1_000_000_000
CPUS_MAX = 4096

_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_SIZE = re.compile(r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,9})?) ?(?P<unit>[kKmMgGtTpP]?)i?[bB]?")
_SIZE_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SPAN = re.compile(r"(?:[0-9]{1,18}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h|d|w))+")
_SPAN_PART = re.compile(r"(?P<number>[0-9.]+)(?P<unit>ns|us|µs|ms|s|m|h|d|w)")
_MS: Mapping[str, Decimal] = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "µs": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60_000),
    "h": Decimal(3_600_000),
    "d": Decimal(_DAY_MS),
    "w": Decimal(7 * _DAY_MS),
}
_TEXT_LENGTH_MAX = 64


def bytes_of(raw: Any, at: str) -> int:
    """A size in bytes: a number, or a text such as `512m`, `1.5G`, `64MiB`. All units are binary.

    Source: the Docker command line, for which `m`, `MB` and `MiB` are the same.
    """
    expected = "a size in bytes, or such as 512m or 1.5g"
    if isinstance(raw, str):
        match = _SIZE.fullmatch(raw.strip()) if len(raw) <= _TEXT_LENGTH_MAX else None
        if match is None:
            raise InvalidField(at, expected=expected, found=raw)
        power = _SIZE_POWERS[match["unit"].lower()]
        number = Decimal(match["number"]) * 1024**power
    else:
        number = _number(raw, at, expected)
    if number > INTEGER_MAX:
        raise InvalidField(at, expected=f"at most {INTEGER_MAX} bytes", found=raw)
    return int(number)


def milliseconds_of(raw: Any, at: str) -> int:
    """A span of time in milliseconds: a text such as `1m30s` or `500ms`; a number is seconds.

    What is more than nothing is at least one millisecond.
    """
    span = _span_ms(raw, at, per_number_ms=Decimal(1000))
    return max(1, round(span)) if span else 0


def microseconds_of(raw: Any, at: str) -> int:
    """A span of time in microseconds, as the scheduler takes it; a number is microseconds."""
    return round(_span_ms(raw, at, per_number_ms=_MS["us"]) * 1000)


def _span_ms(raw: Any, at: str, *, per_number_ms: Decimal) -> Decimal:
    expected = "a span of time such as 10s or 1m30s, or a number"
    if isinstance(raw, str) and len(raw) <= _TEXT_LENGTH_MAX and _SPAN.fullmatch(raw):
        parts = _SPAN_PART.finditer(raw)
        span = sum((Decimal(part["number"]) * _MS[part["unit"]] for part in parts), Decimal(0))
    else:
        span = _number(raw, at, expected) * per_number_ms
    if span > SPAN_MS_MAX:
        raise InvalidField(at, expected="at most 366 days", found=raw)
    return span


def nano_cpus_of(raw: Any, at: str) -> int:
    """A share of the processors in billionths of one: `0.5`, 2, or thousandths such as `500m`."""
    expected = f"a number of processors such as 0.5, at most {CPUS_MAX}"
    thousandths = isinstance(raw, str) and raw.endswith("m")
    number = _number(raw[:-1] if thousandths else raw, at, expected)
    if thousandths:
        number /= 1000
    if number > CPUS_MAX:
        raise InvalidField(at, expected=expected, found=raw)
    return int(number * NANO)


def whole(raw: Any, at: str, *, low: int = 0, high: int = INTEGER_MAX) -> int:
    """An integer in [low, high]; its decimal digits as a text will do."""
    digits = isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}", raw) is not None
    number = int(raw) if digits or (isinstance(raw, float) and raw.is_integer()) else raw
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise InvalidField(at, expected=f"an integer from {low} to {high}", found=raw)
    return number


def _number(raw: Any, at: str, expected: str) -> Decimal:
    if isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()):
        return Decimal(raw.strip())
    if isinstance(raw, int | float) and not isinstance(raw, bool) and 0 <= raw <= INTEGER_MAX:
        return Decimal(str(raw))
    raise InvalidField(at, expected=expected, found=raw)
