"""Networks and volumes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iotistic.engines.protocol import Engine
from iotistic.model.errors import Conflict, Refused
from iotistic.model.service import Mount
from tests.engines.builders import APP_ID, network, request, volume
from tests.engines.contract.sites import Site


async def test_a_network_made_twice_is_there_once(engine: Engine, uuid: str) -> None:
    made = network(uuid)
    name = made.name

    await engine.create_network(made)
    await engine.create_network(made)

    (seen,) = (await engine.resources()).networks
    assert (seen.name, seen.app_id, seen.short_name) == (name, APP_ID, "default")


async def test_a_volume_made_twice_is_there_once(engine: Engine, uuid: str) -> None:
    made = volume(uuid, "data")
    name = made.name

    await engine.create_volume(made)
    await engine.create_volume(made)

    (seen,) = (await engine.resources()).volumes
    assert (seen.name, seen.app_id, seen.short_name) == (name, APP_ID, "data")


async def test_removing_what_is_not_there_is_success(engine: Engine, uuid: str) -> None:
    made = network(uuid)
    name = made.name
    await engine.create_network(made)
    await engine.create_volume(volume(uuid, "data"))

    for _ in range(2):
        await engine.remove_network(name)
        await engine.remove_volume(volume(uuid, "data").name)

    assert (await engine.resources()).networks == ()
    assert (await engine.resources()).volumes == ()


async def test_the_name_of_another_devices_object_is_taken(site: Site) -> None:
    uuid, other = site.another_device()
    name = network(uuid).name
    await other.create_network(network(uuid))
    await other.create_volume(volume(uuid))

    with pytest.raises(Refused) as no_network:
        await site.engine.create_network(replace(network(site.uuid), name=name))
    with pytest.raises(Refused) as no_volume:
        await site.engine.create_volume(replace(volume(site.uuid), name=volume(uuid).name))

    assert (no_network.value.code, no_volume.value.code) == ("name-taken", "name-taken")


async def test_another_devices_objects_are_not_removed(site: Site) -> None:
    uuid, other = site.another_device()
    await other.create_network(network(uuid))
    await other.create_volume(volume(uuid))

    await site.engine.remove_network(network(uuid).name)
    await site.engine.remove_volume(volume(uuid).name)

    resources = await other.resources()
    assert (len(resources.networks), len(resources.volumes)) == (1, 1)


async def test_a_network_in_use_stays(engine: Engine, uuid: str) -> None:
    made = network(uuid)
    name = made.name
    await engine.create_network(made)
    container_id = await engine.create_container(request(uuid, networks=(name,)))
    await engine.start(container_id)

    with pytest.raises(Conflict):
        await engine.remove_network(name)

    assert len((await engine.resources()).networks) == 1


async def test_a_volume_stays_while_even_an_ended_container_has_it(
    engine: Engine, uuid: str
) -> None:
    made = volume(uuid, "data")
    name = made.name
    await engine.create_volume(made)
    container_id = await engine.create_container(
        request(uuid, volumes=(("data", name),), mounts=(Mount(target="/d", source="data"),))
    )

    with pytest.raises(Conflict):
        await engine.remove_volume(name)

    await engine.remove(container_id)
    assert [seen.name for seen in (await engine.resources()).volumes] == [name]
    await engine.remove_volume(name)
    assert (await engine.resources()).volumes == ()
