"""Days and weeks of an ordinary life, in virtual time: nothing grows.

A real store and reconciler on a simulated engine; services die, releases come, persons lock apps.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.words import ContainerState
from iotistic.planner.world import LockOwner
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import Device, device_uuid, running_device, service, target
from tests.agent.store.builders import LOCK

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
EVENTS_A_DAY = 24
MB = 1024 * 1024
PAGE_BYTES = 4096
LOG_BYTES_MAX = 5 * MB
"""SQLite begins its write-ahead log from its start again after a thousand pages."""


@dataclass(frozen=True)
class Size:
    """What must not grow."""

    memory: int
    handles: int
    database: int
    log: int

    @classmethod
    def of(cls, folder: Path) -> Size:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        with closing(sqlite3.connect(f"file:{folder / 'device.sqlite'}?mode=ro", uri=True)) as db:
            content = db.execute("PRAGMA page_count").fetchone()[0]
        return cls(
            memory=pages * os.sysconf("SC_PAGE_SIZE"),
            handles=len(list(Path("/proc/self/fd").iterdir())),
            database=content * PAGE_BYTES,
            log=(folder / "device.sqlite-wal").stat().st_size,
        )


class Skipping(FastClock):
    """A fast clock, for which the hours without an event are over at once."""

    skipped_s = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.skipped_s


async def an_hour(device: Device, n: int) -> None:
    """Something happens every hour, and the device gets over it."""
    if n % 6 == 0:
        await device.offer(target(service(environment={"N": str(n)}), version=2 + n))
        await device.settled()
    elif n % 5 == 0:
        await device.store.locks.save(replace(LOCK, reason=f"hour {n}", until_s=None))
        await device.store.locks.remove(LOCK.app_id, LockOwner.PERSON)
    before = (await device.containers())["web"]
    await device.engine.outside.kill(before.id)
    await device.until(
        lambda: any(
            c.state is ContainerState.RUNNING and c.id != before.id
            for c in device.snapshot.containers
        )
    )


async def lives(folder: Path, *, days: int) -> tuple[Size, Size]:
    """The sizes after a third of the time, and at its end."""
    clock = Skipping(speed=500.0)
    engine = SimulatedEngine(await device_uuid(folder), clock)
    async with running_device(folder, engine, clock=clock) as device:
        await device.offer(target(service(), version=1))
        await device.settled()
        hours, settled = days * EVENTS_A_DAY, None
        for n in range(1, hours + 1):
            due_s = clock.now_s() + DAY_S / EVENTS_A_DAY
            await an_hour(device, n)
            await clock.sleep(15.0)
            clock.skipped_s += max(0.0, due_s - clock.now_s())
            if n == hours // 3:
                settled = Size.of(folder)
        assert settled is not None
        return settled, Size.of(folder)


def check_flat(early: Size, late: Size) -> None:
    assert late.handles <= early.handles + 2
    assert late.database <= early.database + 256 * 1024
    assert late.log <= LOG_BYTES_MAX
    assert late.memory <= early.memory + 8 * MB


async def test_nothing_grows_in_days(tmp_path: Path) -> None:
    check_flat(*await lives(tmp_path, days=1))


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_nothing_grows_in_a_month(tmp_path: Path) -> None:
    early, late = await lives(tmp_path, days=30)
    sys.stdout.write(f"after ten days: {early}; after thirty: {late}\n")
    check_flat(early, late)
