"""The power is cut at any call of a real day, and the real code opens what is left."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from iotistic.agent.outbox import Outbox
from iotistic.model.records import RecordClass
from tests.agent.outbox.builders import EVERYTHING, opened
from tests.agent.power_cuts import Call, Cut, NoTracer, cuts, record

NORMAL = 200
LONG = 10_000
# Has room for everything: nothing of it may be dropped.
KEPT = RecordClass.ANOMALY

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Call]:
    scratch = tmp_path_factory.mktemp("day")
    folder = scratch / "state"
    folder.mkdir()
    program = [sys.executable, "-m", "tests.agent.outbox.power_program", str(folder)]
    try:
        return record(program, folder, scratch)
    except NoTracer as error:
        if os.environ.get("CI") == "true" or os.environ.get("IOTISTIC_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(f"cannot record system calls: {error}")


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A place where thousands of disks are made in no time."""
    folder = Path("/dev/shm") / f"iotistic-cuts-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def explore(day: Sequence[Call], folder: Path, *, number: int, disk_lies: bool = False) -> int:
    """Look at every disk; how many there were. Raises AssertionError at the first broken law."""
    seen = 0
    with asyncio.Runner() as runner:
        for seen, cut in enumerate(cuts(day, number=number, seed=7, ignore_syncs=disk_lies), 1):
            shutil.rmtree(folder / "cut", ignore_errors=True)
            cut.write(folder / "cut")
            runner.run(look(cut, folder / "cut"))
    return seen


async def look(cut: Cut, folder: Path) -> None:
    """Nothing acknowledged is lost, nothing comes twice, and the sums are right."""
    where = f"cut after call {cut.after}"
    async with opened(folder) as outbox:
        assert outbox.findings == (), where
        waiting, told = await what_waits(outbox), told_by(cut.said)
        promised = {one for one, _ in told["put"].items() if one[0] == KEPT}
        acknowledged = {one for one in promised if is_upto(one, told["asked"])}
        assert promised - acknowledged <= waiting.keys(), f"{where}: lost"
        assert not [one for one in waiting if is_upto(one, told["gone"])], f"{where}: twice"
        for one, number in told["put"].items():
            assert waiting.get(one, number) == number, f"{where}: another's content"
        for kind, found in outbox.ledger().items():
            assert found.balanced, where
            assert found.waiting == len([one for one in waiting if one[0] == kind]), where
        fresh = await outbox.put(KEPT, {"n": 0})
        assert fresh.epoch not in {epoch for _, epoch, _ in (*waiting, *told["put"])}, where


Id = tuple[str, str, int]


async def what_waits(outbox: Outbox) -> dict[Id, int]:
    found: dict[Id, int] = {}
    for kind in EVERYTHING:
        batch = await outbox.take({kind}, records_max=10**6, bytes_max=10**9)
        for one in batch.records if batch else ():
            assert (kind, one.id.epoch, one.id.seq) not in found
            found[kind, one.id.epoch, one.id.seq] = one.data["n"]
    return found


def told_by(said: Sequence[str]) -> dict[str, dict[Id, int]]:
    told: dict[str, dict[Id, int]] = {"put": {}, "asked": {}, "gone": {}}
    for line in said:
        what, kind, epoch, seq, *number = line.split()
        told[what][kind, epoch, int(seq)] = int(number[0]) if number else 0
    return told


def is_upto(one: Id, watermarks: dict[Id, int]) -> bool:
    kind, epoch, seq = one
    return any(mark[:2] == (kind, epoch) and seq <= mark[2] for mark in watermarks)


def test_what_was_promised_is_there_wherever_the_power_was_cut(
    day: Sequence[Call], memory_folder: Path
) -> None:
    assert explore(day, memory_folder, number=NORMAL) == NORMAL


def test_a_disk_that_does_not_sync_is_found_out(day: Sequence[Call], memory_folder: Path) -> None:
    with pytest.raises(AssertionError, match="cut after call"):
        explore(day, memory_folder, number=NORMAL, disk_lies=True)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_power_cuts(day: Sequence[Call], memory_folder: Path) -> None:
    assert explore(day, memory_folder, number=LONG) == LONG
