"""An engine that answers nonsense, and a person who stops services meanwhile: the loop lives on."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.engines.simulated import SimulatedEngine
from iotistic.engines.simulated.faults import Fault
from iotistic.model.words import ContainerState
from iotistic.planner.world import Intent, IntentKind
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import Device, device_uuid, running_device, service, target


async def _engine(folder: Path) -> SimulatedEngine:
    return SimulatedEngine(await device_uuid(folder), FastClock())


def _stop(name: str) -> Intent:
    return Intent(
        kind=IntentKind.STOP, app_id=1001, service_id=name, until_release=False, purpose="", at_ms=1
    )


async def _stopped(device: Device, name: str) -> None:
    def holds() -> bool:
        seen = {c.service_name: c.state for c in device.snapshot.containers}
        return seen.get(name) is ContainerState.EXITED

    await device.until(holds)


@pytest.mark.parametrize("code", ["not-found", "conflict", "refused", "engine-unavailable"])
@pytest.mark.parametrize("call", ["containers", "resources"])
async def test_a_listing_that_is_refused_ends_nothing_and_removes_nothing(
    tmp_path: Path, call: str, code: str
) -> None:
    engine = await _engine(tmp_path)
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web"), service("db")))
        await device.settled()
        before = {name: c.id for name, c in (await device.containers()).items()}

        engine.faults.order(Fault(call=call, code=code, times=3))
        await device.reconciler.intend(_stop("web"))
        await _stopped(device, "web")

        after = {name: c.id for name, c in (await device.containers()).items()}
    assert before["db"] == after["db"]
    assert after.keys() == before.keys()
    assert engine.calls["remove"] == 0


async def test_what_is_in_the_way_of_looking_is_told_and_goes_by(tmp_path: Path) -> None:
    engine = await _engine(tmp_path)
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service()))
        await device.settled()
        engine.faults.order(Fault(call="containers", code="not-found", times=None))
        device.reconciler.wake()
        await device.until(lambda: device.snapshot.look_error is not None)
        assert [c.service_name for c in device.snapshot.containers] == ["web"]

        engine.faults.clear()
        await device.until(lambda: device.snapshot.look_error is None)

        said = [r["message"] for r in device.book.records()]
    assert said.count("no look possible") == 1
