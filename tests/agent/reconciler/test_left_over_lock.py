"""A service that ended cannot let go of its lock, so the lock ends with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.runtime_folder import UPDATE_LOCK, control_folder
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import Device, device_uuid, running_device, service, target

OLD = target(service("till", update_lock=True), service("web"), version=1)
NEW = target(service("till", update_lock=True), service("web", environment={"NEW": "1"}), version=2)


@pytest.mark.parametrize("removed", [False, True], ids=["ended", "removed"])
async def test_the_lock_of_a_service_that_is_gone_holds_nothing_off(
    tmp_path: Path, *, removed: bool
) -> None:
    uuid = await device_uuid(tmp_path)
    engine = SimulatedEngine(uuid, FastClock())
    lock = Path(control_folder(str(tmp_path / "run"), uuid, 1001, "till")) / UPDATE_LOCK
    async with running_device(tmp_path, engine) as device:
        await device.offer(OLD)
        await device.settled()
        before = await device.containers()
        lock.write_text("a payment is under way")
        await device.offer(NEW)
        await device.until(lambda: is_locked(device))
        assert await device.containers() == before

        await engine.outside.kill(before["till"].id)
        if removed:
            await engine.remove(before["till"].id)
        await device.settled()

        after = await device.containers()
        assert after["web"].id != before["web"].id
        assert not lock.exists()


async def test_a_lock_of_ours_that_a_killed_agent_left_is_let_go_of(tmp_path: Path) -> None:
    """Killed between the file and the entry in the store, which no later update needs."""
    uuid = await device_uuid(tmp_path)
    engine = SimulatedEngine(uuid, FastClock())
    lock = Path(control_folder(str(tmp_path / "run"), uuid, 1001, "till")) / UPDATE_LOCK
    async with running_device(tmp_path, engine) as device:
        await device.offer(OLD)
        await device.settled()
    assert await RuntimeFolders(tmp_path / "run", uuid, FastClock()).take(1001) is None
    assert lock.exists()

    async with running_device(tmp_path, engine) as device:
        await device.until(lambda: device.snapshot.rounds > 0)
        assert not lock.exists()


def is_locked(device: Device) -> bool:
    return any(wait.reason == "locked" for wait in device.snapshot.plan.waits)
