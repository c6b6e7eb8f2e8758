"""class Outbox: what is to leave the device waits here, on the disk, until it was acknowledged."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.agent.outbox.ledger import ClassLedger, DeadLetter, DropReason
from iotistic.agent.outbox.quota import Quota
from iotistic.model.errors import Refused
from iotistic.model.records import Record, RecordClass, RecordId


class OutboxFull(Refused):
    """A class that drops nothing has used up its room; nothing was stored."""

    code: str = "outbox-full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The oldest records of one class that wait, in their order. They wait on until acknowledged.

    `bytes_bound` is more than they take as lines.
    """

    record_class: RecordClass
    records: tuple[Record, ...]
    bytes_bound: int


class Outbox:
    """The durable queue of everything that leaves the device, by class.

    `put` and `put_all` return when on the disk. What is `offer`ed is acknowledged to nobody.
    """

    def __init__(self, clock: Clock, clock_synced: Callable[[], bool]) -> None:
        self._clock = clock
        self._clock_synced = clock_synced
        self._records: dict[RecordClass, list[Record]] = {kind: [] for kind in RecordClass}
        self._written = dict.fromkeys(RecordClass, 0)
        self._acknowledged = dict.fromkeys(RecordClass, 0)
        self._dropped: dict[RecordClass, dict[DropReason, int]] = {kind: {} for kind in RecordClass}
        self._cursors: dict[str, str] = {}
        self._epoch = secrets.token_hex(8)
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        clock: Clock,
        log: AgentLogger,
        *,
        quotas: Mapping[RecordClass, Quota],
        clock_synced: Callable[[], bool],
    ) -> AsyncIterator[Outbox]:
        """Open the file at `path`, or a new one, for as long as the block lasts."""
        yield cls(clock, clock_synced)

    # -- bringing records

    async def put(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> RecordId:
        """Store a record; on the disk when this returns. Raises OutboxFull, DiskFull."""
        return self._add(record_class, data, at_ms)

    async def put_all(
        self,
        record_class: RecordClass,
        items: Sequence[tuple[int, Mapping[str, Any]]],
        *,
        cursor: tuple[str, str] | None = None,
    ) -> None:
        """Store records of (at_ms, data), all or none, and with them how far their source is read."""
        for at_ms, data in items:
            self._add(record_class, data, at_ms)
        if cursor is not None:
            self._cursors[cursor[0]] = cursor[1]

    def offer(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> None:
        """Take a record without waiting for the disk; never blocks, never raises."""
        self._add(record_class, data, at_ms)

    async def cursors(self, prefix: str) -> Mapping[str, str]:
        """How far sources were read, by name."""
        return {name: at for name, at in self._cursors.items() if name.startswith(prefix)}

    async def forget_cursors(self, names: Collection[str]) -> None:
        """Sources that are no more."""
        for name in names:
            self._cursors.pop(name, None)

    # -- taking them away

    async def take(
        self, classes: Collection[RecordClass], *, records_max: int, bytes_max: int
    ) -> Batch | None:
        """The oldest of the most urgent class among `classes` in which something waits."""
        for record_class in RecordClass:
            if record_class in classes and (found := self._records[record_class][:records_max]):
                return Batch(record_class=record_class, records=tuple(found), bytes_bound=bytes_max)
        return None

    async def acknowledge(self, record_class: RecordClass, watermarks: Mapping[str, int]) -> None:
        """Everything up to `{epoch: seq}` is the far side's now."""
        before = self._records[record_class]
        kept = [r for r in before if r.id.seq > watermarks.get(r.id.epoch, 0)]
        self._acknowledged[record_class] += len(before) - len(kept)
        self._records[record_class] = kept

    async def reject(self, id: RecordId, code: str, message: str) -> None:
        """The far side will never take this one: it becomes a dead letter."""
        self._drop([r for r in self._records[id.record_class] if r.id == id], DropReason.REJECTED)

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """What the far side refused, newest first."""
        return ()

    async def clear(self, record_class: RecordClass | None, reason: DropReason) -> int:
        """Drop what waits, of one class or of all; how many there were."""
        classes = list(RecordClass) if record_class is None else [record_class]
        return sum(self._drop(self._records[kind], reason) for kind in classes)

    def waiting(self, record_class: RecordClass) -> int:
        """How many wait."""
        return len(self._records[record_class])

    async def wait(self) -> None:
        """Return when something came since the last time this returned."""
        await self._news.wait()
        self._news.clear()

    def ledger(self) -> Mapping[RecordClass, ClassLedger]:
        """What became of all records."""
        return {
            kind: ClassLedger(
                written=self._written[kind],
                acknowledged=self._acknowledged[kind],
                waiting=len(self._records[kind]),
                dropped=self._dropped[kind],
            )
            for kind in RecordClass
        }

    def _add(self, kind: RecordClass, data: Mapping[str, Any], at_ms: int | None) -> RecordId:
        self._written[kind] += 1
        record_id = RecordId(record_class=kind, epoch=self._epoch, seq=self._written[kind])
        self._records[kind].append(
            Record(
                id=record_id,
                at_ms=self._clock.wall_ms() if at_ms is None else at_ms,
                clock_synced=self._clock_synced(),
                data=data,
            )
        )
        self._news.set()
        return record_id

    def _drop(self, records: Sequence[Record], reason: DropReason) -> int:
        for record in list(records):
            self._records[record.id.record_class].remove(record)
            dropped = self._dropped[record.id.record_class]
            dropped[reason] = dropped.get(reason, 0) + 1
        return len(records)
