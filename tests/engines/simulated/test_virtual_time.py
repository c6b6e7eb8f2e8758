"""What happens by itself happens at its own time, however far the clock jumps."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from iotistic.engines.simulated import SimulatedEngine, SimulatedImage
from iotistic.model.service import RestartName
from iotistic.model.words import ContainerState
from tests.agent.virtual_clock import VirtualClock
from tests.engines.simulated.worlds import UUID, engine_with, running, the

CRASHES = SimulatedImage(reference="crash:1", exits_after_s=1.0, exit_code=3)
STEADY = SimulatedImage(reference="steady:1", exits_after_s=20.0, exit_code=1)
DONE = SimulatedImage(reference="done:1", exits_after_s=1.0, exit_code=0)


async def test_a_crash_loop_is_slowed_down_by_the_engine() -> None:
    clock = VirtualClock()
    engine = await engine_with(clock, CRASHES)
    container_id = await running(engine, reference="crash:1")
    first = await engine.started_at(container_id)

    await clock.advance(1.05)
    seen = await the(engine, container_id)
    assert (seen.state, seen.exit_code) == (ContainerState.RESTARTING, 3)
    await clock.advance(0.1)
    assert (await the(engine, container_id)).state is ContainerState.RUNNING
    assert await engine.started_at(container_id) != first
    await clock.advance(1.0 + 0.1)  # the next wait is 0.2 s
    assert (await the(engine, container_id)).state is ContainerState.RESTARTING


async def test_a_program_that_ran_well_for_a_while_is_restarted_at_once_again() -> None:
    clock = VirtualClock()
    engine = await engine_with(clock, STEADY)
    container_id = await running(engine, reference="steady:1")

    for _ in range(10):
        await clock.advance(20.15)
        assert (await the(engine, container_id)).state is ContainerState.RUNNING


@pytest.mark.parametrize(
    ("reference", "restart", "retries_max", "state"),
    [
        ("crash:1", RestartName.NO, 0, ContainerState.EXITED),
        ("crash:1", RestartName.ON_FAILURE, 3, ContainerState.EXITED),
        ("done:1", RestartName.ON_FAILURE, 0, ContainerState.EXITED),
        ("crash:1", RestartName.ON_FAILURE, 0, ContainerState.RESTARTING),
        ("done:1", RestartName.ALWAYS, 0, ContainerState.RESTARTING),
    ],
)
async def test_policies_after_an_hour(
    reference: str, restart: RestartName, retries_max: int, state: ContainerState
) -> None:
    clock = VirtualClock()
    engine = await engine_with(clock, CRASHES, DONE)
    container_id = await running(
        engine, reference=reference, restart=restart, retries_max=retries_max
    )

    await clock.advance(3600.0)

    seen = await the(engine, container_id)
    assert seen.state is state
    assert seen.exit_code == (3 if reference == "crash:1" else 0)


async def test_a_paused_program_does_not_end() -> None:
    clock = VirtualClock()
    engine = await engine_with(clock, DONE)
    container_id = await running(engine, reference="done:1", restart=RestartName.NO)
    await clock.advance(0.5)
    await engine.pause(container_id)

    await clock.advance(100.0)
    assert (await the(engine, container_id)).state is ContainerState.PAUSED
    await engine.unpause(container_id)
    await clock.advance(0.4)
    assert (await the(engine, container_id)).state is ContainerState.RUNNING
    await clock.advance(0.2)
    assert (await the(engine, container_id)).state is ContainerState.EXITED


async def test_events_come_when_things_happen_and_not_before() -> None:
    clock = VirtualClock(sleepers=1)
    engine = await engine_with(clock, DONE)
    heard: dict[str, float] = {}

    async def listen() -> None:
        async with aclosing(engine.events()) as events:
            async for event in events:
                heard[event.action] = round(clock.now_s() - start_s, 3)

    start_s = clock.now_s()
    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await running(engine, reference="done:1", restart=RestartName.ON_FAILURE)
    await clock.settled()
    clock.sleepers = 0  # nothing more will be due
    await clock.advance(10.0)
    listening.cancel()

    assert heard == {"create": 0.0, "start": 0.0, "die": 1.0}


async def test_a_boot_of_the_host_ends_all_and_policies_bring_back() -> None:
    clock = VirtualClock()
    engine = await engine_with(clock)
    kept = await running(engine, "kept")
    left = await running(engine, "left", restart=RestartName.NO)
    before = await engine.started_at(kept)

    clock.boot_id = "boot-2"

    assert (await the(engine, kept)).state is ContainerState.RUNNING
    assert (await the(engine, left)).state is ContainerState.EXITED
    assert await engine.started_at(kept) != before


async def test_what_is_published_can_be_pulled_and_what_is_withdrawn_cannot() -> None:
    engine = SimulatedEngine(UUID, VirtualClock())
    old = SimulatedImage(reference="web:1", content="old")
    new = SimulatedImage(reference="web:1", content="new")

    await engine.outside.load_image(old)
    await engine.outside.load_image(new)

    images = {seen.id: seen.references for seen in (await engine.resources()).images}
    assert "docker.io/library/web:1" in images[new.id]
    assert "docker.io/library/web:1" not in images[old.id]
    await engine.outside.remove_image("docker.io/library/web:1")
    assert [seen.id for seen in (await engine.resources()).images] == [old.id]
