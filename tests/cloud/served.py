"""The real cloud on a real socket, in this process, with a clock of the test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import uvicorn

from iotistic.cloud.connections import BoundedHttp
from tests.cloud.joining import Device
from tests.cloud.running import ManualClock, Running, running_cloud

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Served:
    """Where it listens, and the key of a device that has joined it."""

    url: str
    key: str
    running: Running


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served_cloud(database: Path, now_ms: Callable[[], int]) -> AsyncIterator[Served]:
    """Serve this database; dates of answers are by `now_ms` as well."""
    clock = ManualClock(now_ms())
    async with running_cloud(database, clock=clock) as running:
        device_key = await Device(running, (await running.new_key())["key"]).joined()
        inner: Any = running.cloud.app

        async def dated(scope: Scope, receive: Receive, send: Send) -> None:
            async def with_date(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    date = formatdate(clock.now_ms / 1000, usegmt=True).encode()
                    message["headers"] = [*message["headers"], (b"date", date)]
                await send(message)

            clock.now_ms = now_ms()
            await inner(scope, receive, with_date)

        config = uvicorn.Config(
            dated,
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
        )
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
            listening.setblocking(False)
            server = _Server(config)
            task = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                while not server.started:
                    if task.done():
                        task.result()
                    await asyncio.sleep(0.005)
                yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", device_key, running)
            finally:
                server.should_exit = True
                await task
