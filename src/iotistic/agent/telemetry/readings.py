"""The host's and the containers' figures, read once for everybody who wants them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.telemetry.containers import ContainerReader
from iotistic.agent.telemetry.metrics import ContainerUsage, Details, Metrics


class HostReader(Protocol):
    """Reads the host's figures; OSError when that fails altogether."""

    async def read(self) -> Metrics:
        """The cheap ones."""
        ...

    async def read_details(self) -> Details:
        """Processes and interfaces."""
        ...


class Readings:
    """What costs much is read anew only when half of `interval_s` has passed: the report and the
    recorded points want the same, each at its own time.

    The containers are read by `read_containers` alone. An engine takes its time with them (Docker
    a second for some of them at once), and no report shall wait for that: it tells them as they
    were last.
    """

    def __init__(
        self,
        host: HostReader,
        containers: ContainerReader,
        *,
        interval_s: Callable[[], float],
        clock: Clock,
    ) -> None:
        self._host = host
        self._containers = containers
        self._interval_s = interval_s
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_s = -math.inf
        self._details = Details()
        self._usages: tuple[ContainerUsage, ...] = ()

    @property
    def details(self) -> Details:
        """The ones that cost more, as they were read last."""
        return replace(self._details, containers=self._usages)

    async def read(self) -> Metrics:
        """The figures that are cheap to read."""
        return await self._host.read()

    async def read_details(self) -> Details:
        """Processes and interfaces; the containers as they were read last."""
        async with self._reading:
            if self._clock.now_s() - self._read_s >= self._interval_s() / 2:
                # Set first: what cannot be read is not tried again by the next one who asks.
                self._read_s = self._clock.now_s()
                self._details = await self._host.read_details()
        return self.details

    async def read_containers(self) -> tuple[ContainerUsage, ...]:
        """What the containers use; may take some seconds. One reading at a time."""
        self._usages = await self._containers.read()
        return self._usages
