"""What `power_program` was promised, compared with what is there after it was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iotistic.agent.outbox import Outbox
from iotistic.model.records import RecordClass
from tests.agent.outbox.builders import EVERYTHING, opened

KEPT = RecordClass.ANOMALY
"""Has room for everything: nothing of it may be dropped."""
Id = tuple[str, str, int]
Run = tuple[str, str]
"""Class and epoch."""


async def look(folder: Path, said: Sequence[str], where: str) -> None:
    """Nothing acknowledged is lost, nothing comes twice, and the sums are right."""
    async with opened(folder) as outbox:
        assert outbox.findings == (), where
        waiting, told = await what_waits(outbox), Told.by(said)
        promised = {one for one in told.put if one[0] == KEPT}
        acknowledged = {one for one in promised if is_upto(one, told.asked)}
        assert promised - acknowledged <= waiting.keys(), f"{where}: lost"
        assert not [one for one in waiting if is_upto(one, told.gone)], f"{where}: twice"
        for one, number in told.put.items():
            assert waiting.get(one, number) == number, f"{where}: another's content"
        for kind, found in outbox.ledger().items():
            assert found.balanced, where
            assert found.waiting == len([one for one in waiting if one[0] == kind]), where
        fresh = await outbox.put(KEPT, {"n": 0})
        assert fresh.epoch not in {epoch for _, epoch, _ in (*waiting, *told.put)}, where


async def what_waits(outbox: Outbox) -> dict[Id, int]:
    found: dict[Id, int] = {}
    for kind in EVERYTHING:
        batch = await outbox.take({kind}, records_max=10**6, bytes_max=10**9)
        for one in batch.records if batch else ():
            assert (kind, one.id.epoch, one.id.seq) not in found
            found[kind, one.id.epoch, one.id.seq] = one.data["n"]
    return found


@dataclass(slots=True)
class Told:
    """What the program said."""

    put: dict[Id, int]
    asked: dict[Run, int]
    gone: dict[Run, int]

    @classmethod
    def by(cls, said: Sequence[str]) -> Told:
        told = cls({}, {}, {})
        for line in said:
            what, kind, epoch, seq, *number = line.split()
            if what == "put":
                told.put[kind, epoch, int(seq)] = int(number[0])
            else:
                marks = told.asked if what == "asked" else told.gone
                marks[kind, epoch] = max(int(seq), marks.get((kind, epoch), 0))
        return told


def is_upto(one: Id, marks: dict[Run, int]) -> bool:
    return one[2] <= marks.get(one[:2], 0)
