"""Names that move, networks that are shared, and what belongs to others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iotistic.engines.protocol import Engine
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import NotFound, Refused
from iotistic.model.naming import LABEL_CONFIG_HASH
from iotistic.model.observation import Container
from iotistic.model.service import PortBinding, ServiceSpec
from iotistic.model.words import ContainerState
from tests.engines.builders import eventually, network, request, volume
from tests.engines.composing import Place, lost
from tests.engines.contract.sites import Site
from tests.engines.field_cases import TOGETHER, spec_of


def sharing(uuid: str, owner_id: str) -> ContainerRequest:
    made = request(uuid, "sidecar", network_mode="service:web")
    return replace(made, network_mode=f"container:{owner_id}")


async def the(engine: Engine, container_id: str) -> Container:
    return next(seen for seen in await engine.containers() if seen.id == container_id)


async def test_a_container_gets_another_name(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(request(uuid))
    name = f"old-{uuid}"

    await engine.rename(container_id, name)
    await engine.rename(container_id, name)  # it has it already

    assert [(seen.id, seen.name) for seen in await engine.containers()] == [(container_id, name)]


async def test_a_name_in_use_is_not_given_again(engine: Engine, uuid: str) -> None:
    first = await engine.create_container(request(uuid, "web"))
    second = await engine.create_container(request(uuid, "db"))
    name = (await the(engine, first)).name

    with pytest.raises(Refused) as refused:
        await engine.rename(second, name)

    assert refused.value.code == "name-taken"


async def test_what_is_not_there_cannot_be_renamed(engine: Engine) -> None:
    with pytest.raises(NotFound):
        await engine.rename("f" * 64, "any")


async def test_a_new_container_of_a_service_stands_beside_the_renamed_old_one(
    engine: Engine, uuid: str
) -> None:
    old = await engine.create_container(request(uuid, spec_hash="1:aaaa"))
    await engine.rename(old, f"old-{uuid}")

    new = await engine.create_container(request(uuid, spec_hash="1:bbbb"))

    assert {seen.id for seen in await engine.containers()} == {old, new}


async def test_the_old_one_holds_its_port_against_the_new_one(engine: Engine, uuid: str) -> None:
    ports = (PortBinding(container=80, host=28_443, host_ip="127.0.0.1"),)
    old = await engine.create_container(request(uuid, ports=ports))
    await engine.start(old)
    await engine.rename(old, f"old-{uuid}")
    new = await engine.create_container(request(uuid, spec_hash="1:bbbb", ports=ports))

    with pytest.raises(Refused, match=f"old-{uuid}") as refused:
        await engine.start(new)

    assert refused.value.code == "port-allocated"


async def test_a_network_is_shared_as_long_as_its_owner_runs(engine: Engine, uuid: str) -> None:
    owner = await engine.create_container(request(uuid, "web"))
    await engine.start(owner)

    container_id = await engine.create_container(sharing(uuid, owner))
    await engine.start(container_id)

    seen = await the(engine, container_id)
    assert seen.state is ContainerState.RUNNING
    assert (seen.network_mode, seen.networks) == (f"container:{owner}", ())


@pytest.mark.parametrize("removed", [False, True], ids=["stopped", "removed"])
async def test_the_network_of_one_that_does_not_run_cannot_be_shared(
    engine: Engine, uuid: str, removed: bool
) -> None:
    owner = await engine.create_container(request(uuid, "web"))
    container_id = await engine.create_container(sharing(uuid, owner))
    if removed:
        await engine.remove(owner)

    with pytest.raises(Refused) as refused:
        await engine.start(container_id)

    assert refused.value.code == "start-failed"
    assert not isinstance(refused.value, NotFound)  # it is there, the other one is not


async def test_a_listing_says_which_network_mode_a_container_has(engine: Engine, uuid: str) -> None:
    made = network(uuid)
    await engine.create_network(made)
    joined = await engine.create_container(request(uuid, "web", networks=(made.name,)))
    hosted = await engine.create_container(request(uuid, "db", network_mode="host"))

    assert (await the(engine, joined)).network_mode == made.name
    assert (await the(engine, hosted)).network_mode == "host"


async def test_a_container_says_for_how_long_it_is_up_at_least(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(request(uuid))
    assert (await the(engine, container_id)).up_s == 0

    await engine.start(container_id)
    await eventually(lambda: the(engine, container_id), lambda seen: seen.up_s >= 1)
    await engine.pause(container_id)
    paused = await the(engine, container_id)
    await engine.stop(container_id, grace_s=0)

    assert 1 <= paused.up_s < 60
    assert (await the(engine, container_id)).up_s == 0


async def test_networks_and_volumes_of_others_are_known_by_their_names(site: Site) -> None:
    uuid, other = site.another_device()
    theirs, volumes = network(uuid), volume(uuid)
    await other.create_network(theirs)
    await other.create_volume(volumes)

    resources = await site.engine.resources()

    assert {theirs.name, "bridge", "host", "none"} <= resources.other_networks
    assert volumes.name in resources.other_volumes
    assert (resources.networks, resources.volumes) == ((), ())
    own = await other.resources()
    assert theirs.name not in own.other_networks
    assert volumes.name not in own.other_volumes


async def test_networks_and_volumes_keep_the_hash_they_were_made_with(
    engine: Engine, uuid: str
) -> None:
    made, kept = network(uuid), volume(uuid)
    marked = ((LABEL_CONFIG_HASH, "1:cafe"),)
    await engine.create_network(replace(made, labels=(*made.labels, *marked)))
    await engine.create_volume(kept)

    resources = await engine.resources()

    assert [seen.spec_hash for seen in resources.networks] == ["1:cafe"]
    assert [seen.spec_hash for seen in resources.volumes] == [None]


async def test_a_container_is_found_as_it_was_made(engine: Engine, uuid: str) -> None:
    values = {name: value for name, value in TOGETHER.items() if name != "secrets"}
    place = Place(uuid=uuid, folder="/")
    spec: ServiceSpec = spec_of(place.placed(values | {"networks": ()}))
    for made in place.networks_of(spec):
        await engine.create_network(made)
    for kept in place.volumes_of(spec):
        await engine.create_volume(kept)
    asked = place.container(spec)

    container_id = await engine.create_container(asked)
    await engine.start(container_id)

    found = await engine.inspect(container_id, asked)
    assert found is not None
    assert lost(spec, found.spec) == {}
    assert found.started_at == await engine.started_at(container_id)
    assert found.restart_count == 0
    assert await engine.inspect("f" * 64, asked) is None
