"""The power is cut at any call of a real day, and the real code opens what is left."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.agent.outbox.promises import look
from tests.agent.power_cuts import Call, NoTracer, cuts, record

NORMAL = 200
LONG = 10_000
MEMORY = Path("/dev") / "shm"

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
    folder = MEMORY / f"iotistic-cuts-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def explore(day: Sequence[Call], folder: Path, *, number: int) -> int:
    """Look at every disk; how many there were. Raises AssertionError at the first broken law."""
    seen = 0
    with asyncio.Runner() as runner:
        for cut in cuts(day, number=number, seed=7):
            seen += 1
            shutil.rmtree(folder / "cut", ignore_errors=True)
            cut.write(folder / "cut")
            runner.run(look(folder / "cut", cut.said, f"cut after call {cut.after}"))
    return seen


def test_what_was_promised_is_there_wherever_the_power_was_cut(
    day: Sequence[Call], memory_folder: Path
) -> None:
    assert explore(day, memory_folder, number=NORMAL) == NORMAL


@pytest.mark.parametrize("file", ["outbox.sqlite-wal", "outbox.sqlite", ""])
def test_a_disk_that_does_not_sync_is_found_out(
    day: Sequence[Call], memory_folder: Path, file: str
) -> None:
    kind = "sync" if file else "sync-folder"
    lying = [call for call in day if (call.kind, call.name) != (kind, file)]

    with pytest.raises(AssertionError, match="cut after call"):
        explore(lying, memory_folder, number=2000)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_power_cuts(day: Sequence[Call], memory_folder: Path) -> None:
    assert explore(day, memory_folder, number=LONG) == LONG
