"""Puts, offers, takes, acknowledgements, refusals, clean starts and crashes, in any order.

Beside the real outbox stands a model: what was promised, and what became of it. The law of the
ledger is checked after each step.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from iotistic.agent.outbox import DropReason, Outbox, OutboxFull, Overflow, Quota
from iotistic.model.records import RecordClass, RecordId
from tests.agent.outbox.builders import DAY_S, EVERYTHING, opened
from tests.agent.virtual_clock import VirtualClock

EXACT = RecordClass.ANOMALY
"""Has room for everything, so what waits in it is known exactly."""
QUOTAS = {
    RecordClass.EVENT: Quota(bytes_max=1500, age_max_s=DAY_S, overflow=Overflow.NEVER),
    EXACT: Quota(bytes_max=10**7, age_max_s=DAY_S, overflow=Overflow.NEVER),
    RecordClass.READING: Quota(bytes_max=1500, age_max_s=DAY_S, overflow=Overflow.DROP_NEWEST),
    RecordClass.METRIC: Quota(bytes_max=1500, age_max_s=DAY_S, overflow=Overflow.SAMPLE),
    RecordClass.LOG: Quota(bytes_max=1500, age_max_s=DAY_S, overflow=Overflow.DROP_OLDEST),
}
MAY_DROP = {
    RecordClass.EVENT: set(),
    EXACT: set(),
    RecordClass.READING: {DropReason.QUOTA},
    RecordClass.METRIC: {DropReason.SAMPLED, DropReason.QUOTA},
    RecordClass.LOG: {DropReason.QUOTA},
}
ASKED_FOR = {DropReason.REJECTED, DropReason.CLEARED}
classes = st.sampled_from(RecordClass)
sizes = st.integers(min_value=0, max_value=300)


class Life(RuleBasedStateMachine):
    """One device's outbox, over its starts."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = VirtualClock()
        self.number = 0
        self.promised: dict[RecordId, int] = {}
        """Id and content of all that was put; what was put by many has no id here."""
        self.gone: set[RecordId] = set()
        self.exact: list[int] = []
        self.cursor = 0
        self.opening: Any = None

    @initialize()
    def begin(self) -> None:
        self.run(self.open())

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    async def open(self) -> None:
        self.opening = opened(self.folder, self.clock, quotas=QUOTAS)
        self.outbox: Outbox = await self.opening.__aenter__()

    async def close(self) -> None:
        await self.opening.__aexit__(None, None, None)

    def data(self, size: int) -> dict[str, Any]:
        self.number += 1
        return {"n": self.number, "text": "x" * size}

    @rule(kind=classes, size=sizes)
    def put(self, kind: RecordClass, size: int) -> None:
        data = self.data(size)
        before = self.outbox.ledger()[kind]
        try:
            put = self.run(self.outbox.put(kind, data))
        except OutboxFull:
            assert QUOTAS[kind].overflow is Overflow.NEVER
            assert self.outbox.ledger()[kind].written == before.written
            return
        assert put not in self.promised
        self.promised[put] = data["n"]
        if kind is EXACT:
            self.exact.append(data["n"])

    @rule(many=st.integers(min_value=0, max_value=8), size=sizes)
    def put_many(self, many: int, size: int) -> None:
        items = [(1, self.data(size)) for _ in range(many)]
        self.cursor += 1
        self.run(self.outbox.put_all(EXACT, items, cursor=("c", str(self.cursor))))
        self.exact += [data["n"] for _, data in items]

    @rule(kind=st.sampled_from([RecordClass.METRIC, RecordClass.LOG]), size=sizes)
    def offer(self, kind: RecordClass, size: int) -> None:
        async def offered() -> None:
            self.outbox.offer(kind, self.data(size))

        self.run(offered())

    @rule(kinds=st.sets(classes), records_max=st.integers(min_value=1, max_value=20))
    def deliver(self, kinds: set[RecordClass], records_max: int) -> None:
        batch = self.run(self.outbox.take(kinds, records_max=records_max, bytes_max=10_000))
        if batch is None:
            assert not any(self.outbox.waiting(kind) for kind in kinds)
            return
        found = [record.id for record in batch.records]
        assert not self.gone & set(found), "delivered again after it was acknowledged"
        for record in batch.records:
            assert self.promised.get(record.id, record.data["n"]) == record.data["n"]
        watermarks: dict[str, int] = {}
        for record_id in found:
            assert watermarks.get(record_id.epoch, 0) < record_id.seq, "out of order"
            watermarks[record_id.epoch] = record_id.seq
        if batch.record_class is EXACT:
            numbers = [record.data["n"] for record in batch.records]
            assert numbers == self.exact[: len(numbers)]
            del self.exact[: len(numbers)]
        self.run(self.outbox.acknowledge(batch.record_class, watermarks))
        self.gone.update(found)

    @rule(kind=classes)
    def refuse_the_oldest(self, kind: RecordClass) -> None:
        batch = self.run(self.outbox.take({kind}, records_max=1, bytes_max=1))
        if batch is not None:
            self.run(self.outbox.reject(batch.records[0].id, "no", "never"))
            self.gone.add(batch.records[0].id)
            if kind is EXACT:
                del self.exact[0]

    @rule(kind=classes)
    def clear(self, kind: RecordClass) -> None:
        self.run(self.outbox.clear(kind, DropReason.CLEARED))
        if kind is EXACT:
            self.exact.clear()

    @rule()
    def start_anew(self) -> None:
        self.run(self.close())
        self.run(self.open())

    @rule()
    def crash(self) -> None:
        """The files as they are now are what the next start finds; nothing is flushed."""
        after = Path(tempfile.mkdtemp())
        for name in ("outbox.sqlite", "outbox.sqlite-wal"):
            shutil.copy(self.folder / name, after)
        self.run(self.close())
        shutil.rmtree(self.folder)
        self.folder = after
        self.run(self.open())
        assert self.outbox.findings == ()

    @invariant()
    def the_law_of_the_ledger_holds(self) -> None:
        if self.opening is None:
            return
        for kind, found in self.outbox.ledger().items():
            assert found.balanced, (kind, found)
            assert set(found.dropped) <= MAY_DROP[kind] | ASKED_FOR
            assert found.waiting_bytes <= QUOTAS[kind].bytes_max
            assert (found.oldest_at_ms is None) == (not found.waiting)
        assert self.outbox.waiting(EXACT) == len(self.exact)
        cursors = self.run(self.outbox.cursors(""))
        assert cursors == ({"c": str(self.cursor)} if self.cursor else {})

    def teardown(self) -> None:
        if self.opening is not None:
            self.run(self.close())
        self.runner.close()
        shutil.rmtree(self.folder)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
assert set(QUOTAS) == EVERYTHING
