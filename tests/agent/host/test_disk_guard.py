"""Room on the disk: what is given up for it, in which order, and how it comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.host.disk_guard import RESERVE_FILE, DiskGuard, Spool
from iotistic.agent.host.files import DiskFull
from iotistic.agent.logs import LogBook
from tests.agent.fast_clock import FastClock

MB = 1024 * 1024
RESERVE_BYTES = 4 * MB


class Disk:
    """As full as the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.free = 100 * MB
        self.book = LogBook(FastClock())
        self.told = 0
        self.dropped: list[str] = []
        self.guard = self.new_guard()

    def new_guard(self, reserve_bytes: int = RESERVE_BYTES) -> DiskGuard:
        guard = DiskGuard(
            self.folder,
            reserve_bytes=reserve_bytes,
            log=self.book.logger(),
            free=lambda _: self.free,
        )
        guard.on_change = self.changed
        return guard

    def changed(self) -> None:
        self.told += 1

    @property
    def reserve(self) -> Path:
        return self.folder / RESERVE_FILE

    def codes(self) -> list[str]:
        return [warning.code for warning in self.guard.warnings()]

    def lines(self) -> list[str]:
        return [record["message"] for record in self.book.records()]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


async def test_with_plenty_of_room_the_reserve_is_of_real_blocks(disk: Disk) -> None:
    await disk.guard.look()
    found = disk.reserve.stat()
    assert found.st_size == RESERVE_BYTES
    assert found.st_blocks * 512 >= RESERVE_BYTES
    assert found.st_mode & 0o777 == 0o600
    assert not disk.guard.is_tight
    assert disk.codes() == []


async def test_the_reserve_goes_first_then_the_spools_in_their_order(disk: Disk) -> None:
    left = {"log": 3, "metric": 0, "event": 2}

    def spool(name: str) -> Spool:
        async def drop() -> int:
            dropped, left[name] = left[name], 0
            if dropped:
                disk.dropped.append(name)
            return dropped

        return drop

    disk.guard.spools = [spool(name) for name in left]
    await disk.guard.look()

    assert await disk.guard.make_room()
    assert (disk.reserve.exists(), disk.dropped) == (False, [])
    assert disk.codes() == ["disk-low"]
    assert await disk.guard.make_room()
    assert disk.dropped == ["log"]
    assert await disk.guard.make_room()
    assert disk.dropped == ["log", "event"]
    assert not await disk.guard.make_room()


async def test_the_way_back_needs_nobody(disk: Disk) -> None:
    await disk.guard.look()
    disk.free = 0
    await disk.guard.make_room()
    disk.guard.told(DiskFull(disk.folder))
    assert disk.codes() == ["disk-full"]
    assert disk.guard.is_tight

    disk.free = 2 * RESERVE_BYTES - 1  # room, but not for a reserve and as much again
    disk.guard.told(None)
    await disk.guard.look()
    assert disk.codes() == ["disk-low"]
    assert not disk.reserve.exists()

    disk.free = 2 * RESERVE_BYTES
    await disk.guard.look()
    assert disk.reserve.exists()
    assert disk.codes() == []
    assert not disk.guard.is_tight


async def test_each_change_is_said_once(disk: Disk) -> None:
    await disk.guard.look()
    disk.free = 0
    await disk.guard.make_room()
    for _ in range(5):
        disk.guard.told(DiskFull(disk.folder))
        await disk.guard.look()
    disk.free = 100 * MB
    for _ in range(5):
        disk.guard.told(None)
        await disk.guard.look()
    assert disk.lines() == [
        "disk full: the reserve is given up",
        "the state cannot be written",
        "the state can be written again",
        "there is room on the disk again",
    ]
    assert disk.told == 4


async def test_little_room_is_a_warning_before_anything_is_lost(disk: Disk) -> None:
    await disk.guard.look()
    disk.free = RESERVE_BYTES - 1
    await disk.guard.look()
    assert disk.codes() == ["disk-low"]
    assert disk.reserve.exists()
    assert not disk.guard.is_tight


async def test_a_reserve_of_an_earlier_start_counts_and_another_size_is_made_anew(
    disk: Disk,
) -> None:
    await disk.guard.look()
    made = disk.reserve.stat().st_ino
    disk.guard = disk.new_guard()
    await disk.guard.look()
    assert disk.reserve.stat().st_ino == made
    disk.guard = disk.new_guard(2 * MB)
    await disk.guard.look()
    assert disk.reserve.stat().st_size == 2 * MB


async def test_no_reserve_is_wanted_where_it_is_set_to_nothing(disk: Disk) -> None:
    await disk.guard.look()
    disk.guard = disk.new_guard(0)
    await disk.guard.look()
    assert not disk.reserve.exists()
    assert not disk.guard.is_tight
    assert not await disk.guard.make_room()
