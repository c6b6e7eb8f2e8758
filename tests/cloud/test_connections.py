"""Callers who never finish: heads without end, requests without patience."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from iotistic.cloud import connections
from iotistic.cloud.connections import HEAD_BYTES_MAX, PIPELINE_MAX, BoundedHttp

GET = b"GET / HTTP/1.1\r\nHost: cloud\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(0.4)
    while scope["path"] != "/refused" and (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def streams(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Streams]:
    monkeypatch.setattr(connections, "TIMEOUT_S", 0.2)
    config = uvicorn.Config(app, http=BoundedHttp, log_config=None, lifespan="off")
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedHttp(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All until the server hangs up."""
    found = bytearray()
    async with asyncio.timeout(5):
        try:
            while chunk := await reader.read(65536):
                found += chunk
        except ConnectionError:
            pass
    return bytes(found)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: cl"])
async def test_a_head_that_does_not_come_ends_the_connection(streams: Streams, said: bytes) -> None:
    reader, writer = streams
    writer.write(said)

    assert await rest(reader) == b""


async def test_a_second_head_is_waited_for_as_long_as_the_first(streams: Streams) -> None:
    reader, writer = streams
    writer.write(GET)
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.write(b"GET / HT")

    assert await rest(reader) == b""


async def test_a_head_has_time_limits_and_a_body_has_others(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"POST / HTTP/1.1\r\nHost: cloud\r\nContent-Length: 2\r\n\r\n")
    await asyncio.sleep(0.4)
    writer.write(b"{}")

    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_the_rest_of_a_refused_body_is_not_taken_for_ever(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"POST /refused HTTP/1.1\r\nHost: cloud\r\nContent-Length: 99999\r\n\r\n{")
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(5):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)


async def test_the_rest_of_a_refused_body_may_come_before_the_next_request(
    streams: Streams,
) -> None:
    reader, writer = streams
    writer.write(b"POST /refused HTTP/1.1\r\nHost: cloud\r\nContent-Length: 2\r\n\r\n{")
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.write(b"}" + GET)

    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("part", [b"A: 1\r\n" * 10_000, b"x" * 60_000])
async def test_a_head_without_end_is_refused(streams: Streams, part: bytes) -> None:
    reader, writer = streams
    writer.write(b"GET / HTTP/1.1\r\nHost: cloud\r\nB: ")
    for _ in range(20):
        writer.write(part)

    answer = await rest(reader)

    # The answer is lost where the caller still sends when the connection ends.
    if answer:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        assert json.loads(body)["code"] == "request-header-fields-too-large"


async def test_a_long_body_right_behind_a_head_is_no_head(streams: Streams) -> None:
    reader, writer = streams
    size = 4 * HEAD_BYTES_MAX
    writer.write(b"POST / HTTP/1.1\r\nHost: cloud\r\nContent-Length: %d\r\n\r\n" % size)
    writer.write(b"x" * size)
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.write(GET)

    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_a_few_requests_in_a_row_are_answered_in_turn(streams: Streams) -> None:
    reader, writer = streams
    writer.write(GET * PIPELINE_MAX)

    for _ in range(PIPELINE_MAX):
        assert b"HTTP/1.1 200" in await reader.readuntil(b"ok")


async def test_who_asks_on_and_on_without_waiting_is_cut_off(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"GET /slow HTTP/1.1\r\nHost: cloud\r\n\r\n" + GET * 5000)

    assert (await rest(reader)).count(b"HTTP/1.1") <= 1


async def test_what_is_no_http_is_refused_in_the_form_of_all_errors(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"hello\r\n\r\n")

    head, _, body = (await rest(reader)).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert set(json.loads(body)) == {"error", "message", "code", "requestId"}
