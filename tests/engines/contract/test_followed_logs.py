"""Containers' output followed from start to end, on either engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from iotistic.agent.clock import SystemClock
from iotistic.agent.container_logs import ContainerLogs, ContainerLogSettings, LogRate
from iotistic.agent.logs import LogBook, LogLevel
from iotistic.agent.outbox import Outbox, default_quotas
from iotistic.model.observation import Container
from iotistic.model.records import RecordClass
from iotistic.model.service import RestartName, RestartPolicy
from iotistic.model.words import ContainerState
from tests.engines.builders import eventually, request
from tests.engines.contract.sites import ONESHOT, SLEEPER, Site

SETTINGS = ContainerLogSettings(
    enabled=True,
    rate=LogRate(lines_s=100, burst=1000, bytes_s=10**6),
    shares=dict.fromkeys(LogLevel, 1.0),
)


class Following:
    """The room at work on a site's engine."""

    def __init__(self, site: Site, outbox: Outbox, clock: SystemClock) -> None:
        self._site = site
        self._outbox = outbox
        self._listing: Sequence[Container] | None = None
        self.room = ContainerLogs(
            engine=site.engine,
            outbox=outbox,
            containers=lambda: self._listing,
            hidden_in=lambda _: (),
            mask=lambda text: text,
            settings=lambda: SETTINGS,
            on_error=lambda: None,
            clock=clock,
            rng=Random(1),
            log=LogBook(clock).logger(),
        )

    async def look(self) -> None:
        self._listing = await self._site.engine.containers()
        self.room.changed()

    async def messages(self) -> list[str]:
        batch = await self._outbox.take([RecordClass.LOG], records_max=1000, bytes_max=10**7)
        return [record.data["message"] for record in batch.records] if batch else []

    async def until_said(self, last: str) -> list[str]:
        return await eventually(self.messages, lambda seen: last in seen)


@asynccontextmanager
async def following(site: Site, folder: Path, clock: SystemClock) -> AsyncIterator[Following]:
    async with Outbox.open(
        folder / "outbox.sqlite",
        clock,
        LogBook(clock).logger(),
        quotas=default_quotas(64),
        clock_synced=lambda: True,
    ) as outbox:
        found = Following(site, outbox, clock)
        await found.look()
        task = asyncio.create_task(found.room.run())
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_lines_come_once_and_in_order_whenever_nobody_listens(
    site: Site, tmp_path: Path, clock: SystemClock
) -> None:
    said = [f"line {number}" for number in range(30)]
    async with following(site, tmp_path, clock) as found:
        container_id = await site.engine.create_container(request(site.uuid, reference=SLEEPER))
        await site.engine.start(container_id)
        await found.look()
        await site.say(container_id, *said[:10])
        await found.until_said("line 9")
    await site.say(container_id, *said[10:20])
    async with following(site, tmp_path, clock) as found:
        await found.until_said("line 19")
        await site.engine.restart(container_id, grace_s=5, seen_start=None)
        await site.say(container_id, *said[20:])
        messages = await found.until_said("line 29")

    greeting = messages[0]
    assert messages == [greeting, *said[:20], greeting, *said[20:]]


async def test_the_only_words_of_a_container_that_is_gone_at_once_are_heard(
    site: Site, tmp_path: Path, clock: SystemClock
) -> None:
    async with following(site, tmp_path, clock) as found:
        made = request(
            site.uuid,
            "job",
            reference=ONESHOT,
            environment={"MESSAGE": "started"},
            restart=RestartPolicy(name=RestartName.NO),
        )
        container_id = await site.engine.create_container(made)
        await site.engine.start(container_id)
        await eventually(
            site.engine.containers, lambda seen: seen[0].state is ContainerState.EXITED
        )
        await found.look()

        assert await found.until_said("started") == ["started"]
