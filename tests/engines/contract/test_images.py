"""Removing images; which of them are in use; and how much room there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import pytest

from iotistic.engines.protocol import Engine
from iotistic.engines.simulated import SimulatedImage
from iotistic.model.errors import Conflict
from iotistic.model.image import parse_image
from scripts.support import images
from tests.engines.builders import request
from tests.engines.contract.sites import DockerSite, SimulatedSite, Site


class Shelf(Protocol):
    """Gets images into the engine of a site."""

    async def load(self, *references: str) -> None:
        """One image with all these names, which no other image has."""
        ...

    async def run_foreign(self, reference: str) -> None:
        """A container of it that is nobody's."""
        ...

    async def clear(self) -> None:
        """Remove what is left."""
        ...


@dataclass(slots=True)
class SimulatedImages:
    site: SimulatedSite

    async def load(self, *references: str) -> None:
        first, *others = references
        image = SimulatedImage(reference=first)
        outside = self.site.simulated.outside
        await outside.load_image(image)
        for name in others:
            await outside.tag_image(image.id, name)

    async def run_foreign(self, reference: str) -> None:
        await self.site.simulated.outside.add_container("by-hand", reference)

    async def clear(self) -> None:
        return


class DockerImages:
    def __init__(self, site: DockerSite) -> None:
        self._http = site.http
        self._host = site.http.host
        self._containers: list[str] = []
        self._names: list[str] = []

    async def load(self, *references: str) -> None:
        first, *others = references
        made = images.TestImage(reference=first, script="sleep 100", environment={"ONE": first})
        images.load(self._host, made)
        self._names += references
        for name in others:
            repository, _, tag = name.partition(":")
            self._http.call("POST", f"/images/{first}/tag", repo=repository, tag=tag)

    async def run_foreign(self, reference: str) -> None:
        made = self._http.call("POST", "/containers/create", body={"Image": reference})
        self._containers.append(made["Id"])

    async def clear(self) -> None:
        for container_id in self._containers:
            self._http.call("DELETE", f"/containers/{container_id}", force="1")
        there: list[dict[str, Any]] = self._http.call("GET", "/images/json")
        for name in self._names:
            if any(name in (image["RepoTags"] or ()) for image in there):
                self._http.call("DELETE", f"/images/{name}")


@pytest.fixture
async def shelf(site: Site) -> AsyncIterator[Shelf]:
    found: Shelf
    if isinstance(site, DockerSite):
        found = DockerImages(site)
    else:
        assert isinstance(site, SimulatedSite)
        found = SimulatedImages(site)
    yield found
    await found.clear()


@pytest.fixture
def name() -> str:
    """A repository that nobody else has."""
    return f"iotistic-test/{uuid4().hex}"


async def held(engine: Engine, name: str) -> dict[str, str]:
    """The ids of the images of that repository, by reference."""
    return {
        reference: image.id
        for image in (await engine.resources()).images
        for reference in image.references
        if name in reference
    }


async def test_an_image_is_removed_with_all_its_names(
    engine: Engine, shelf: Shelf, name: str
) -> None:
    await shelf.load(f"{name}:1", f"{name}:2", f"{name}-other:1")
    (image_id,) = set((await held(engine, name)).values())

    await engine.remove_image(image_id)
    await engine.remove_image(image_id)  # it is gone already

    assert await held(engine, name) == {}


@pytest.mark.parametrize("names", [1, 3])
async def test_an_image_in_use_keeps_all_its_names(
    engine: Engine, uuid: str, shelf: Shelf, name: str, names: int
) -> None:
    await shelf.load(*(f"{name}:{n}" for n in range(names)))
    before = await held(engine, name)
    container_id = await engine.create_container(request(uuid, reference=f"{name}:0"))

    with pytest.raises(Conflict):
        await engine.remove_image(before[f"docker.io/{name}:0"])

    assert await held(engine, name) == before
    await engine.remove(container_id)
    await engine.remove_image(before[f"docker.io/{name}:0"])
    assert await held(engine, name) == {}


async def test_an_image_that_a_strangers_container_has_is_in_use(
    engine: Engine, shelf: Shelf, name: str
) -> None:
    await shelf.load(f"{name}:1", f"{name}:2")
    image_id = (await held(engine, name))[f"docker.io/{name}:1"]
    assert image_id not in (await engine.resources()).images_in_use

    await shelf.run_foreign(f"{name}:1")

    assert image_id in (await engine.resources()).images_in_use
    assert await engine.containers() == ()
    with pytest.raises(Conflict):
        await engine.remove_image(image_id)


async def test_an_image_says_how_big_and_how_old_it_is(
    engine: Engine, shelf: Shelf, name: str
) -> None:
    await shelf.load(f"{name}:1")

    (image,) = [
        image
        for image in (await engine.resources()).images
        if parse_image(f"{name}:1", at="image").canonical in image.references
    ]

    assert image.size_bytes > 0
    assert image.created_s == 946_684_800


async def test_there_is_room_for_images_and_not_more_than_the_disk_has(engine: Engine) -> None:
    space = await engine.space()

    assert space is not None
    assert 0 < space.free_bytes < space.total_bytes
