"""Bytes by day and purpose, and what they come to in a month. Pure.

A day is one of UTC by the wall clock. A device whose clock is wrong counts under the date that
it believes in.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec

from iotistic.model.errors import InvalidField

DAYS_KEPT = 62
DAY_MS = 86_400_000
RATE_MIN_SHARE = 1 / 24 / 30
"""What is projected from less than an hour is noise."""

Bytes = tuple[int, int]
"""Sent, received."""


@dataclass(frozen=True, slots=True)
class Days:
    """What went over the wire, by day and purpose. `since_ms`: when counting began."""

    since_ms: int
    days: Mapping[date, Mapping[str, Bytes]] = field(default_factory=dict)

    def plus(self, day: date, counted: Mapping[str, Bytes]) -> Days:
        """With what was counted since; of too many days those farthest from this one go.

        Farthest, and not oldest: after a leap of the clock into the future and back, it is the
        future that goes.
        """
        grown = dict(self.days.get(day, {}))
        for purpose, (sent, received) in counted.items():
            before = grown.get(purpose, (0, 0))
            grown[purpose] = (before[0] + sent, before[1] + received)
        days = {**self.days, day: grown}
        kept = sorted(days, key=lambda one: abs((one - day).days))[:DAYS_KEPT]
        return Days(self.since_ms, {one: days[one] for one in sorted(kept)})

    def of_day(self, day: date) -> dict[str, Bytes]:
        """By purpose."""
        return dict(self.days.get(day, {}))

    def of_month(self, day: date) -> dict[str, Bytes]:
        """By purpose, in the month in which `day` lies."""
        same = [
            found
            for one, found in self.days.items()
            if (one.year, one.month) == (day.year, day.month)
        ]
        return summed(same)

    def used_bytes(self, day: date) -> int:
        """Both ways, in its month."""
        return total(self.of_month(day))


class _Stored(msgspec.Struct, frozen=True):
    """The file's form."""

    since_ms: int
    days: dict[date, dict[str, Bytes]]


def encode_days(days: Days) -> bytes:
    """As they are stored."""
    return msgspec.json.encode({"since_ms": days.since_ms, "days": days.days})


def decode_days(data: bytes) -> Days:
    """What was stored; raises InvalidField."""
    try:
        stored = msgspec.json.decode(data, type=_Stored)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidField(
            "traffic", expected="bytes by day and purpose", found=str(error)
        ) from error
    return Days(stored.since_ms, stored.days)


def summed(days: Iterable[Mapping[str, Bytes]]) -> dict[str, Bytes]:
    """Several days in one."""
    found: dict[str, Bytes] = {}
    for day in days:
        for purpose, (sent, received) in day.items():
            before = found.get(purpose, (0, 0))
            found[purpose] = (before[0] + sent, before[1] + received)
    return found


def total(counted: Mapping[str, Bytes]) -> int:
    """Both ways, for whatever purpose."""
    return sum(sent + received for sent, received in counted.values())


def day_of(wall_ms: int) -> date:
    """The day of UTC; whatever a broken clock says."""
    try:
        return datetime.fromtimestamp(wall_ms / 1000, UTC).date()
    except (OverflowError, ValueError, OSError):
        return date(1970, 1, 1)


def elapsed_share(wall_ms: int) -> float:
    """How much of this month is over, from 0 to 1."""
    day = day_of(wall_ms)
    length = calendar.monthrange(day.year, day.month)[1]
    return (day.day - 1 + (wall_ms % DAY_MS) / DAY_MS) / length


def projected_bytes(days: Days, wall_ms: int) -> int:
    """What the month comes to if it goes on as it went since it began, or since counting began."""
    day = day_of(wall_ms)
    used, elapsed = days.used_bytes(day), elapsed_share(wall_ms)
    counted = elapsed
    if days.since_ms <= wall_ms and day_of(days.since_ms).replace(day=1) == day.replace(day=1):
        counted = elapsed - elapsed_share(days.since_ms)
    return used + round(used / max(counted, RATE_MIN_SHARE) * (1.0 - elapsed))


def last_days(day: date, number: int) -> list[date]:
    """The last `number` days up to this one, oldest first."""
    return [day - timedelta(days=back) for back in range(number - 1, -1, -1)]
