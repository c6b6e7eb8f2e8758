"""How many questions a look costs, and what becomes of odd answers to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from iotistic.engines.docker import DockerEngine, DockerHost, images
from iotistic.model.errors import Conflict, EngineUnavailable, Refused
from tests.engines.builders import request
from tests.engines.docker.fake_engine import UUID, FakeEngine, fake_engine, refusal
from tests.engines.docker.fake_inspect import CONTAINER_ID, fake_inspect

Pair = tuple[FakeEngine, DockerEngine]
IMAGE_ID = f"sha256:{'a' * 64}"


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with fake_engine(tmp_path) as made:
        fake, docker = made
        await docker.info()
        for path in ("containers/json", "images/json", "networks"):
            fake.answers[f"GET /{path}"] = web.json_response([])
        fake.answers["GET /volumes"] = web.json_response({"Volumes": []})
        fake.asked.clear()
        yield made


def paths(fake: FakeEngine) -> list[str]:
    return sorted(asked.replace("/v1.41", "") for asked in fake.asked)


async def test_a_look_at_our_containers_is_one_question(pair: Pair) -> None:
    fake, docker = pair

    await docker.containers()

    assert paths(fake) == ["GET /containers/json"]


async def test_a_look_at_everything_they_are_made_of_is_four(pair: Pair) -> None:
    fake, docker = pair

    await docker.resources()

    assert paths(fake) == [
        "GET /containers/json",
        "GET /images/json",
        "GET /networks",
        "GET /volumes",
    ]


async def test_a_close_look_is_one_question(pair: Pair) -> None:
    fake, docker = pair
    made = request(UUID)
    fake.answers[f"GET /containers/{CONTAINER_ID}/json"] = web.json_response(fake_inspect(made))

    seen = await docker.inspect(CONTAINER_ID, made)

    assert seen is not None
    assert paths(fake) == [f"GET /containers/{CONTAINER_ID}/json"]


async def test_a_close_look_that_fails_is_no_missing_container(pair: Pair) -> None:
    fake, docker = pair
    fake.answers[f"GET /containers/{CONTAINER_ID}/json"] = refusal(500, "ill")

    with pytest.raises(EngineUnavailable):
        await docker.inspect(CONTAINER_ID, request(UUID))


async def test_an_image_with_one_name_is_one_question(pair: Pair) -> None:
    fake, docker = pair
    fake.answers[f"DELETE /images/{IMAGE_ID}"] = web.json_response([{"Untagged": "x"}])

    await docker.remove_image(IMAGE_ID)

    assert paths(fake) == [f"DELETE /images/{IMAGE_ID}"]


async def test_an_image_with_several_names_keeps_them_while_it_is_in_use(pair: Pair) -> None:
    fake, docker = pair
    fake.answers[f"DELETE /images/{IMAGE_ID}"] = refusal(
        409, f"conflict: unable to delete {IMAGE_ID} (must be forced) - image is referenced"
    )
    fake.answers["GET /containers/json"] = web.json_response([{"ImageID": IMAGE_ID}])

    with pytest.raises(Conflict):
        await docker.remove_image(IMAGE_ID)

    assert [asked for asked in paths(fake) if asked.startswith("DELETE")] == [
        f"DELETE /images/{IMAGE_ID}"
    ]


async def test_room_is_where_the_engine_keeps_its_images(pair: Pair, tmp_path: Path) -> None:
    fake, docker = pair
    fake.answers["GET /info"] = web.json_response({"DockerRootDir": str(tmp_path)})

    space = await docker.space()

    assert space is not None
    assert 0 < space.free_bytes <= space.total_bytes


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "\0"])
async def test_room_that_cannot_be_seen_is_not_made_up(
    pair: Pair, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, docker = pair
    monkeypatch.setattr(images, "IN_A_CONTAINER", tmp_path / "no-such-mark")
    fake.answers["GET /info"] = web.json_response({"DockerRootDir": folder})

    assert await docker.space() is None


async def test_in_a_container_of_the_engine_its_own_root_has_the_same_room(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, docker = pair
    monkeypatch.setattr(images, "IN_A_CONTAINER", tmp_path)
    fake.answers["GET /info"] = web.json_response({"DockerRootDir": "/nowhere/at/all"})

    space = await docker.space()

    assert space is not None
    assert space.total_bytes > 0


async def test_the_room_of_an_engine_elsewhere_is_not_asked_for() -> None:
    docker = DockerEngine(UUID, DockerHost(url="http://127.0.0.1:1"))

    assert await docker.space() is None
    await docker.close()


async def test_a_name_that_is_taken_is_told_from_one_that_is_its_own(pair: Pair) -> None:
    fake, docker = pair
    path = "POST /containers/c1/rename"
    fake.answers[path] = refusal(409, 'The container name "/x" is already in use by container "y"')

    with pytest.raises(Refused) as refused:
        await docker.rename("c1", "x")
    assert refused.value.code == "name-taken"

    fake.answers[path] = refusal(400, "Renaming a container with the same name as its current name")
    await docker.rename("c1", "x")
