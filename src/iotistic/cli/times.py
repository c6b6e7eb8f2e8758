"""Times and spans as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SPAN = re.compile(r"(\d{1,9})(s|m|min|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def short_iso(text: str | None) -> str | None:
    """A date and time to the minute, in UTC."""
    return (
        None if text is None else f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%MZ}"
    )


def span(seconds: float) -> str:
    """Two units at most: `3 d 4 h`, `62 s` as `1 min 2 s`."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def ago(at_ms: int | None, now_ms: int) -> str:
    """How long ago; a time in the future (clocks differ) is just now."""
    return "never" if at_ms is None else f"{span((now_ms - at_ms) / 1000)} ago"


def stamp(at_ms: int) -> str:
    """Local date and time to the second, with the zone's offset."""
    # Not by a float of seconds, which is out of range for odd clocks.
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")


def parse_iso(text: str | None) -> int | None:
    """A date and time with its zone, as Unix ms; None stays None. Raises ValueError."""
    return None if text is None else int(datetime.fromisoformat(text).timestamp() * 1000)


def parse_since(text: str, now_ms: int) -> int:
    """`10m`, `2h`, Unix milliseconds, or a date and time, as Unix ms. Raises ValueError."""
    if found := _SPAN.fullmatch(text.strip()):
        return now_ms - int(found[1]) * _SECONDS[found[2]] * 1000
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    return int(datetime.fromisoformat(text).timestamp() * 1000)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
