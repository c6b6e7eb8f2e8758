"""What the wall clock is worth: not set, far ahead, gone back, kept right by somebody."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from iotistic.agent.logs import AgentLogger, LogBook
from iotistic.agent.wall_clock import (
    BUILT_MS,
    FUTURE_MS,
    LAST_TIME_FILE,
    SLACK_MS,
    WRITE_EVERY_S,
    YEAR_MS,
    WallClock,
    day,
    implausible,
    last_time,
)
from tests.agent.virtual_clock import VirtualClock

NOW_MS = 1_760_000_000_000


class Device:
    """A device whose wall clock, time client and restarts a test decides about."""

    def __init__(self, folder: Path, wall_ms: int = NOW_MS) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.set(wall_ms)
        self.synced = False
        self.start(None)

    def set(self, wall_ms: int) -> None:
        self.clock.wall_offset_ms = wall_ms - int(self.clock.now_s() * 1000)

    def start(self, last_ms: int | None) -> None:
        self.found = WallClock(
            clock=self.clock,
            synced=lambda: self.synced,
            folder=self.folder,
            last_ms=last_ms,
            log=self.log(),
        )

    async def restart(self) -> None:
        self.start(await asyncio.to_thread(last_time, self.folder))

    def log(self) -> AgentLogger:
        return LogBook(self.clock, output=io.StringIO()).logger()

    def code(self) -> str | None:
        return self.found.problem.code if self.found.problem else None


@pytest.mark.parametrize(
    ("wall_ms", "last_ms", "part"),
    [
        pytest.param(0, None, "not set", id="1970"),
        pytest.param(-YEAR_MS * 3000, None, "not set", id="no date at all"),
        pytest.param(BUILT_MS - 1, None, "not set", id="before this version was made"),
        pytest.param(BUILT_MS, None, None, id="when it was made"),
        pytest.param(FUTURE_MS, None, None, id="in twenty years"),
        pytest.param(FUTURE_MS + 1, None, "far ahead", id="after that"),
        pytest.param(2**62, None, "far ahead", id="beyond every calendar"),
        pytest.param(NOW_MS - SLACK_MS, NOW_MS, None, id="a little back"),
        pytest.param(NOW_MS - SLACK_MS - 1, NOW_MS, "went back", id="behind what was already"),
    ],
)
def test_which_times_cannot_be(wall_ms: int, last_ms: int | None, part: str | None) -> None:
    problem = implausible(wall_ms, last_ms=last_ms)

    assert (problem is None) == (part is None)
    if problem is not None:
        assert part is not None
        assert part in problem.message
        assert day(wall_ms) in problem.message
        assert problem.code == "clock-implausible"
        assert problem.remedy


async def test_a_clock_that_lost_its_battery_is_noticed_by_the_time_written_earlier(
    tmp_path: Path,
) -> None:
    device = Device(tmp_path)
    await device.found.look()
    device.set(BUILT_MS + 1000)
    await device.restart()
    await device.found.look()
    await device.restart()

    assert device.code() == "clock-implausible", "also after another start with the wrong time"
    assert device.found.in_doubt


async def test_what_a_time_client_set_is_believed_against_what_was_written(tmp_path: Path) -> None:
    # given a device that was far ahead once, and wrote that down
    device = Device(tmp_path, NOW_MS + 5 * YEAR_MS)
    await device.found.look()
    device.set(NOW_MS)
    await device.restart()
    assert device.code() == "clock-implausible"

    device.synced = True
    await device.restart()
    await device.found.look()
    assert device.code() is None
    assert not device.found.in_doubt

    device.synced = False
    await device.restart()
    assert device.code() is None, "the right time is what is written now"


@pytest.mark.parametrize("content", [b"", b"x", b"12", b"9" * 31, b"9" * 500, b"-1", "²".encode()])
def test_a_broken_note_is_no_floor(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LAST_TIME_FILE).write_bytes(content)

    assert last_time(tmp_path) is None


async def test_it_is_written_seldom_and_never_by_a_clock_that_is_wrong(tmp_path: Path) -> None:
    device = Device(tmp_path)
    note = tmp_path / LAST_TIME_FILE
    await device.found.look()
    first = note.read_bytes()
    device.clock._now_s += WRITE_EVERY_S - 1
    await device.found.look()
    assert note.read_bytes() == first
    device.clock._now_s += 1
    await device.found.look()
    assert int(note.read_bytes()) == device.clock.wall_ms()

    device.set(0)
    device.clock._now_s += WRITE_EVERY_S
    before = note.read_bytes()
    await device.found.look()
    assert note.read_bytes() == before


async def test_a_folder_that_takes_no_file_stops_nothing(tmp_path: Path) -> None:
    device = Device(tmp_path / "not" / "here")

    await device.found.look()

    assert device.code() is None


def test_a_clock_nobody_keeps_is_in_doubt_but_no_problem(tmp_path: Path) -> None:
    device = Device(tmp_path)

    assert device.code() is None
    assert device.found.in_doubt
