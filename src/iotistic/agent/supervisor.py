"""Keeps services running: one that fails is started again, ever later; the others go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Protocol

from iotistic.agent.backoff import backoff_s
from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.model.errors import IotisticError
from iotistic.model.words import LogComponent

STABLE_S = 60.0
"""A service that ran this long is well: its next failure counts as the first."""


class Service(Protocol):
    """Something that runs until it is cancelled, and may be run again after it failed."""

    @property
    def name(self) -> str:
        """What logs and `/v1/health` call it."""
        ...

    async def run(self) -> None:
        """Work until cancelled. Returning means that there is nothing more to do."""
        ...


class ServiceState(StrEnum):
    """What a service is doing."""

    RUNNING = "running"
    BACKING_OFF = "backing-off"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """How a service fares. `restarts` counts since the agent's start; `error` is the last one.

    `started_at_ms` is the wall clock of its last start.
    """

    name: str
    state: ServiceState
    started_at_ms: int
    restarts: int = 0
    error: IotisticError | None = None


class Supervision:
    """The register of all supervised services."""

    def __init__(self) -> None:
        self._services: dict[str, ServiceHealth] = {}

    @property
    def services(self) -> Mapping[str, ServiceHealth]:
        """Every service by name, in the order of their first start."""
        return dict(self._services)

    @property
    def healthy(self) -> bool:
        """No service waits to be started again."""
        return all(s.state is not ServiceState.BACKING_OFF for s in self._services.values())

    def started(self, name: str, at_ms: int) -> None:
        """The service runs, again or for the first time."""
        before = self._services.get(name)
        self._services[name] = (
            ServiceHealth(name=name, state=ServiceState.RUNNING, started_at_ms=at_ms)
            if before is None
            else replace(before, state=ServiceState.RUNNING, started_at_ms=at_ms)
        )

    def failed(self, name: str, error: IotisticError) -> None:
        """The service failed and will be started again."""
        before = self._services[name]
        self._services[name] = replace(
            before, state=ServiceState.BACKING_OFF, restarts=before.restarts + 1, error=error
        )

    def done(self, name: str) -> None:
        """The service returned."""
        self._services[name] = replace(self._services[name], state=ServiceState.DONE)


async def supervise(
    service: Service, *, clock: Clock, rng: Random, log: AgentLogger, register: Supervision
) -> None:
    """Run `service`; start it again with full-jitter backoff whenever it raises an `Exception`.

    Returns when the service returns. Cancellation and the end of the process pass through.
    """
    log = log.bind(component=LogComponent.SUPERVISOR, service=service.name)
    failures = 0
    while True:
        started_s = clock.now_s()
        register.started(service.name, clock.wall_ms())
        failure = await _failure_of(service)
        if failure is None:
            register.done(service.name)
            return
        failures = 1 if clock.now_s() - started_s >= STABLE_S else failures + 1
        pause_s = backoff_s(failures, rng)
        register.failed(service.name, _told(failure))
        log.error("service failed", error=failure, failures=failures, retry_in_s=round(pause_s, 1))
        await clock.sleep(pause_s)


async def _failure_of(service: Service) -> Exception | None:
    try:
        await service.run()
    except Exception as error:  # noqa: BLE001 - whatever broke it, the other services go on
        return error
    return None


def _told(error: Exception) -> IotisticError:
    """The error as it may be shown: the text of one that is not ours may hold anything."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, IotisticError):
        return error
    return IotisticError(
        f"unexpected {type(error).__name__}", remedy="the agent's log says where: iotctl logs"
    )
