"""The account of what became of every record that was ever made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from iotistic.model.records import RecordClass, RecordId


class DropReason(StrEnum):
    """Why a record left the outbox without having been acknowledged."""

    QUOTA = "quota"
    """Its class had used up its room."""
    SAMPLED = "sampled"
    """Its class had used up its room, and every second of the older half went."""
    AGE = "age"
    """It waited for longer than its class keeps anything."""
    MEMORY = "memory"
    """More was offered at once than memory is given for what is not yet on the disk."""
    INVALID = "invalid"
    """It is no JSON, or longer than a record may be."""
    REJECTED = "rejected"
    """The far side refused it; it is among the dead letters."""
    CLEARED = "cleared"
    """A person asked for it."""
    DISK_FULL = "disk-full"
    """The disk had no room left, and the state of the device comes first."""
    CORRUPT = "corrupt"
    """It was in a file that broke, or that somebody removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLedger:
    """One class: `written == acknowledged + waiting + sum(dropped.values())`, at every instant.

    `sent` counts every sending, so one that was repeated counts twice. `oldest_at_ms` and
    `since_ms` are labels by the wall clock: of the oldest record that waits, and of when counting
    began, which is again after the file broke.
    """

    written: int = 0
    sent: int = 0
    acknowledged: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    dropped: Mapping[DropReason, int] = field(default_factory=dict)
    oldest_at_ms: int | None = None
    since_ms: int = 0

    @property
    def dropped_total(self) -> int:
        """All that was dropped, for whatever reason."""
        return sum(self.dropped.values())

    @property
    def balanced(self) -> bool:
        """Whether the law holds."""
        return self.written == self.acknowledged + self.waiting + self.dropped_total


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that the far side refused for good, and why. `at_ms` is when it was refused.

    `data` is None where the record was too long to be kept a second time.
    """

    id: RecordId
    at_ms: int
    code: str
    message: str
    data: Mapping[str, Any] | None


def ledger_json(ledger: Mapping[RecordClass, ClassLedger]) -> dict[str, Any]:
    """The ledger as it is shown and reported; classes in the order of their urgency."""
    return {
        str(record_class): {
            "written": found.written,
            "sent": found.sent,
            "acknowledged": found.acknowledged,
            "waiting": found.waiting,
            "waitingBytes": found.waiting_bytes,
            "dropped": {
                str(reason): found.dropped[reason]
                for reason in DropReason
                if reason in found.dropped
            },
            "oldestAt": found.oldest_at_ms,
            "since": found.since_ms,
        }
        for record_class in RecordClass
        if (found := ledger.get(record_class)) is not None
    }
