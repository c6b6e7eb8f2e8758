"""Making containers, and seeing them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iotistic.engines.protocol import Engine
from iotistic.model.errors import Refused
from iotistic.model.words import ContainerState
from tests.engines.builders import APP_ID, network, request, volume
from tests.engines.contract.sites import MISSING, SLEEPER, Site


async def test_an_engine_says_which_it_is(engine: Engine) -> None:
    info = await engine.info()

    assert info.kind in ("docker", "simulated")
    assert info.api_version == "1.41" or info.kind == "docker"


async def test_a_made_container_is_seen_with_all_that_we_know_it_by(
    engine: Engine, uuid: str
) -> None:
    made = network(uuid)
    name = made.name
    await engine.create_network(made)

    container_id = await engine.create_container(request(uuid, networks=(name,)))

    (seen,) = await engine.containers()
    assert seen.id == container_id
    assert seen.name == f"shop_web_web-{uuid[:8]}"
    assert (seen.app_id, seen.service_id, seen.service_name) == (APP_ID, "web", "web")
    assert seen.state is ContainerState.CREATED
    assert seen.image == SLEEPER
    assert seen.image_id.startswith("sha256:")
    assert seen.spec_hash == "1:aaaa"
    assert seen.networks == (name,)
    assert seen.exit_code is None
    assert seen.created_s > 0
    assert await engine.started_at(container_id) is not None


async def test_the_image_of_a_container_is_among_the_resources(engine: Engine, uuid: str) -> None:
    await engine.create_container(request(uuid))

    (seen,) = await engine.containers()
    images = {image.id: image.references for image in (await engine.resources()).images}
    assert f"docker.io/{SLEEPER}" in images[seen.image_id]


async def test_a_container_is_made_of_the_image_of_an_id_whatever_its_tag_means(
    engine: Engine, uuid: str
) -> None:
    first = await engine.create_container(request(uuid))
    (seen,) = await engine.containers()
    await engine.remove(first)
    asked = replace(request(uuid, reference=MISSING), image_id=seen.image_id)

    container_id = await engine.create_container(asked)

    (made,) = await engine.containers()
    assert made.image_id == seen.image_id
    look = await engine.inspect(container_id, request(uuid, reference=MISSING))
    assert look is not None
    assert str(look.spec.image) == MISSING  # by what name it was meant shows nowhere


async def test_all_networks_are_joined_before_the_start(engine: Engine, uuid: str) -> None:
    names = []
    for short_name in ("back", "front", "side"):
        made = network(uuid, short_name)
        name = made.name
        await engine.create_network(made)
        names.append(name)

    await engine.create_container(request(uuid, networks=tuple(names)))

    assert set((await engine.containers())[0].networks) == set(names)


async def test_making_the_same_container_again_gives_the_one_there(
    engine: Engine, uuid: str
) -> None:
    first = await engine.create_container(request(uuid))

    again = await engine.create_container(request(uuid))

    assert again == first
    assert len(await engine.containers()) == 1


async def test_a_container_that_was_only_half_joined_is_completed(
    engine: Engine, uuid: str
) -> None:
    names = []
    for short_name in ("back", "front"):
        made = network(uuid, short_name)
        name = made.name
        await engine.create_network(made)
        names.append(name)
    first = await engine.create_container(request(uuid, networks=(names[0],)))

    again = await engine.create_container(request(uuid, networks=tuple(names)))

    assert again == first
    assert set((await engine.containers())[0].networks) == set(names)


async def test_a_name_in_use_for_another_specification_is_refused(
    engine: Engine, uuid: str
) -> None:
    await engine.create_container(request(uuid, spec_hash="1:aaaa"))

    with pytest.raises(Refused) as refused:
        await engine.create_container(request(uuid, spec_hash="1:bbbb"))

    assert refused.value.code == "name-taken"


async def test_an_image_that_is_not_here_is_named(engine: Engine, uuid: str) -> None:
    with pytest.raises(Refused, match=MISSING) as refused:
        await engine.create_container(request(uuid, reference=MISSING))

    assert refused.value.code == "image-not-found"


async def test_devices_do_not_see_each_other(site: Site) -> None:
    other_uuid, other = site.another_device()
    await site.engine.create_container(request(site.uuid))
    for made in (network(site.uuid), network(site.uuid, "side")):
        await site.engine.create_network(made)
    await site.engine.create_volume(volume(site.uuid))

    assert await other.containers() == ()
    assert (await other.resources()).networks == ()
    assert (await other.resources()).volumes == ()
    await other.create_container(request(other_uuid))
    assert len(await site.engine.containers()) == 1


async def test_what_is_made_belongs_to_the_device_whatever_the_request_says(
    engine: Engine, uuid: str
) -> None:
    made = await engine.create_container(request("00000000-somebody-else"))

    assert [container.id for container in await engine.containers()] == [made]
