"""Two networks with one name, which an engine makes when it is asked twice at the same moment."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from iotistic.model.errors import Conflict
from tests.engines.builders import network, request
from tests.engines.contract.sites import DockerSite

pytestmark = pytest.mark.docker


@pytest.fixture
async def site(docker_host: str) -> AsyncIterator[DockerSite]:
    found = DockerSite(docker_host)
    yield found
    await found.close()


async def twins(site: DockerSite) -> tuple[str, str, str]:
    """Their name and ids, the first made by us."""
    made = network(site.uuid)
    await site.engine.create_network(made)
    (first,) = site.http.call("GET", "/networks", filters={"name": [f"^{made.name}$"]})
    body = {"Name": made.name, "Labels": first["Labels"]}
    second = site.http.call("POST", "/networks/create", body=body)
    return made.name, first["Id"], second["Id"]


def left(site: DockerSite, name: str) -> set[str]:
    return {n["Id"] for n in site.http.call("GET", "/networks", filters={"name": [f"^{name}$"]})}


async def test_the_one_that_containers_are_on_is_kept(site: DockerSite) -> None:
    made = network(site.uuid)
    await site.engine.create_network(made)
    first = await site.engine.create_container(request(site.uuid, "web", networks=(made.name,)))
    await site.engine.start(first)
    (before,) = left(site, made.name)
    labels = site.http.call("GET", f"/networks/{before}")["Labels"]
    site.http.call("POST", "/networks/create", body={"Name": made.name, "Labels": labels})

    second = await site.engine.create_container(request(site.uuid, "db", networks=(made.name,)))
    await site.engine.start(second)

    assert left(site, made.name) == {before}
    joined = site.http.call("GET", f"/networks/{before}")["Containers"]
    assert joined.keys() == {first, second}


async def test_of_two_that_nobody_is_on_one_stays(site: DockerSite) -> None:
    name, first, second = await twins(site)
    other = request(site.uuid, networks=(name,))

    await site.engine.start(await site.engine.create_container(other))

    assert len(left(site, name) & {first, second}) == 1


async def test_nothing_is_removed_while_containers_are_on_both(site: DockerSite) -> None:
    name, *ids = await twins(site)
    for number, network_id in enumerate(ids):
        container = await site.engine.create_container(request(site.uuid, f"s{number}"))
        await site.engine.start(container)
        body = {"Container": container}
        site.http.call("POST", f"/networks/{network_id}/connect", body=body)
    late = await site.engine.create_container(request(site.uuid, "late", networks=(name,)))

    with pytest.raises(Conflict) as found:
        await site.engine.start(late)

    assert name in found.value.message
    assert left(site, name) == set(ids)
