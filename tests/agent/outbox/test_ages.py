"""How old records are where nobody knows what time it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.outbox import DropReason, Outbox
from iotistic.model.records import RecordClass
from tests.agent.outbox.builders import DAY_S, all_waiting, only_for, opened
from tests.agent.virtual_clock import VirtualClock

LOG = RecordClass.LOG
KEPT_DAYS = only_for(LOG, age_max_s=3 * DAY_S)
DAY_MS = int(DAY_S * 1000)


class Device:
    """One device whose clocks the test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.number = 0

    async def run(self, days: float, *, wall_days: float | None = None, synced: bool = True) -> int:
        """A start, a record, and `days` of running; how many records wait then."""
        async with opened(self.folder, self.clock, quotas=KEPT_DAYS, synced=synced) as outbox:
            await self._put(outbox)
            await self.clock.advance(days * DAY_S)
            if wall_days is not None:
                self.clock.wall_offset_ms += int(wall_days * DAY_MS)
            await outbox.forget_cursors(())  # whatever is asked, ages are looked at
            return outbox.waiting(LOG)

    async def _put(self, outbox: Outbox) -> None:
        self.number += 1
        await outbox.put(LOG, {"n": self.number})

    def reboot(self, *, off_days: float) -> None:
        """The boot clock starts anew; the wall clock went on."""
        boot = int(self.clock.boot_id.removeprefix("boot-")) + 1
        wall_ms = self.clock.wall_ms() + int(off_days * DAY_MS)
        self.clock = VirtualClock()
        self.clock.boot_id = f"boot-{boot}"
        self.clock.wall_offset_ms += wall_ms - self.clock.wall_ms()


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


async def test_what_waited_too_long_goes_and_is_counted(device: Device) -> None:
    assert await device.run(2.9) == 1
    assert await device.run(0.2) == 1  # the first is three days old, and went; the second waits

    async with opened(device.folder, device.clock, quotas=KEPT_DAYS) as outbox:
        assert await all_waiting(outbox, LOG) == [{"n": 2}]
        assert outbox.ledger()[LOG].dropped == {DropReason.AGE: 1}


async def test_a_wall_clock_that_jumps_makes_nothing_old(device: Device) -> None:
    assert await device.run(1, wall_days=365 * 64) == 1
    device.reboot(off_days=0)
    assert await device.run(1, wall_days=-365 * 80) == 2


async def test_being_switched_off_counts_between_two_right_times(device: Device) -> None:
    await device.run(1)
    device.reboot(off_days=1.5)
    assert await device.run(0.6) == 1


async def test_being_switched_off_does_not_count_where_the_clock_is_not_known_to_be_right(
    device: Device,
) -> None:
    await device.run(1)
    device.reboot(off_days=100)
    assert await device.run(0.1, synced=False) == 2
    assert await device.run(0.1, synced=True) == 2, "of the three the first was too old"


async def test_a_time_nobody_would_be_away_for_is_not_believed(device: Device) -> None:
    await device.run(1)
    device.reboot(off_days=64 * 365)
    assert await device.run(0.1) == 2


async def test_age_goes_on_over_boots_and_restarts(device: Device) -> None:
    for _ in range(3):
        await device.run(0.9, synced=False)
        device.reboot(off_days=10)
    assert await device.run(0.4, synced=False) == 3
