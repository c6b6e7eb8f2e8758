"""What a container does: started, stopped, paused, restarted, removed, or by itself."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from iotistic.engines.protocol import Engine
from iotistic.model.errors import Conflict, NotFound, Refused
from iotistic.model.observation import Container
from iotistic.model.service import PortBinding, RestartName, RestartPolicy
from iotistic.model.words import ContainerState
from tests.engines.builders import eventually, network, request
from tests.engines.contract.sites import ONESHOT, STUBBORN, Site

GONE = "0" * 64
CREATED, RUNNING = ContainerState.CREATED, ContainerState.RUNNING
PAUSED, EXITED = ContainerState.PAUSED, ContainerState.EXITED


async def running(engine: Engine, uuid: str, service: str = "web", **spec: Any) -> str:
    container_id = await engine.create_container(request(uuid, service, **spec))
    await engine.start(container_id)
    return container_id


async def the(engine: Engine, container_id: str) -> Container:
    return next(seen for seen in await engine.containers() if seen.id == container_id)


def policy(name: RestartName, retries_max: int = 0) -> RestartPolicy:
    return RestartPolicy(name=name, retries_max=retries_max)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_starting_twice_is_starting_once(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)
    started = await engine.started_at(container_id)

    await engine.start(container_id)

    assert (await the(engine, container_id)).state is RUNNING
    assert await engine.started_at(container_id) == started


async def test_a_stop_ends_the_program_in_its_own_time(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)

    await engine.stop(container_id, grace_s=10)
    await engine.stop(container_id, grace_s=10)

    seen = await the(engine, container_id)
    assert (seen.state, seen.exit_code) == (EXITED, 0)


async def test_a_stubborn_program_is_made_to_end(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid, reference=STUBBORN)

    await engine.stop(container_id, grace_s=0.5)

    seen = await the(engine, container_id)
    assert (seen.state, seen.exit_code) == (EXITED, 137)


async def test_a_stopped_container_stays_stopped(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid, restart=policy(RestartName.ALWAYS))

    await engine.stop(container_id, grace_s=5)

    assert (await the(engine, container_id)).state is EXITED


async def test_a_container_that_never_started_can_be_stopped(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(request(uuid))

    await engine.stop(container_id, grace_s=1)

    assert (await the(engine, container_id)).state is CREATED


async def test_pausing_keeps_the_container(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)
    started = await engine.started_at(container_id)

    await engine.pause(container_id)
    await engine.pause(container_id)
    assert (await the(engine, container_id)).state is PAUSED

    await engine.unpause(container_id)
    await engine.unpause(container_id)
    assert (await the(engine, container_id)).state is RUNNING
    assert await engine.started_at(container_id) == started


async def test_a_paused_container_can_be_stopped(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)
    await engine.pause(container_id)

    await engine.stop(container_id, grace_s=5)

    assert (await the(engine, container_id)).state is EXITED


async def test_what_does_not_run_cannot_be_paused(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(request(uuid))

    with pytest.raises(Conflict):
        await engine.pause(container_id)


async def test_a_paused_container_cannot_be_started(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)
    await engine.pause(container_id)

    with pytest.raises(Conflict):
        await engine.start(container_id)


@pytest.mark.parametrize("paused", [False, True])
async def test_a_restart_happens_once(engine: Engine, uuid: str, *, paused: bool) -> None:
    container_id = await running(engine, uuid)
    before = await engine.started_at(container_id)
    if paused:
        await engine.pause(container_id)

    await engine.restart(container_id, grace_s=5, seen_start=before)
    after = await engine.started_at(container_id)
    await engine.restart(container_id, grace_s=5, seen_start=before)

    assert before != after == await engine.started_at(container_id)
    assert (await the(engine, container_id)).state is RUNNING


async def test_a_restart_without_a_start_seen_is_done_each_time(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)
    before = await engine.started_at(container_id)

    await engine.restart(container_id, grace_s=5, seen_start=None)

    assert await engine.started_at(container_id) != before


async def test_removing_is_for_what_has_ended(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)

    with pytest.raises(Conflict):
        await engine.remove(container_id)
    await engine.stop(container_id, grace_s=5)
    await engine.remove(container_id)
    await engine.remove(container_id)

    assert await engine.containers() == ()


async def test_a_container_that_is_gone(engine: Engine) -> None:
    await engine.stop(GONE, grace_s=1)
    await engine.remove(GONE)
    assert await engine.started_at(GONE) is None
    for call in (
        engine.start(GONE),
        engine.pause(GONE),
        engine.unpause(GONE),
        engine.restart(GONE, grace_s=1, seen_start="x"),
    ):
        with pytest.raises(NotFound):
            await call


async def test_who_ends_by_itself_shows_how(engine: Engine, uuid: str) -> None:
    container_id = await running(
        engine, uuid, reference=ONESHOT, environment={"CODE": "3"}, restart=policy(RestartName.NO)
    )

    seen = await eventually(
        lambda: the(engine, container_id), lambda container: container.state is EXITED
    )
    assert seen.exit_code == 3


async def test_what_failed_too_often_stays_down(engine: Engine, uuid: str) -> None:
    restart = policy(RestartName.ON_FAILURE, retries_max=2)
    container_id = await running(
        engine, uuid, reference=ONESHOT, environment={"CODE": "3"}, restart=restart
    )

    seen = await eventually(
        lambda: the(engine, container_id), lambda container: container.state is EXITED
    )
    assert seen.exit_code == 3


async def test_what_crashes_is_restarted_by_the_engine(engine: Engine, uuid: str) -> None:
    container_id = await running(
        engine,
        uuid,
        reference=ONESHOT,
        environment={"CODE": "3"},
        restart=policy(RestartName.UNLESS_STOPPED),
    )

    seen = await eventually(
        lambda: the(engine, container_id), lambda c: c.state is ContainerState.RESTARTING
    )

    assert seen.exit_code == 3
    await engine.stop(container_id, grace_s=5)
    assert (await the(engine, container_id)).state is EXITED


async def test_who_is_killed_from_outside_stays_down(site: Site) -> None:
    container_id = await running(site.engine, site.uuid, restart=policy(RestartName.UNLESS_STOPPED))

    await site.kill(container_id)

    seen = await eventually(
        lambda: the(site.engine, container_id), lambda container: container.state is EXITED
    )
    assert seen.exit_code == 137


async def test_a_taken_port_names_its_holder(engine: Engine, uuid: str) -> None:
    ports = (PortBinding(container=80, host_ip="127.0.0.1", host=free_port()),)
    await running(engine, uuid, "holder", ports=ports)
    second = await engine.create_container(request(uuid, "second", ports=ports))

    with pytest.raises(Refused, match=f"{ports[0].host}.*shop_holder_holder") as refused:
        await engine.start(second)

    assert refused.value.code == "port-allocated"
    assert (await the(engine, second)).state is CREATED


async def test_a_port_of_somebody_elses_container_is_named_too(site: Site) -> None:
    uuid, other = site.another_device()
    ports = (PortBinding(container=80, host_ip="127.0.0.1", host=free_port()),)
    await running(other, uuid, "theirs", ports=ports)
    ours = await site.engine.create_container(request(site.uuid, ports=ports))

    with pytest.raises(Refused, match="shop_theirs_theirs"):
        await site.engine.start(ours)


async def test_a_port_is_free_again_when_its_holder_has_ended(engine: Engine, uuid: str) -> None:
    ports = (PortBinding(container=80, host_ip="127.0.0.1", host=free_port()),)
    holder = await running(engine, uuid, "holder", ports=ports)
    second = await engine.create_container(request(uuid, "second", ports=ports))

    await engine.stop(holder, grace_s=5)
    await engine.start(second)

    assert (await the(engine, second)).state is RUNNING


@pytest.mark.parametrize("second", [False, True])
async def test_a_network_that_is_gone_is_a_failed_start(
    engine: Engine, uuid: str, *, second: bool
) -> None:
    made = network(uuid)
    name = made.name
    await engine.create_network(made)
    names = (name, "nonesuch") if second else ("nonesuch",)
    container_id = await engine.create_container(request(uuid, networks=names))

    with pytest.raises(Refused, match="nonesuch") as refused:
        await engine.start(container_id)

    assert refused.value.code == "start-failed"
