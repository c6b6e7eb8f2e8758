"""A day of an outbox, or days for ever, to be cut off. Says what it was promised, when it was.

put CLASS EPOCH SEQ N    the record is on the disk
asked CLASS EPOCH SEQ    it is about to be acknowledged
gone CLASS EPOCH SEQ     it was acknowledged, up to that one
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from iotistic.agent.clock import SystemClock
from iotistic.agent.outbox import DropReason, Outbox, Overflow, Quota, outbox_file
from iotistic.model.records import RecordClass
from tests.agent.outbox.builders import DAY_S, opened
from tests.agent.power_cuts import SAID

QUOTAS = {
    RecordClass.LOG: Quota(bytes_max=20_000, age_max_s=DAY_S, overflow=Overflow.DROP_OLDEST),
    RecordClass.METRIC: Quota(bytes_max=20_000, age_max_s=DAY_S, overflow=Overflow.SAMPLE),
}


class Day:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.said = os.open(folder.parent / SAID, flags, 0o600)
        self.number = 0

    def say(self, *words: object) -> None:
        os.write(self.said, (" ".join(map(str, words)) + "\n").encode())

    async def put(self, outbox: Outbox, kind: RecordClass, many: int) -> None:
        for _ in range(many):
            self.number += 1
            number = self.number
            put = await outbox.put(kind, {"n": number, "text": "x" * (number * 37 % 400)})
            self.say("put", kind, put.epoch, put.seq, number)

    async def deliver(self, outbox: Outbox, kind: RecordClass, many: int) -> None:
        batch = await outbox.take({kind}, records_max=many, bytes_max=10**6)
        if batch is None:
            return
        watermarks = {record.id.epoch: record.id.seq for record in batch.records}
        for epoch, seq in watermarks.items():
            self.say("asked", kind, epoch, seq)
        await outbox.acknowledge(kind, watermarks)
        for epoch, seq in watermarks.items():
            self.say("gone", kind, epoch, seq)

    async def live(self) -> None:
        for turn in range(3):
            async with opened(self.folder, SystemClock(), quotas=QUOTAS) as outbox:
                for _ in range(4):
                    await asyncio.gather(
                        *(self.put(outbox, RecordClass.ANOMALY, 6) for _ in range(3)),
                        *(self.put(outbox, RecordClass.LOG, 8) for _ in range(3)),
                        self.put(outbox, RecordClass.METRIC, 12),
                        self.deliver(outbox, RecordClass.ANOMALY, 20),
                        self.deliver(outbox, RecordClass.LOG, 5),
                    )
                    outbox.offer(RecordClass.METRIC, {"n": -1})
                if turn == 1:
                    await outbox.clear(RecordClass.METRIC, DropReason.CLEARED)
                await self.deliver(outbox, RecordClass.ANOMALY, 50)


if __name__ == "__main__":
    # Often, so that a short day has many: that is where a log could be lost.
    outbox_file.LOG_PAGES_MAX = 24
    day = Day(Path(sys.argv[1]))
    asyncio.run(day.live())
    while "for-ever" in sys.argv:
        asyncio.run(day.live())
