"""Images and containers that a power cut left incomplete are mended, or told of."""

from __future__ import annotations

from pathlib import Path

from iotistic.engines.simulated import SimulatedEngine
from iotistic.engines.simulated.faults import Fault
from iotistic.model.words import ContainerState
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import Device, device_uuid, running_device, service, target


async def _engine(folder: Path) -> SimulatedEngine:
    return SimulatedEngine(await device_uuid(folder), FastClock())


def _runs(device: Device, *names: str) -> bool:
    states = {c.service_name: c.state for c in device.snapshot.containers}
    return all(states.get(name) is ContainerState.RUNNING for name in names)


async def test_a_container_that_can_never_start_is_made_anew(tmp_path: Path) -> None:
    engine = await _engine(tmp_path)
    engine.faults.order(Fault(call="start", code="layers-missing", subject="web"))
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web", volumes=["data:/d"]), service("db")))
        await device.settled()
        assert (await engine.resources()).volumes
    assert engine.calls["create_container"] == 3
    assert engine.calls["remove"] == 1
    assert engine.calls["remove_volume"] == 0


async def test_an_image_with_missing_layers_is_pulled_again(tmp_path: Path) -> None:
    engine = await _engine(tmp_path)
    engine.faults.order(Fault(call="create_container", code="layers-missing", subject="web"))
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web"), service("db", image="db:1")))
        await device.settled()
    assert engine.calls["pull"] == 3
    assert engine.calls["remove_image"] == 0


async def test_where_a_pull_is_not_enough_the_image_goes_first(tmp_path: Path) -> None:
    engine = await _engine(tmp_path)
    engine.faults.order(
        Fault(call="create_container", code="layers-missing", subject="web", times=3)
    )
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web")))
        await device.settled()
    assert engine.calls["pull"] >= 3
    assert engine.calls["remove_image"] == 1


async def test_what_cannot_be_mended_is_told_and_not_pulled_for_ever(tmp_path: Path) -> None:
    engine = await _engine(tmp_path)
    engine.faults.order(
        Fault(call="create_container", code="layers-missing", subject="web", times=None)
    )
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web"), service("db", image="db:1")))

        def given_up() -> bool:
            return any(
                a.code == "layers-missing" and a.count >= 4 for a in device.snapshot.attempts
            )

        await device.until(given_up)
        assert _runs(device, "db")
    assert engine.calls["pull"] <= 5
    assert engine.calls["remove_volume"] == 0
