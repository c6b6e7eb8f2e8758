"""The state folder while the agent is at work: full, read-only, damaged, and back again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from iotistic.agent.host.disk_guard import DiskGuard
from iotistic.agent.host.files import DiskFull
from iotistic.agent.logs import LogBook
from iotistic.agent.storage import CHECK_EVERY_S, TOLD_FOR_S, Storage
from iotistic.agent.store.errors import StorageReadOnly
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.agent.store.store import Store
from tests.agent.fast_clock import FastClock
from tests.agent.store.builders import LOCK, MACHINE, STOP, crypto, database_in, target

ENTRY = JournalEntry(at_ms=1, app_id=1001, event=JournalEvent.LOCKED)


class Jumping(FastClock):
    """A fast clock whose days can be skipped."""

    skipped_s = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.skipped_s


class Device:
    """A store with its guard, on a disk whose fullness is SQLite's own limit."""

    def __init__(self, folder: Path) -> None:
        self.clock = Jumping(speed=500.0)
        self.book = LogBook(self.clock)
        self.free = 10**9
        self.guard = DiskGuard(
            folder, reserve_bytes=65536, log=self.book.logger(), free=lambda _: self.free
        )
        self.storage = Storage(self.guard, clock=self.clock, rng=Random(1), log=self.book.logger())

    def codes(self) -> list[str]:
        return [warning.code for warning in self.storage.warnings()]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await self.clock.sleep(1.0)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Device, Store]]:
    database_in(folder).parent.mkdir()
    device = Device(database_in(folder).parent)
    opening = Store.open(
        database_in(folder), device.clock, crypto=crypto, machine=MACHINE,
        space=device.guard, on_found=device.storage.found,
    )  # fmt: skip
    async with opening as store:
        await store.save_target(target())
        task = asyncio.create_task(device.storage.run(store))
        await device.until(device.guard._file.exists)
        try:
            yield device, store
        finally:
            task.cancel()
            await asyncio.wait([task])


async def full(store: Store, pages: int | None) -> None:
    """As full as it is now (1), or with all the room there is (None)."""
    limit = 2**31 - 2 if pages is None else pages
    await store._database.read(lambda db: db.execute(f"PRAGMA max_page_count = {limit}").fetchall())


async def fill(store: Store) -> None:
    """Write until it is refused."""
    for n in range(1000):
        await store.change_settings({f"N{n}": "x" * 5000})


async def test_read_only_and_back_without_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as (device, store):
        await store.locks.save(LOCK)
        device.free = 0
        await full(store, 1)
        with pytest.raises(DiskFull):
            await fill(store)
        assert device.codes() == ["disk-full"]
        assert not device.guard._file.exists()
        with pytest.raises(DiskFull):
            await store.journal.add([ENTRY])  # not even tried
        assert await store.locks.all() == (LOCK,)
        assert await store.target() == target()

        device.free = 10**9
        await full(store, None)
        await device.until(lambda: not device.codes())
        await store.journal.add([ENTRY])
        assert device.guard._file.exists()


async def test_the_reserve_is_for_what_matters(tmp_path: Path) -> None:
    async with running(tmp_path) as (device, store):
        device.free = 0
        assert await device.guard.make_room()
        with pytest.raises(DiskFull):
            await store.journal.add([ENTRY])
        await store.save_intent(STOP)
        assert await store.intents() == (STOP,)
        assert device.codes() == ["disk-low"]


async def test_what_was_mended_is_told_for_a_day(tmp_path: Path) -> None:
    async with running(tmp_path) as (device, store):
        database_in(tmp_path).unlink()
        await store.save_intent(STOP)
        assert device.codes() == ["database-put-back"]
        told = [r["message"] for r in device.book.records() if r["level"] == "warn"]
        assert told == ["found in the state folder"]
        device.clock.skipped_s += TOLD_FOR_S
        assert device.codes() == []


async def test_sleeping_damage_is_found_within_a_day(tmp_path: Path) -> None:
    async with running(tmp_path) as (device, store):
        lock = replace(LOCK, until_s=None)
        await store.locks.save(lock)
        await store._database.read(lambda db: db.execute("PRAGMA wal_checkpoint(FULL)").fetchall())
        with database_in(tmp_path).open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 100_000)
        device.clock.skipped_s += CHECK_EVERY_S
        await device.until(lambda: "database-corrupt" in device.codes())
        assert await store.locks.all() == (lock,)
        assert await store.target() is not None


async def test_what_cannot_be_written_any_more_is_not_acknowledged(tmp_path: Path) -> None:
    async with running(tmp_path) as (device, store):
        await store._database.read(lambda db: db.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(StorageReadOnly):
            await store.locks.save(LOCK)
        assert device.codes() == ["storage-read-only"]
        assert await store.locks.all() == ()
        await store._database.read(lambda db: db.execute("PRAGMA query_only = OFF").fetchall())
        await device.until(lambda: not device.codes())
        await store.locks.save(LOCK)


async def test_on_a_full_disk_the_agent_waits_for_room_to_start(tmp_path: Path) -> None:
    device, tries = Device(tmp_path), 0

    @asynccontextmanager
    async def opening() -> AsyncIterator[str]:
        nonlocal tries
        tries += 1
        if tries < 5:
            raise DiskFull(tmp_path)
        yield "opened"

    async with AsyncExitStack() as stack:
        assert await device.storage.open(stack, opening) == "opened"
    assert tries == 5
    told = [r["message"] for r in device.book.records()]
    assert told == ["the state cannot be written"]
