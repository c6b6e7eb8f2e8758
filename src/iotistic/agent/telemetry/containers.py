"""What our containers use, asked of the engine: a few at a time, and not for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.telemetry.metrics import ContainerUsage
from iotistic.agent.telemetry.rates import per_s
from iotistic.engines.protocol import ContainerStats
from iotistic.model.errors import EngineUnavailable, IotisticError
from iotistic.model.observation import Container
from iotistic.model.words import ContainerState

CONTAINERS_MAX = 200
AT_ONCE = 16
"""Docker 20.10 reads once a second for all who ask, so a few would take a second each."""
WITHIN_S = 30.0
"""For all of them together: what the engine has not said by then is left out this time."""
_COUNTED = (ContainerState.RUNNING, ContainerState.PAUSED)


class StatsEngine(Protocol):
    """What is asked of the engine."""

    async def stats(self, container_id: str) -> ContainerStats | None:
        """What the container used since its start."""
        ...


@dataclass(frozen=True, slots=True)
class _Reading:
    stats: ContainerStats
    at_s: float


class ContainerReader:
    """Reads what the containers of the last look use. One reading at a time."""

    def __init__(
        self,
        engine: StatsEngine,
        containers: Callable[[], Sequence[Container]],
        clock: Clock,
        *,
        cores: int | None = None,
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._clock = clock
        self._cores = cores or os.cpu_count() or 1
        self._before: Mapping[str, _Reading] = {}

    async def read(self) -> tuple[ContainerUsage, ...]:
        """What the running ones use, in the order of their names; never raises.

        One that cannot be read is left out. An engine that does not answer is asked no further.
        """
        found = [c for c in self._containers() if c.state in _COUNTED]
        found = sorted(found, key=lambda c: (c.app_id, c.service_name, c.id))[:CONTAINERS_MAX]
        readings: dict[str, _Reading] = {}
        left = iter(found)

        async def ask() -> None:
            for container in left:
                try:
                    stats = await self._engine.stats(container.id)
                except EngineUnavailable:
                    return  # the reconciler tells of it
                except IotisticError:
                    continue
                if stats is not None:
                    readings[container.id] = _Reading(stats, self._clock.now_s())

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(found))):
                    group.create_task(ask())
        before, self._before = self._before, dict(readings)
        return tuple(
            self._usage(container, before.get(container.id), readings[container.id])
            for container in found
            if container.id in readings
        )

    def _usage(
        self, container: Container, before: _Reading | None, now: _Reading
    ) -> ContainerUsage:
        stats = now.stats
        # What counted up from the start of the container is compared with what it was; after a
        # restart it counts from zero again, and no rate is known until the next reading.
        held = before.stats if before is not None else ContainerStats()
        span_s = now.at_s - before.at_s if before is not None else 0.0
        cpu_ns_per_s = per_s(held.cpu_ns, stats.cpu_ns, span_s)
        return ContainerUsage(
            app_id=container.app_id,
            service_id=container.service_id,
            service_name=container.service_name,
            cpu_percent=None if cpu_ns_per_s is None else self._share(cpu_ns_per_s),
            memory_bytes=stats.memory_bytes,
            memory_limit_bytes=stats.memory_limit_bytes,
            rx_bytes_per_s=per_s(held.rx_bytes, stats.rx_bytes, span_s),
            tx_bytes_per_s=per_s(held.tx_bytes, stats.tx_bytes, span_s),
            read_bytes_per_s=per_s(held.read_bytes, stats.read_bytes, span_s),
            written_bytes_per_s=per_s(held.written_bytes, stats.written_bytes, span_s),
            pids=stats.pids,
        )

    def _share(self, cpu_ns_per_s: float) -> float:
        return round(min(100.0, 100.0 * cpu_ns_per_s / 1e9 / self._cores), 2)
