"""Following a device's log, over a real connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from iotistic.cloud.connections import BoundedHttp
from iotistic.cloud.db.database import Database
from iotistic.cloud.records import stream
from iotistic.cloud.records.follow import Bells
from iotistic.cloud.records.query import LogQuery
from iotistic.cloud.records.shelf import Shelf
from iotistic.cloud.records.stream import LogStream
from tests.cloud.records.sending import DEVICE, LOGS, line, send
from tests.cloud.running import TOKENS, Running, bearer, url_of

Event = tuple[str, dict[str, Any]]


@pytest.fixture
async def url(cloud: Running) -> AsyncIterator[str]:
    """Where the cloud listens."""
    config = uvicorn.Config(cloud.cloud.app, http=BoundedHttp, log_config=None, lifespan="off")
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedHttp(config, state, {}), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
        cloud.cloud.bells.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*state.tasks)


class Follower:
    """One who follows; `next` gives an event's id and its line."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        self._lines = reply.aiter_lines()

    async def next(self) -> Event:
        cursor = ""
        async with asyncio.timeout(10):
            async for text in self._lines:
                if text.startswith("id: "):
                    cursor = text[4:]
                if text.startswith("data: "):
                    return cursor, json.loads(text[6:])
        raise AssertionError("the stream ended")

    async def messages(self, count: int) -> list[str]:
        return [(await self.next())[1]["message"] for _ in range(count)]

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            return [text async for text in self._lines if text.startswith("data")] == []


@asynccontextmanager
async def following(url: str, query: str = "", **headers: str) -> AsyncIterator[Follower]:
    sent = bearer(TOKENS["viewer"]) | {name.replace("_", "-"): it for name, it in headers.items()}
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", f"{url}{DEVICE}/logs?follow=1{query}", headers=sent) as reply,
    ):
        yield Follower(reply)


@pytest.fixture
async def key(cloud: Running) -> str:
    return await cloud.o1_device()


async def test_the_last_lines_come_and_then_those_that_are_written(
    cloud: Running, url: str, key: str
) -> None:
    await send(cloud, key, line("one"), line("two"), path=LOGS)

    async with following(url, "&limit=1") as follower:
        assert follower.reply.headers["content-type"].startswith("text/event-stream")
        assert await follower.messages(1) == ["two"]
        await send(cloud, key, line("three"), path=LOGS)
        assert await follower.messages(1) == ["three"]


async def test_whoever_was_cut_off_goes_on_behind_the_last_line(
    cloud: Running, url: str, key: str
) -> None:
    await send(cloud, key, line("one"), path=LOGS)
    async with following(url) as follower:
        cursor, _ = await follower.next()
    await send(cloud, key, line("two"), line("three"), path=LOGS)

    async with following(url, Last_Event_ID=cursor) as follower:
        assert await follower.messages(2) == ["two", "three"]
    async with following(url, f"&after={cursor}") as follower:
        assert await follower.messages(2) == ["two", "three"]


async def test_only_the_lines_that_are_asked_for_come(cloud: Running, url: str, key: str) -> None:
    async with following(url, "&service=db&level=warn") as follower:
        lines = [line("a", serviceName="db"), line("b", level="error")]
        await send(cloud, key, *lines, path=LOGS)
        await send(cloud, key, line("c", serviceName="db", level="warn"), path=LOGS)
        assert await follower.messages(1) == ["c"]


async def test_much_that_came_meanwhile_comes_in_pieces_and_in_order(
    cloud: Running, url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_PIECE", 7)
    await send(cloud, key, *(line(str(n)) for n in range(50)), path=LOGS)

    async with following(url, "&after=0") as follower:
        assert await follower.messages(50) == [str(n) for n in range(50)]


async def test_lines_that_another_process_took_come_with_the_next_sign_of_life(
    cloud: Running, second: Running, url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ALIVE_S", 0.05)
    async with following(url) as follower:
        await send(second, key, line("elsewhere"), path=LOGS)

        assert await follower.messages(1) == ["elsewhere"]


async def test_it_ends_so_that_rights_are_looked_at_again(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "FOLLOW_S_MAX", 0.05)

    async with following(url) as follower:
        assert await follower.ended()


async def test_when_the_cloud_stops_nobody_is_waited_for(
    cloud: Running, url: str, key: str
) -> None:
    async with following(url) as follower:
        await send(cloud, key, line("one"), path=LOGS)
        await follower.next()
        cloud.cloud.bells.close()
        assert await follower.ended()


async def test_many_may_follow_but_not_too_many(
    cloud: Running, url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud.cloud.bells, "_followers_max", 1)
    async with following(url, "&after=0") as follower:
        await send(cloud, key, line("one"), path=LOGS)
        await follower.next()

        reply = await cloud.ask("GET", f"{DEVICE}/logs?follow=1", who="viewer")

    assert (reply.status_code, reply.json()["code"]) == (429, "too-many-followers")


class CountingShelf(Shelf):
    """Counts the looks for new lines."""

    looks = 0

    async def logs_after(
        self, device_id: int, query: LogQuery, cursor: int
    ) -> tuple[list[dict[str, Any]], int]:
        self.looks += 1
        return await super().logs_after(device_id, query, cursor)


async def test_many_who_follow_the_same_cost_one_look(
    cloud: Running, database: Path, key: str
) -> None:
    store = await asyncio.to_thread(Database, url_of(database))
    shelf, bells = CountingShelf(store), Bells()
    log_stream = LogStream(shelf, bells)
    streams = [log_stream.events(1, LogQuery(), after=0) for _ in range(50)]
    await asyncio.gather(*(anext(one) for one in streams))  # a sign of life
    await send(cloud, key, line("one"), path=LOGS)
    bells.ring(1)

    pieces = await asyncio.gather(*(anext(one) for one in streams))

    assert all(b'"one"' in piece for piece in pieces)
    assert shelf.looks == 1
    await asyncio.gather(*(one.aclose() for one in streams))
    await store.close()


async def test_a_bell_rings_for_its_device_only() -> None:
    bells = Bells()
    with bells.listening(1) as one, bells.listening(2) as two:
        bells.ring(1)

    assert (one.is_set(), two.is_set()) == (True, False)
