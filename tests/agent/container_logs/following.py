"""A device whose services' output is followed: simulated engine, real outbox, real followers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from iotistic.agent.container_logs import ContainerLogs, ContainerLogSettings, LogRate
from iotistic.agent.container_logs.container_logs import SWITCHED_ON
from iotistic.agent.container_logs.follower import Engine
from iotistic.agent.logs import LogBook, LogLevel
from iotistic.agent.outbox import Outbox, default_quotas
from iotistic.engines.simulated import MemoryShelf, SimulatedEngine, SimulatedImage
from iotistic.model.observation import Container
from iotistic.model.records import RecordClass
from iotistic.model.secret import Secret
from tests.agent.fast_clock import FastClock
from tests.engines.builders import request

IMAGE = "iotistic-test/sleeper:1"
ONESHOT = "iotistic-test/oneshot:1"
RATE = LogRate(lines_s=100, burst=1000, bytes_s=10**6)


class Following:
    """One run of the room on a device that outlives it."""

    def __init__(
        self, device: Device, outbox: Outbox, book: LogBook, through: Engine | None
    ) -> None:
        self.device = device
        self.outbox = outbox
        self.book = book
        self.errors: list[float] = []
        self.room = ContainerLogs(
            engine=through or device.engine,
            outbox=outbox,
            containers=lambda: device.listing,
            hidden_in=lambda _: device.secrets,
            mask=book.mask,
            settings=lambda: device.settings,
            on_error=lambda: self.errors.append(device.clock.now_s()),
            clock=device.clock,
            rng=Random(1),
            log=book.logger(),
        )

    async def look(self) -> None:
        """What the reconciler does: list the containers, and say so."""
        self.device.listing = await self.device.engine.containers()
        self.room.changed()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await self.device.clock.sleep(0.2)

    async def stored(self) -> list[dict[str, Any]]:
        """All lines that wait in the outbox."""
        batch = await self.outbox.take([RecordClass.LOG], records_max=100_000, bytes_max=10**9)
        return [dict(record.data) for record in batch.records] if batch else []

    async def messages(self) -> list[str]:
        return [line["message"] for line in await self.stored()]

    async def until_switched_on(self) -> None:
        async with asyncio.timeout(20):
            while SWITCHED_ON not in await self.outbox.cursors(SWITCHED_ON):
                await self.device.clock.sleep(0.2)

    async def until_stored_like(self, part: str) -> list[str]:
        """Wait until a line with these words is stored; all messages then."""
        async with asyncio.timeout(20):
            found = await self.messages()
            while not any(part in message for message in found):
                await self.device.clock.sleep(0.5)
                found = await self.messages()
        return found

    async def until_stored(self, last: str) -> list[str]:
        """Wait until a line is stored; all messages then."""
        async with asyncio.timeout(20):
            while last not in (found := await self.messages()):
                await self.device.clock.sleep(0.5)
        return found


class Device:
    """What stays: the engine, and the folder of the outbox."""

    def __init__(self, folder: Path, clock: FastClock | None = None) -> None:
        self.folder = folder
        self.uuid = str(uuid4())
        self.clock = clock or FastClock()
        self.engine = SimulatedEngine(self.uuid, self.clock, shelf=MemoryShelf())
        self.listing: Sequence[Container] | None = None
        self.secrets: Iterable[Secret] = ()
        self.settings = ContainerLogSettings(
            enabled=True, rate=RATE, shares=dict.fromkeys(LogLevel, 1.0)
        )

    async def add(self, service: str = "web", image: str = IMAGE, **spec: Any) -> str:
        """Make and start a container."""
        for known, ends_s in ((IMAGE, None), (ONESHOT, 0.05)):
            await self.engine.outside.load_image(
                SimulatedImage(reference=known, exits_after_s=ends_s)
            )
        made = request(self.uuid, service, reference=image, **spec)
        container_id = await self.engine.create_container(made)
        await self.engine.start(container_id)
        return container_id

    async def say(self, container_id: str, *lines: str) -> None:
        for line in lines:
            await self.engine.outside.say(container_id, line)

    @asynccontextmanager
    async def following(self, through: Engine | None = None) -> AsyncIterator[Following]:
        """The room runs; leaving the block kills it."""
        book = LogBook(self.clock)
        async with Outbox.open(
            self.folder / "outbox.sqlite",
            self.clock,
            book.logger(),
            quotas=default_quotas(64),
            clock_synced=lambda: True,
        ) as outbox:
            found = Following(self, outbox, book, through)
            await found.look()
            task = asyncio.create_task(found.room.run())
            try:
                yield found
            finally:
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled() and (error := task.exception()):
                    raise error
