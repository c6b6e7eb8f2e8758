"""What was offered and is not on the disk yet: bounded, by class, and counted where it is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iotistic.agent.outbox.content import Content, Draft
from iotistic.agent.outbox.ledger import DropReason
from iotistic.model.records import RecordClass

BYTES_MAX = 256 * 1024
RECORDS_MAX = 2000
"""Of one class, so that none can crowd another out."""


@dataclass(slots=True)
class Offered:
    """Of one class. `lost` were too many or no records, and are counted with the next change."""

    drafts: list[Draft] = field(default_factory=list)
    size_bytes: int = 0
    lost: dict[DropReason, int] = field(default_factory=dict)

    def add(self, draft: Draft) -> None:
        """Take one, or count it as lost."""
        if len(self.drafts) >= RECORDS_MAX or self.size_bytes + draft.size_bytes > BYTES_MAX:
            self.lose(DropReason.MEMORY)
            return
        self.drafts.append(draft)
        self.size_bytes += draft.size_bytes

    def lose(self, reason: DropReason, number: int = 1) -> None:
        """Count some that are lost."""
        self.lost[reason] = self.lost.get(reason, 0) + number


class Offers:
    """All classes."""

    def __init__(self) -> None:
        self._by_class: dict[RecordClass, Offered] = {}

    def __bool__(self) -> bool:
        return bool(self._by_class)

    def of(self, kind: RecordClass) -> Offered:
        """What was offered of a class; made when it is not there."""
        return self._by_class.setdefault(kind, Offered())

    def withdraw(self) -> Mapping[RecordClass, Offered]:
        """All of it, to be stored; none is left."""
        offered, self._by_class = self._by_class, {}
        return offered

    def put_back(self, offered: Mapping[RecordClass, Offered]) -> None:
        """It could not be stored: it comes before what was offered since."""
        newer = self.withdraw()
        self._by_class = dict(offered)
        for kind, more in newer.items():
            kept = self.of(kind)
            for draft in more.drafts:
                kept.add(draft)
            for reason, number in more.lost.items():
                kept.lose(reason, number)


def store(offered: Mapping[RecordClass, Offered], content: Content) -> None:
    """Write it down."""
    for kind, found in offered.items():
        content.append(kind, found.drafts)
        for reason, number in found.lost.items():
            content.count_lost(kind, reason, number)
