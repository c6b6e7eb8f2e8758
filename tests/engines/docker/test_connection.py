"""The socket: versions, deadlines, limits, broken answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from iotistic.engines.docker import DockerEngine, connection, deadlines, engine, pull
from iotistic.model.errors import EngineUnavailable, Refused
from tests.engines.builders import Progress, image, request
from tests.engines.docker.fake_engine import UUID, FakeEngine, fake_engine, hang, refusal

Pair = tuple[FakeEngine, DockerEngine]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with fake_engine(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [("1.41", "1.12", "1.41"), ("1.45", "1.24", "1.41"), ("1.52", "1.44", "1.44")],
)
async def test_the_oldest_version_that_both_know_is_spoken(
    pair: Pair, newest: str, oldest: str, spoken: str
) -> None:
    fake, docker = pair
    fake.version |= {"ApiVersion": newest, "MinAPIVersion": oldest}
    fake.answers["GET /containers/json"] = web.json_response([])

    await docker.containers()

    assert fake.asked[-1] == f"GET /v{spoken}/containers/json"
    assert (await docker.info()).api_version == spoken


@pytest.mark.parametrize("version", ["1.40", "1.24", "zzz", ""])
async def test_an_engine_that_is_too_old_or_odd_is_no_engine(pair: Pair, version: str) -> None:
    fake, docker = pair
    fake.version |= {"ApiVersion": version}

    with pytest.raises(EngineUnavailable, match="API"):
        await docker.containers()


async def test_another_engine_at_the_same_place_is_asked_for_its_version_again(
    pair: Pair,
) -> None:
    fake, docker = pair
    fake.answers["GET /containers/json"] = web.json_response([])
    await docker.containers()
    fake.version |= {"ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    fake.answers["GET /containers/json"] = refusal(
        400, "client version 1.41 is too old. Minimum supported API version is 1.44"
    )

    with pytest.raises(EngineUnavailable):
        await docker.containers()
    fake.answers["GET /containers/json"] = web.json_response([])
    await docker.containers()

    assert fake.asked[-1] == "GET /v1.44/containers/json"


async def test_all_that_is_ours_is_seen_in_one_call(pair: Pair) -> None:
    fake, docker = pair
    queries = []

    async def listing(request: web.Request) -> web.StreamResponse:
        queries.append(dict(request.query))
        return web.json_response([])

    fake.answers["GET /containers/json"] = listing
    await docker.containers()
    del fake.asked[:]

    await docker.containers()

    assert fake.asked == ["GET /v1.41/containers/json"]
    assert queries[-1] == {"all": "1", "filters": f'{{"label":["iotistic.device={UUID}"]}}'}


async def test_an_engine_that_hangs_is_given_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, docker = pair
    monkeypatch.setattr(engine, "LIST_S", 0.05)
    fake.answers["GET /containers/json"] = hang

    with pytest.raises(EngineUnavailable, match="within"):
        await docker.containers()


async def test_a_pull_that_gets_nowhere_is_given_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, docker = pair
    monkeypatch.setattr(pull, "PULL_IDLE_S", 0.1)

    async def stuck(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"status": "Pulling from web", "id": "1"}\n')
        return await hang(request)

    fake.answers["POST /images/create"] = stuck

    with pytest.raises(EngineUnavailable, match="no progress") as stopped:
        await docker.pull(image("web:1"), Progress())

    assert stopped.value.code == "registry-unavailable"


async def test_a_pull_that_claims_what_is_not_so_has_failed(pair: Pair) -> None:
    fake, docker = pair
    fake.answers["POST /images/create"] = web.json_response({"status": "Downloaded newer image"})

    with pytest.raises(Refused, match="no such image") as refused:
        await docker.pull(image("web:1"), Progress())

    assert refused.value.code == "image-not-found"
    assert fake.asked[-1] == "GET /v1.41/images/docker.io/library/web:1/json"


async def test_an_answer_without_end_is_cut_off(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, docker = pair
    monkeypatch.setattr(connection, "BODY_BYTES_MAX", 1000)
    fake.answers["GET /containers/json"] = web.Response(body=b"[" + b" " * 5000 + b"]")

    with pytest.raises(EngineUnavailable, match="too long"):
        await docker.containers()


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500, text="<html>", content_type="text/html"),
        web.Response(status=500, text="{", content_type="application/json"),
        web.json_response({"no": "message"}, status=500),
        web.json_response([1], status=502),
        web.Response(status=200, text="<html>", content_type="text/html"),
        web.Response(status=200, body=b'[{"Id": '),
    ],
    ids=str,
)
async def test_nonsense_is_no_answer(pair: Pair, answer: web.Response) -> None:
    fake, docker = pair

    async def nonsense(request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=answer.status, body=answer.body, content_type=answer.content_type
        )

    fake.answers["GET /containers/json"] = nonsense

    with pytest.raises(EngineUnavailable):
        await docker.containers()


async def test_a_connection_that_breaks_off_is_no_answer(pair: Pair) -> None:
    fake, docker = pair

    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"[")
        assert request.transport is not None
        request.transport.close()
        return response

    fake.answers["GET /containers/json"] = breaks

    with pytest.raises(EngineUnavailable):
        await docker.containers()


async def test_no_engine_at_all_says_where_it_was_looked_for(tmp_path: Path) -> None:
    docker = DockerEngine.from_environment(UUID, {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})

    with pytest.raises(EngineUnavailable, match=r"none\.sock") as nothing:
        await docker.containers()
    await docker.close()

    assert nothing.value.code == "engine-unavailable"
    assert nothing.value.remedy


async def test_a_create_that_cannot_join_a_network_leaves_nothing_behind(pair: Pair) -> None:
    fake, docker = pair
    fake.answers |= {
        "POST /containers/create": web.json_response({"Id": "c1"}),
        "POST /networks/b/connect": refusal(403, "Address already in use"),
        "DELETE /containers/c1": web.Response(status=204),
    }

    with pytest.raises(Refused, match="join network b"):
        await docker.create_container(request(UUID, networks=("a", "b")))

    assert fake.asked[-1] == "DELETE /v1.41/containers/c1"


async def test_a_value_of_the_environment_is_not_shown_when_the_engine_quotes_it(
    pair: Pair,
) -> None:
    fake, docker = pair
    fake.answers["POST /containers/create"] = refusal(400, "invalid environment variable: =s3cret")

    with pytest.raises(Refused) as refused:
        await docker.create_container(request(UUID, environment={"PASSWORD": "s3cret"}))

    error: BaseException | None = refused.value
    while error is not None:
        assert "s3cret" not in str(error)
        error = error.__cause__


async def test_a_dead_container_is_removed_by_force(pair: Pair) -> None:
    fake, docker = pair
    forced = []

    async def remove(request: web.Request) -> web.StreamResponse:
        forced.append(request.query.get("force"))
        return web.Response(status=204) if forced[-1] else refusal(500, "device or resource busy")

    state: dict[str, Any] = {"State": {"Status": "dead", "StartedAt": ""}}
    fake.answers |= {
        "DELETE /containers/c1": remove,
        "GET /containers/c1/json": web.json_response(state),
    }

    await docker.remove("c1")

    assert forced == [None, "1"]


async def test_a_removal_under_way_is_as_good_as_done(pair: Pair) -> None:
    fake, docker = pair
    fake.answers["DELETE /containers/c1"] = refusal(
        409, "removal of container c1 is already in progress"
    )

    await docker.remove("c1")

    assert fake.asked[-1] == "DELETE /v1.41/containers/c1"


async def test_a_paused_container_is_let_go_before_an_engine_that_insists_stops_it(
    pair: Pair,
) -> None:
    fake, docker = pair
    paused = [True]

    async def stop(request: web.Request) -> web.StreamResponse:
        return refusal(500, "Container c1 is paused") if paused else web.Response(status=204)

    async def unpause(request: web.Request) -> web.StreamResponse:
        paused.clear()
        return web.Response(status=204)

    fake.answers |= {"POST /containers/c1/stop": stop, "POST /containers/c1/unpause": unpause}

    await docker.stop("c1", grace_s=1)

    assert fake.asked[-1] == "POST /v1.41/containers/c1/stop"


def test_a_stop_may_take_its_grace_and_some_more() -> None:
    assert deadlines.STOP_MARGIN_S == 30
    assert (deadlines.LIST_S, deadlines.MUTATE_S, deadlines.PULL_IDLE_S) == (15, 60, 120)
