"""NDJSON: what comes, signs of life, an honest end, and nothing left running."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from iotistic.engines.protocol import ContainerLogLine
from iotistic.model.errors import EngineUnavailable
from tests.agent.api.builders import Box, Client, Served, service, serving, target


async def lines_of(client: Client, path: str) -> list[Any]:
    """All lines of a stream that ends."""
    async with client.session.get(client.base + path) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        return [json.loads(line) for line in (await response.text()).splitlines() if line]


async def web(api: Served) -> str:
    """A running service's container."""
    await api.box.given_target(target(service("web", 7)))
    (container,) = await api.box.engine.containers()
    return container.id


async def test_output_comes_with_what_it_is_from(api: Served) -> None:
    container_id = await web(api)
    await api.box.engine.outside.say(container_id, "hello")
    await api.box.engine.outside.say(container_id, "ouch", stderr=True)

    hello, ouch = (await lines_of(api.tcp, "/v1/services/web/logs"))[-2:]

    assert hello == {
        "timestamp": hello["timestamp"],
        "message": "hello",
        "level": "info",
        "serviceId": 7,
        "serviceName": "web",
        "containerId": container_id,
        "isStdErr": False,
    }
    assert hello["timestamp"] > 1_700_000_000_000
    assert (ouch["message"], ouch["isStdErr"]) == ("ouch", True)
    assert len(await lines_of(api.tcp, "/v1/services/web/logs?tail=1")) == 1
    assert len(await lines_of(api.tcp, "/v1/services/web/logs?tail=all")) >= 2


async def test_following_brings_what_comes_and_ends_with_the_container(api: Served) -> None:
    container_id = await web(api)
    url = f"{api.unix.base}/v1/services/web/logs?follow=true&tail=0"
    async with asyncio.timeout(10), api.unix.session.get(url) as response:
        await api.box.engine.outside.say(container_id, "later")
        while not (line := await response.content.readline()).strip():
            continue
        assert json.loads(line)["message"] == "later"
        await api.box.engine.outside.kill(container_id)
        await response.content.read()  # the last chunk: an end, not a cut


class Told:
    """An engine whose output never ends by itself, and that knows who listens."""

    def __init__(self, *, fails: bool = False) -> None:
        self.listening = 0
        self._fails = fails

    async def logs(self, *_: object, **__: object) -> AsyncIterator[ContainerLogLine]:
        self.listening += 1
        try:
            yield ContainerLogLine(text="first", stderr=False, time_ns=1)
            if self._fails:
                raise EngineUnavailable("the engine went away")
            await asyncio.Event().wait()
        finally:
            self.listening -= 1


async def test_a_reader_that_goes_stops_the_engines_stream(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web(api)
    told = Told()
    monkeypatch.setattr(api.box.engine, "logs", told.logs)
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {api.token}"}) as session,
        session.get(f"{api.tcp.base}/v1/services/web/logs?follow=1") as response,
    ):
        await response.content.readline()
        assert told.listening == 1
        response.close()
    await api.box.until(lambda: told.listening == 0)


async def test_signs_of_life_come_while_nothing_is_said(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(box, sign_of_life_s=0.05) as api:
        await web(api)
        monkeypatch.setattr(api.box.engine, "logs", Told().logs)
        url = f"{api.unix.base}/v1/services/web/logs?follow=1"
        async with asyncio.timeout(5), api.unix.session.get(url) as response:
            assert json.loads(await response.content.readline())["message"] == "first"
            assert await response.content.readline() == b"\n"
            assert await response.content.readline() == b"\n"


async def test_a_stream_that_breaks_off_says_so_in_its_last_line(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web(api)
    monkeypatch.setattr(api.box.engine, "logs", Told(fails=True).logs)
    first, last = await lines_of(api.unix, "/v1/services/web/logs")
    assert first["message"] == "first"
    assert last["code"] == "engine-unavailable"
    assert last["requestId"]


async def test_an_engine_that_is_away_is_a_plain_error(api: Served) -> None:
    await web(api)
    await api.box.engine.outside.go_down()
    status, body = await api.unix.get("/v1/services/web/logs")
    assert (status, body["code"]) == (503, "engine-unavailable")


async def test_a_service_without_a_container_has_no_output(api: Served) -> None:
    await api.box.given_target(target(service("web", "1", state="stopped")))
    status, body = await api.unix.get("/v1/services/web/logs")
    assert (status, body["code"]) == (404, "not-found")


async def test_the_end_of_the_agent_cuts_followers_off(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    async with serving(box) as api:
        await web(api)
        monkeypatch.setattr(api.box.engine, "logs", told.logs)
        response = await api.unix.session.get(f"{api.unix.base}/v1/services/web/logs?follow=1")
        await response.content.readline()
        api.task.cancel()
        async with asyncio.timeout(5):
            with pytest.raises(aiohttp.ClientPayloadError):  # no last chunk
                await response.read()
            await asyncio.wait({api.task})
    assert told.listening == 0


async def test_too_many_followers_are_turned_away(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web(api)
    monkeypatch.setattr(api.box.engine, "logs", Told().logs)
    url = f"{api.unix.base}/v1/services/web/logs?follow=1"
    held = [await api.unix.session.get(url) for _ in range(16)]
    try:
        status, body = await api.unix.get("/v1/services/web/logs?follow=1")
        assert (status, body["code"]) == (429, "busy")
    finally:
        for response in held:
            response.close()


async def test_the_agents_log_is_shown_by_level_and_followed(api: Served) -> None:
    log = api.box.book.logger()
    for message in ("said 1", "said 2", "said 3"):
        log.info(message)
    log.warning("mind this", step="here")

    shown = await lines_of(api.unix, "/v1/logs?tail=3")
    assert [line["message"] for line in shown] == ["said 2", "said 3", "mind this"]
    (warned,) = await lines_of(api.unix, "/v1/logs?tail=1&level=warn")
    assert warned["context"] == {"step": "here"}
    assert await lines_of(api.unix, "/v1/logs?tail=0") == []

    url = f"{api.unix.base}/v1/logs?follow=true&tail=0&level=warn"
    async with asyncio.timeout(10), api.unix.session.get(url) as response:
        log.info("not this")
        log.warning("but this")
        found: Mapping[str, Any] = {}
        while not found:
            line = await response.content.readline()
            found = json.loads(line) if line.strip() else {}
        assert found["message"] == "but this"
