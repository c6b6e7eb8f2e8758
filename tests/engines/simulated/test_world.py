"""The rest of the world: health, disks that fill up, updates by hand, things of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from iotistic.engines.protocol import EngineEvent
from iotistic.engines.simulated import FileShelf, SimulatedEngine, SimulatedImage, SimulatedRegistry
from iotistic.model.errors import Conflict, EngineUnavailable, Refused
from iotistic.model.service import Healthcheck, PortBinding
from iotistic.model.words import ContainerState
from tests.agent.virtual_clock import VirtualClock
from tests.engines.builders import Progress, image, request
from tests.engines.composing import Place, lost
from tests.engines.field_cases import CASES, IMAGE, Case, spec_of
from tests.engines.simulated.worlds import SLEEPER, UUID, engine_with, running, the

CHECK = Healthcheck(test=("CMD", "true"))
CHECKED = "iotistic-test/checked:1"
ILL = "iotistic-test/ill:1"
SILENT = "iotistic-test/silent:1"


async def until_healthy(events: AsyncGenerator[EngineEvent, None]) -> AsyncIterator[EngineEvent]:
    """Events up to the first about health."""
    async for event in events:
        yield event
        if event.action.startswith("health_status"):
            return


async def checked(clock: VirtualClock) -> SimulatedEngine:
    return await engine_with(
        clock,
        SimulatedImage(reference=CHECKED, has_healthcheck=True, health_after_s=5.0),
        SimulatedImage(reference=ILL, health="unhealthy", health_after_s=3.0),
        SimulatedImage(reference=SILENT, health_after_s=None),
    )


async def test_without_a_check_nobody_knows_how_it_is() -> None:
    engine = await checked(VirtualClock())

    container_id = await running(engine)

    assert (await the(engine, container_id)).health is None


async def test_a_check_of_the_image_says_something_after_its_time() -> None:
    clock = VirtualClock()
    engine = await checked(clock)
    container_id = await running(engine, reference=CHECKED)
    assert (await the(engine, container_id)).health == "starting"

    await clock.advance(4.9)
    assert (await the(engine, container_id)).health == "starting"
    await clock.advance(0.1)

    assert (await the(engine, container_id)).health == "healthy"


@pytest.mark.parametrize(
    ("reference", "expected"), [(SLEEPER, "healthy"), (ILL, "unhealthy"), (SILENT, "starting")]
)
async def test_what_a_check_of_the_service_says_depends_on_the_image(
    reference: str, expected: str
) -> None:
    clock = VirtualClock()
    engine = await checked(clock)
    container_id = await running(engine, reference=reference, healthcheck=CHECK)

    await clock.advance(60)

    assert (await the(engine, container_id)).health == expected


async def test_a_service_can_do_without_the_check_of_its_image() -> None:
    engine = await checked(VirtualClock())

    container_id = await running(engine, reference=CHECKED, healthcheck=Healthcheck(test=("NONE",)))

    assert (await the(engine, container_id)).health is None


async def test_a_new_start_begins_to_check_anew() -> None:
    clock = VirtualClock()
    engine = await checked(clock)
    container_id = await running(engine, reference=CHECKED)
    await clock.advance(6)

    await engine.restart(container_id, grace_s=0, seen_start=None)

    assert (await the(engine, container_id)).health == "starting"


async def test_what_has_ended_or_is_frozen_is_not_checked() -> None:
    clock = VirtualClock()
    engine = await checked(clock)
    container_id = await running(engine, reference=CHECKED)
    await clock.advance(2)
    await engine.pause(container_id)
    await clock.advance(60)
    await engine.unpause(container_id)
    assert (await the(engine, container_id)).health == "starting"
    await clock.advance(3)
    assert (await the(engine, container_id)).health == "healthy"

    await engine.stop(container_id, grace_s=0)

    assert (await the(engine, container_id)).health is None


async def test_health_can_be_said_from_outside_and_wakes_who_listens() -> None:
    clock = VirtualClock()
    engine = await checked(clock)
    async with aclosing(engine.events()) as events:
        listening = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)  # from now on it listens
        container_id = await running(engine, reference=CHECKED)
        await listening

        await engine.outside.set_health(container_id, "unhealthy")
        actions = [event.action async for event in until_healthy(events)]

    await clock.advance(60)
    assert actions == ["start", "health_status: unhealthy"]
    assert (await the(engine, container_id)).health == "unhealthy"


async def test_the_span_it_is_up_is_told_in_whole_seconds_that_have_passed() -> None:
    clock = VirtualClock()
    engine = await engine_with(clock)
    container_id = await running(engine)

    await clock.advance(2.9)
    assert (await the(engine, container_id)).up_s == 2
    await engine.outside.crash(container_id)
    assert (await the(engine, container_id)).up_s == 0


async def test_an_update_by_hand_is_found_and_nothing_else() -> None:
    engine = await engine_with(VirtualClock())
    place = Place(uuid=UUID)
    spec = spec_of({"mem_limit": 64 * 2**20, "cpu_shares": 512})
    asked = place.container(spec)
    for made in place.networks_of(spec):
        await engine.create_network(made)
    container_id = await engine.create_container(asked)

    await engine.outside.update(container_id, cpu_shares=256)

    found = await engine.inspect(container_id, asked)
    assert found is not None
    assert found.spec.cpu_shares == 256
    assert lost(spec, found.spec).keys() == {"cpu_shares", "form.cpu_shares", "drift.cpu_shares"}


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "file"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_container_keeps_its_whole_specification(
    case: Case, in_file: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(uuid=UUID)
    shelf = FileShelf(tmp_path_factory.mktemp("engine") / "engine.json") if in_file else None
    clock = VirtualClock()
    engine = await engine_with(clock, SimulatedImage(reference="iotistic-test/web:2"), shelf=shelf)
    spec = spec_of(place.placed(case.spec))
    asked = place.container(spec)

    container_id = await engine.create_container(asked)

    again = SimulatedEngine(UUID, clock, shelf=shelf) if in_file else engine
    found = await again.inspect(container_id, asked)
    assert found is not None
    assert lost(spec, found.spec) == {}


async def test_an_image_for_another_platform_is_none() -> None:
    arm = SimulatedImage(reference=IMAGE, platform="linux/arm64")
    engine = SimulatedEngine(UUID, VirtualClock(), registry=SimulatedRegistry(arm))

    with pytest.raises(Refused) as refused:
        await engine.pull(image(IMAGE), Progress(), platform="linux/amd64")
    await engine.pull(image(IMAGE), Progress(), platform="linux/arm64")
    with pytest.raises(Refused) as not_made:
        await engine.create_container(request(UUID, platform="linux/amd64"))

    assert (refused.value.code, not_made.value.code) == ("image-not-found", "image-not-found")


async def test_a_full_disk_takes_no_image_until_there_is_room() -> None:
    big = SimulatedImage(reference="iotistic-test/big:1", size_bytes=5_000)
    engine = await engine_with(VirtualClock(), registry=SimulatedRegistry(big))
    wanted = image(big.reference)
    await engine.outside.fill_disk(free_bytes=4_999)

    with pytest.raises(EngineUnavailable) as full:
        await engine.pull(wanted, Progress())
    await engine.remove_image((await engine.resources()).images[0].id)
    await engine.pull(wanted, Progress())

    assert full.value.code == "disk-full"
    space = await engine.space()
    assert space is not None
    assert space.free_bytes == 2_000_000 - 1


async def test_an_image_whose_name_went_to_another_stays_without_it() -> None:
    engine = await engine_with(VirtualClock())
    old = (await engine.resources()).images[0]
    name = f"docker.io/{SLEEPER}"

    await engine.outside.load_image(SimulatedImage(reference=SLEEPER, content="newer"))

    images = {found.id: found.references for found in (await engine.resources()).images}
    assert len(images) == 2
    assert name not in images[old.id]
    assert sum(name in references for references in images.values()) == 1


async def test_a_container_of_a_person_holds_its_port_and_its_image() -> None:
    engine = await engine_with(VirtualClock())
    await engine.outside.add_container("by-hand", SLEEPER, PortBinding(container=80, host=80))
    container_id = await engine.create_container(
        request(UUID, ports=(PortBinding(container=80, host=80),))
    )

    with pytest.raises(Refused, match="by-hand"):
        await engine.start(container_id)
    with pytest.raises(Conflict, match="by-hand"):
        await engine.remove_image((await engine.resources()).images[0].id)

    assert [seen.id for seen in await engine.containers()] == [container_id]


async def test_networks_and_volumes_of_persons_are_seen_by_name() -> None:
    engine = await engine_with(VirtualClock())
    await engine.outside.add_network("lan")
    await engine.outside.add_volume("films")

    resources = await engine.resources()

    assert "lan" in resources.other_networks
    assert resources.other_volumes == {"films"}


async def test_a_container_may_be_made_to_leave_a_network() -> None:
    engine = await engine_with(VirtualClock())
    place = Place(uuid=UUID)
    spec = spec_of({})
    for made in place.networks_of(spec):
        await engine.create_network(made)
    asked = place.container(spec)
    container_id = await engine.create_container(asked)

    await engine.outside.disconnect(container_id, asked.networks[0].network)

    assert (await the(engine, container_id)).networks == ()
    found = await engine.inspect(container_id, asked)
    assert found is not None
    assert found.spec.networks == ()


async def test_one_that_shares_a_network_cannot_come_back_without_its_owner() -> None:
    engine = await engine_with(VirtualClock())
    owner = await running(engine, "db")
    place = Place(uuid=UUID)
    spec = spec_of({"network_mode": "service:db"})
    container_id = await engine.create_container(
        place.container(spec, network_mode=f"container:{owner}")
    )
    await engine.start(container_id)

    await engine.outside.remove(owner)
    with pytest.raises(Refused) as refused:
        await engine.restart(container_id, grace_s=0, seen_start=None)

    assert refused.value.code == "start-failed"
    assert (await the(engine, container_id)).state is ContainerState.EXITED
