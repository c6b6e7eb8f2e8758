"""Making a container on engines that are newer, older, or answer at length."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from iotistic.engines.docker import DockerEngine
from iotistic.engines.docker.capabilities import NEWER, Newer
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import Refused
from iotistic.model.secret import Secret
from iotistic.model.service import Healthcheck, NetworkAttachment
from tests.engines.builders import request
from tests.engines.composing import Place
from tests.engines.docker.fake_engine import UUID, FakeEngine, fake_engine, refusal
from tests.engines.field_cases import CASES, spec_of

Pair = tuple[FakeEngine, DockerEngine]
SECRET = "correct-horse battery\nstaple"
PLACE = Place(uuid=UUID)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with fake_engine(tmp_path) as made:
        yield made


def takes_all(fake: FakeEngine, **answer: Any) -> list[dict[str, Any]]:
    """Let it make every container; returns the bodies that come."""
    bodies: list[dict[str, Any]] = []

    async def create(asked: web.Request) -> web.Response:
        bodies.append(json.loads(await asked.read()))
        return web.json_response({"Id": "c1", **answer}, status=201)

    fake.answers["POST /containers/create"] = create
    return bodies


def knows(fake: FakeEngine, newest: str, oldest: str = "1.24") -> None:
    fake.version |= {"Version": "9.9", "ApiVersion": newest, "MinAPIVersion": oldest}


def asking_for(newer: Newer) -> ContainerRequest:
    """A container with that field."""
    return next(
        made
        for made in (PLACE.container(spec_of(PLACE.placed(case.spec))) for case in CASES)
        if newer.is_set(made)
    )


@pytest.mark.parametrize("newer", NEWER, ids=lambda newer: newer.field)
async def test_a_field_is_asked_for_in_a_version_that_knows_it(pair: Pair, newer: Newer) -> None:
    fake, docker = pair
    takes_all(fake)
    version = f"{newer.api[0]}.{newer.api[1]}"
    knows(fake, version)

    await docker.create_container(asking_for(newer))

    assert fake.asked[-1] == f"POST /v{version}/containers/create"


@pytest.mark.parametrize("newer", NEWER, ids=lambda newer: newer.field)
async def test_a_field_that_the_engine_does_not_know_is_refused_and_not_left_out(
    pair: Pair, newer: Newer
) -> None:
    fake, docker = pair
    bodies = takes_all(fake)
    knows(fake, f"{newer.api[0]}.{newer.api[1] - 1}")

    with pytest.raises(Refused) as refused:
        await docker.create_container(asking_for(newer))

    assert refused.value.code == "engine-too-old"
    assert newer.field in str(refused.value)
    assert f"Docker {newer.docker} or newer, and this is 9.9" in refused.value.message
    assert bodies == []


async def test_what_every_engine_knows_is_asked_for_in_the_oldest_version(pair: Pair) -> None:
    fake, docker = pair
    takes_all(fake)
    knows(fake, "1.52")

    await docker.create_container(request(UUID))

    assert fake.asked[-1] == "POST /v1.41/containers/create"


async def test_further_networks_are_joined_in_the_same_version(pair: Pair) -> None:
    fake, docker = pair
    takes_all(fake)
    fake.answers["DELETE /containers/c1"] = web.Response()
    knows(fake, "1.48")
    networks = (NetworkAttachment(name="a"), NetworkAttachment(name="b", gw_priority=1))
    made = PLACE.container(spec_of({"networks": networks}))
    path = f"/networks/{made.networks[1].network}/connect"
    fake.answers[f"POST {path}"] = web.Response()

    await docker.create_container(made)

    assert fake.asked[-2:] == ["POST /v1.48/containers/create", f"POST /v1.48{path}"]


@pytest.mark.parametrize(
    ("oldest", "expected"),
    [("1.24", ("02:42:0a:00:00:02", None)), ("1.44", (None, "02:42:0a:00:00:02"))],
)
async def test_a_hardware_address_is_said_where_the_version_looks_for_it(
    pair: Pair, oldest: str, expected: tuple[str | None, str | None]
) -> None:
    fake, docker = pair
    (bodies,) = (takes_all(fake),)
    knows(fake, "1.52", oldest)

    await docker.create_container(
        request(UUID, networks=("front",), mac_address="02:42:0a:00:00:02")
    )

    (body,) = bodies
    joined = body["NetworkingConfig"]["EndpointsConfig"]["front"]
    assert (body.get("MacAddress"), joined.get("MacAddress")) == expected


async def test_a_platform_is_part_of_the_question(pair: Pair) -> None:
    fake, docker = pair
    seen: list[str] = []

    async def create(asked: web.Request) -> web.Response:
        seen.append(asked.query.get("platform", ""))
        return web.json_response({"Id": "c1"}, status=201)

    fake.answers["POST /containers/create"] = create

    await docker.create_container(request(UUID, platform="linux/arm64"))
    await docker.create_container(request(UUID))

    assert seen == ["linux/arm64", ""]


@pytest.mark.parametrize(
    ("image", "expected"), [(["/own"], ["/own"]), (None, [""])], ids=["has one", "has none"]
)
async def test_no_command_at_all_keeps_the_images_entrypoint(
    pair: Pair, image: list[str] | None, expected: list[str]
) -> None:
    fake, docker = pair
    bodies = takes_all(fake)
    made = request(UUID, command=())
    fake.answers[f"GET /images/{made.spec.image.canonical}/json"] = web.json_response(
        {"Config": {"Entrypoint": image, "Cmd": ["its", "own"]}}
    )

    await docker.create_container(made)

    assert (bodies[0]["Entrypoint"], bodies[0]["Cmd"]) == (expected, [])


async def test_what_the_kernel_cannot_do_is_said_and_not_swallowed(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    fake, docker = pair
    takes_all(fake, Warnings=[f"Your kernel is old. {SECRET} discarded."])

    with caplog.at_level(logging.WARNING):
        await docker.create_container(request(UUID, environment={"A": SECRET}))

    (record,) = [entry for entry in caplog.records if entry.message == "engine warned"]
    assert record.__dict__["warning"] == "Your kernel is old. *** discarded."


@pytest.mark.parametrize("where", ["environment", "secret_environment"])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"invalid variable X={SECRET}", "invalid variable X=***"),
        ("invalid correct-horse battery staple!", "invalid ***!"),
        ("x" * 280 + SECRET, "x" * 280 + "***…"),
        ("x" * 296 + SECRET, "x" * 296 + "***…"),
        (SECRET * 50, "***" * 10 + "***…"),
        ("nothing of it", "nothing of it"),
    ],
    ids=["whole", "folded", "cut off", "cut off early", "many times", "not at all"],
)
async def test_a_secret_in_a_refusal_is_masked(
    pair: Pair, where: str, said: str, expected: str
) -> None:
    fake, docker = pair
    fake.answers["POST /containers/create"] = refusal(400, said)
    made = replace(request(UUID), secret_environment=(("X", Secret(SECRET)),))
    if where == "environment":
        made = request(UUID, environment={"X": SECRET})

    with pytest.raises(Refused) as refused:
        await docker.create_container(made)

    assert refused.value.message.removeprefix(f"create container {made.name}: ") == expected
    cause = refused.value.__cause__
    assert "correct" not in f"{refused.value!r} {cause!r} {cause.__cause__ if cause else ''!r}"


async def test_the_longer_of_two_secrets_is_masked_whole(pair: Pair) -> None:
    fake, docker = pair
    fake.answers["POST /containers/create"] = refusal(400, "not good: abc-def-ghi")

    with pytest.raises(Refused) as refused:
        await docker.create_container(
            request(UUID, environment={"A": "abc", "B": "abc-def-ghi", "C": "def"})
        )

    assert refused.value.message.endswith("not good: ***")


async def test_a_check_without_a_new_field_needs_no_newer_engine(pair: Pair) -> None:
    fake, docker = pair
    (bodies,) = (takes_all(fake),)
    knows(fake, "1.41")

    check = Healthcheck(test=("CMD", "true"), interval_ms=1_000, retries=2)
    await docker.create_container(request(UUID, healthcheck=check))

    assert bodies[0]["Healthcheck"] == {
        "Test": ["CMD", "true"],
        "Interval": 1_000_000_000,
        "Retries": 2,
    }
