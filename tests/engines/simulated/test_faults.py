"""Faults to order: nothing done, done unheard, half done, late; and the engine away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from iotistic.engines.simulated import Fault, FaultKind, Latencies, SimulatedImage
from iotistic.model.errors import EngineUnavailable, IotisticError, NotFound, Refused
from iotistic.model.words import ContainerState
from tests.agent.virtual_clock import VirtualClock
from tests.engines.builders import Progress, image, network, request
from tests.engines.simulated.worlds import UUID, engine_with, running, the


async def test_a_failed_call_has_done_nothing() -> None:
    engine = await engine_with(VirtualClock())
    engine.faults.order(Fault(call="create_container", times=2))

    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await engine.create_container(request(UUID))
        assert await engine.containers() == ()

    assert await engine.create_container(request(UUID))
    assert engine.calls["create_container"] == 3


async def test_a_lost_reply_has_done_it_and_the_next_call_finds_that() -> None:
    engine = await engine_with(VirtualClock())
    engine.faults.order(Fault(call="create_container", kind=FaultKind.LOSE_REPLY))

    with pytest.raises(EngineUnavailable):
        await engine.create_container(request(UUID))

    (seen,) = await engine.containers()
    assert await engine.create_container(request(UUID)) == seen.id


async def test_a_container_may_be_only_half_joined() -> None:
    engine = await engine_with(VirtualClock())
    names = []
    for short_name in ("a", "b"):
        made = network(UUID, short_name)
        name = made.name
        await engine.create_network(made)
        names.append(name)
    engine.faults.order(Fault(call="create_container", kind=FaultKind.HALF_DO))

    with pytest.raises(EngineUnavailable):
        await engine.create_container(request(UUID, networks=tuple(names)))

    assert (await engine.containers())[0].networks == (names[0],)


async def test_a_restart_may_only_stop() -> None:
    engine = await engine_with(VirtualClock())
    container_id = await running(engine)
    engine.faults.order(Fault(call="restart", kind=FaultKind.HALF_DO))

    with pytest.raises(EngineUnavailable):
        await engine.restart(container_id, grace_s=1, seen_start=None)

    assert (await the(engine, container_id)).state is ContainerState.EXITED


async def test_half_a_pull_brings_no_image() -> None:
    engine = await engine_with(VirtualClock())
    engine.faults.order(Fault(call="pull", kind=FaultKind.HALF_DO, code="registry-unavailable"))
    progress = Progress()

    with pytest.raises(EngineUnavailable):
        await engine.pull(image("web:1"), progress)

    assert progress.seen[-1].done_bytes == progress.seen[-1].total_bytes // 2
    assert len((await engine.resources()).images) == 1


async def test_a_half_removed_container_is_dead_and_can_be_removed() -> None:
    engine = await engine_with(VirtualClock())
    container_id = await engine.create_container(request(UUID))
    engine.faults.order(Fault(call="remove", kind=FaultKind.HALF_DO))

    with pytest.raises(EngineUnavailable):
        await engine.remove(container_id)
    assert (await the(engine, container_id)).state is ContainerState.DEAD
    await engine.remove(container_id)

    assert await engine.containers() == ()


async def test_a_half_removed_image_has_lost_a_name_and_can_be_removed() -> None:
    engine = await engine_with(VirtualClock())
    (before,) = (await engine.resources()).images
    engine.faults.order(Fault(call="remove_image", kind=FaultKind.HALF_DO))

    with pytest.raises(EngineUnavailable):
        await engine.remove_image(before.id)
    (half,) = (await engine.resources()).images
    await engine.remove_image(before.id)

    assert len(half.references) == len(before.references) - 1
    assert (await engine.resources()).images == ()


@pytest.mark.parametrize("call", ["inspect", "space", "rename", "remove_image"])
@pytest.mark.parametrize("kind", [FaultKind.FAIL, FaultKind.LOSE_REPLY, FaultKind.HALF_DO])
async def test_every_call_can_go_wrong_and_be_made_again(call: str, kind: FaultKind) -> None:
    engine = await engine_with(VirtualClock(), SimulatedImage(reference="iotistic-test/web:1"))
    container_id = await engine.create_container(request(UUID))
    unused = next(
        found.id
        for found in (await engine.resources()).images
        if "docker.io/iotistic-test/web:1" in found.references
    )

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "inspect": lambda: engine.inspect(container_id, request(UUID)),
        "space": engine.space,
        "rename": lambda: engine.rename(container_id, "another"),
        "remove_image": lambda: engine.remove_image(unused),
    }

    engine.faults.order(Fault(call=call, kind=kind))
    with pytest.raises(EngineUnavailable):
        await calls[call]()
    await calls[call]()

    assert engine.calls[call] == 2
    (seen,) = await engine.containers()
    assert (seen.name == "another") == (call == "rename")
    left = {found.id for found in (await engine.resources()).images}
    assert (unused in left) == (call != "remove_image")


async def test_a_fault_may_be_for_one_object_only() -> None:
    engine = await engine_with(VirtualClock())
    engine.faults.order(Fault(call="start", subject="_db_", code="start-failed", times=None))
    web = await running(engine, "web")

    for _ in range(3):
        with pytest.raises(Refused):
            await running(engine, "db")

    assert (await the(engine, web)).state is ContainerState.RUNNING
    engine.faults.clear()
    await running(engine, "db")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("disk-full", EngineUnavailable),
        ("rate-limited", EngineUnavailable),
        ("not-found", NotFound),
        ("port-allocated", Refused),
    ],
)
async def test_an_ordered_error_is_of_its_kind(code: str, kind: type[IotisticError]) -> None:
    engine = await engine_with(VirtualClock())
    engine.faults.order(Fault(code=code))

    with pytest.raises(kind) as error:
        await engine.containers()

    assert type(error.value) is kind
    assert error.value.code == code


async def test_calls_take_the_time_they_are_told_to() -> None:
    clock = VirtualClock(sleepers=1)
    engine = await engine_with(clock, latencies=Latencies(start_s=2.0))
    container_id = await engine.create_container(request(UUID))
    engine.faults.order(Fault(call="start", kind=FaultKind.DELAY, delay_s=30.0))

    starting = asyncio.create_task(engine.start(container_id))
    await clock.settled()
    clock.sleepers = 0
    await clock.advance(31.0)
    assert not starting.done()
    await clock.advance(1.0)

    await starting
    assert (await the(engine, container_id)).state is ContainerState.RUNNING


async def test_a_call_that_is_given_up_while_it_takes_its_time_has_done_nothing() -> None:
    clock = VirtualClock(sleepers=1)
    engine = await engine_with(clock, latencies=Latencies(start_s=2.0))
    container_id = await engine.create_container(request(UUID))

    starting = asyncio.create_task(engine.start(container_id))
    await clock.settled()
    starting.cancel()
    await asyncio.wait([starting])

    assert (await the(engine, container_id)).state is ContainerState.CREATED


async def test_an_engine_that_is_away_answers_nothing_and_its_containers_run_on() -> None:
    engine = await engine_with(VirtualClock())
    container_id = await running(engine)

    await engine.outside.go_down()
    for call in (
        engine.info(),
        engine.containers(),
        engine.resources(),
        engine.started_at(container_id),
        engine.stop(container_id, grace_s=1),
        engine.pull(image("web:1"), Progress()),
    ):
        with pytest.raises(EngineUnavailable):
            await call
    await engine.outside.come_back()

    assert (await the(engine, container_id)).state is ContainerState.RUNNING
