"""NDJSON streams: signs of life while nothing comes, an honest end, and nothing left running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web

from iotistic.agent.api.access import busy
from iotistic.agent.api.replies import error_body, request_id_of, stream_headers
from iotistic.model.errors import IotisticError

STREAMS_MAX = 16
SIGN_OF_LIFE_S = 15.0
_FIRST_LINE_S = 0.25
_CLOSED_LOOK_S = 1.0
"""How soon it is noticed that the reader is gone while nothing comes that could be sent."""

Lines = AsyncGenerator[Mapping[str, Any], None]


class Streams:
    """The streams under way. `cancel` cuts them all off, for the end of the agent."""

    def __init__(self, *, sign_of_life_s: float) -> None:
        self._sign_of_life_s = sign_of_life_s
        self._tasks: set[asyncio.Task[Any]] = set()

    def cancel(self) -> None:
        """Cut all streams off."""
        for task in tuple(self._tasks):
            task.cancel()

    async def send(self, request: web.Request, lines: Lines) -> web.StreamResponse:
        """Answer with `lines` until they end or the reader is gone; then they are closed.

        An error before the first line is an ordinary error reply; one after it is the last line.
        """
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= STREAMS_MAX:
            raise busy("too many streams at once")
        self._tasks.add(task)
        source = _Source(lines)
        try:
            return await self._send(request, source)
        finally:
            self._tasks.discard(task)
            await source.close()

    async def _send(self, request: web.Request, source: _Source) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={**stream_headers(request), "Content-Type": "application/x-ndjson"}
        )
        response.enable_chunked_encoding()
        # An engine that is away says so at once, and then the status can still tell.
        await source.ready(_FIRST_LINE_S)
        source.raise_if_failed()
        with suppress(ConnectionResetError):
            await response.prepare(request)
            try:
                async for line in self._with_signs_of_life(request, source):
                    await response.write(line)
            except IotisticError as error:
                await response.write(_encode(error_body(error, request_id_of(request))))
            await response.write_eof()
        return response

    async def _with_signs_of_life(
        self, request: web.Request, source: _Source
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        spoke_s = loop.time()
        while not _is_gone(request):
            if await source.ready(min(_CLOSED_LOOK_S, self._sign_of_life_s)):
                line = await source.next()
                if line is None:
                    return
                yield _encode(line)
                spoke_s = loop.time()
            elif loop.time() - spoke_s >= self._sign_of_life_s:
                yield b"\n"
                spoke_s = loop.time()
        raise ConnectionResetError


class _Source:
    """Lines, asked for ahead, so that waiting for the next one can be interrupted."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._next: asyncio.Task[Mapping[str, Any] | None] | None = None

    async def ready(self, timeout_s: float) -> bool:
        """Whether the next line, the end or a failure is here within the time."""
        done, _ = await asyncio.wait({self._ahead()}, timeout=timeout_s)
        return bool(done)

    def raise_if_failed(self) -> None:
        """Raise what the first line failed with."""
        ahead = self._ahead()
        if ahead.done() and ahead.exception() is not None:
            ahead.result()

    async def next(self) -> Mapping[str, Any] | None:
        """The next line; None at the end."""
        ahead, self._next = self._ahead(), None
        return await ahead

    async def close(self) -> None:
        """Stop asking, and close the lines."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
            if not self._next.cancelled():
                self._next.exception()  # taken notice of; the stream is over
        await self._lines.aclose()

    def _ahead(self) -> asyncio.Task[Mapping[str, Any] | None]:
        if self._next is None:
            self._next = asyncio.ensure_future(_next_of(self._lines))
        return self._next


async def _next_of(lines: Lines) -> Mapping[str, Any] | None:
    return await anext(lines, None)


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _encode(line: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(line) + b"\n"
