"""Somebody changes a container behind the agent's back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from iotistic.engines.protocol import EngineEvent
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import EngineUnavailable
from iotistic.model.observation import Inspected
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import Device, device_uuid, running_device, service, target


class HardOfHearing:
    """The engine as an agent sees it whose event stream breaks at once, until it `hears`."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self.hears = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def events(self) -> AsyncGenerator[EngineEvent, None]:
        if not self.hears:
            raise EngineUnavailable("the stream broke off")
        async for event in self._engine.events():
            yield event


async def changed_and_taken_back(device: Device, engine: SimulatedEngine) -> list[str]:
    """Change what the target sets, wait until it is so again; the fields that were told."""
    before = (await device.containers())["web"]
    await engine.outside.update(before.id, cpu_shares=512)
    while (found := (await device.containers()).get("web")) is None or found.id == before.id:
        await device.changed.wait()
        device.changed.clear()
    await device.until(lambda: device.snapshot.plan.settled)
    entries = await device.store.journal.of(1001)
    told: list[Any] = [
        e.detail.get("differences") for e in entries if e.detail.get("step") == "stop"
    ]
    return [difference["field"] for differences in told for difference in differences]


async def test_a_changed_field_that_the_target_sets_is_taken_back_and_told(tmp_path: Path) -> None:
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web", cpu_shares=256)))
        await device.settled()

        assert await changed_and_taken_back(device, engine) == ["cpu_shares"]


async def test_what_happened_while_nobody_listened_is_seen_when_somebody_does(
    tmp_path: Path,
) -> None:
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())
    through: Any = HardOfHearing(engine)
    async with running_device(tmp_path, engine, through=through) as device:
        await device.offer(target(service("web", cpu_shares=256)))
        await device.settled()
        through.hears = True

        assert await changed_and_taken_back(device, engine) == ["cpu_shares"]


class ShortSighted:
    """The engine as an agent sees it whose close looks fail `blind` times."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self.blind = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def inspect(self, container_id: str, request: ContainerRequest) -> Inspected | None:
        if self.blind:
            self.blind -= 1
            raise EngineUnavailable("busy")
        return await self._engine.inspect(container_id, request)


async def test_a_close_look_that_failed_is_taken_again(tmp_path: Path) -> None:
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())
    through: Any = ShortSighted(engine)
    async with running_device(tmp_path, engine, through=through) as device:
        await device.offer(target(service("web", cpu_shares=256)))
        await device.settled()
        through.blind = 3

        assert await changed_and_taken_back(device, engine) == ["cpu_shares"]
        assert through.blind == 0
