"""class Recorder: writes the figures down as records, with or without a cloud."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.logs import AgentLogger
from iotistic.agent.telemetry.metrics import ContainerUsage, Details, Metrics
from iotistic.agent.telemetry.points import host_point, host_record, service_record
from iotistic.model.records import RecordClass
from iotistic.model.words import LogComponent


class PointSource(Protocol):
    """The host's figures; OSError when they cannot be read."""

    async def read(self) -> Metrics:
        """The cheap ones, each since the reading before."""
        ...


class DetailSource(Protocol):
    """The figures that cost more; OSError when they cannot be read."""

    async def read_details(self) -> Details:
        """Processes and interfaces."""
        ...

    async def read_containers(self) -> Sequence[ContainerUsage]:
        """What the containers use; never raises."""
        ...


class Records(Protocol):
    """Where records wait to leave the device."""

    def offer(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> None:
        """Take one; never blocks, never raises."""
        ...


class Recorder:
    """One record for the host, and one for each running container, every `interval_s`.

    `host` is nobody else's, so that a point is about the whole interval. The first reading is only
    what the next one is compared with.
    """

    def __init__(
        self,
        *,
        host: PointSource,
        details: DetailSource,
        latency_ms: Callable[[], float | None],
        records: Records,
        interval_s: Callable[[], float],
        clock: Clock,
        log: AgentLogger,
    ) -> None:
        self._host = host
        self._details = details
        self._latency_ms = latency_ms
        self._records = records
        self._interval_s = interval_s
        self._clock = clock
        self._log = log.bind(component=LogComponent.AGENT)
        self._changed = asyncio.Event()
        self._failing = False

    def intervals_changed(self) -> None:
        """The interval may be another one now."""
        self._changed.set()

    async def run(self) -> None:
        """Record until cancelled."""
        began_s = self._clock.now_s()
        await self._read()
        await self._details.read_containers()
        while True:
            while (left_s := began_s + self._interval_s() - self._clock.now_s()) > 0:
                self._changed.clear()
                await sleep_unless(self._changed, left_s, self._clock)
            began_s = self._clock.now_s()
            at_ms = self._clock.wall_ms()
            if (found := await self._read()) is not None:
                point = host_point(*found, self._latency_ms())
                self._records.offer(RecordClass.METRIC, host_record(point), at_ms=at_ms)
            for usage in await self._details.read_containers():
                self._records.offer(RecordClass.METRIC, service_record(usage), at_ms=at_ms)

    async def _read(self) -> tuple[Metrics, Details] | None:
        try:
            found = await self._host.read(), await self._details.read_details()
        except OSError as error:
            say = self._log.debug if self._failing else self._log.warning
            say("metrics cannot be read", error=str(error))
            self._failing = True
            return None
        self._failing = False
        return found
