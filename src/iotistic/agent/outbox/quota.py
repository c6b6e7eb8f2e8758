"""How much of each class is kept for how long, and what gives way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from iotistic.model.errors import Refused
from iotistic.model.records import RecordClass

_MIB = 1024 * 1024
_DAY_S = 24 * 3600.0


class OutboxFull(Refused):
    """A class that drops nothing has used up its room; nothing was stored."""

    code: str = "outbox-full"


class Overflow(StrEnum):
    """What gives way when a class has used up its room."""

    DROP_OLDEST = "drop-oldest"
    DROP_NEWEST = "drop-newest"
    SAMPLE = "sample"
    """Every second record of the older half: a coarser picture of a longer time."""
    NEVER = "never"
    """Nothing: whoever brings more is refused (OutboxFull)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The room and the time of one class."""

    bytes_max: int
    age_max_s: float
    overflow: Overflow = Overflow.DROP_OLDEST


_SHARES: Mapping[RecordClass, tuple[float, float, Overflow]] = {
    RecordClass.EVENT: (0.125, 30, Overflow.DROP_OLDEST),
    RecordClass.ANOMALY: (0.0625, 30, Overflow.DROP_OLDEST),
    RecordClass.READING: (0.3125, 7, Overflow.DROP_OLDEST),
    RecordClass.METRIC: (0.125, 7, Overflow.SAMPLE),
    RecordClass.LOG: (0.375, 3, Overflow.DROP_OLDEST),
}
"""Share of all room, days, policy."""


def default_quotas(megabytes_max: int) -> dict[RecordClass, Quota]:
    """The classes' quotas out of what all of them may take together."""
    return {
        record_class: Quota(
            bytes_max=int(share * megabytes_max * _MIB),
            age_max_s=days * _DAY_S,
            overflow=overflow,
        )
        for record_class, (share, days, overflow) in _SHARES.items()
    }
