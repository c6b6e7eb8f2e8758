"""Safe mode: the agent answers and reports, and applies nothing, until the cause may be gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.logs import AgentLogger
from iotistic.agent.survival.last_run import STABLE_S, RunMode, trial_after_s
from iotistic.agent.survival.run_record import RunRecord
from iotistic.model.errors import EngineUnavailable, IotisticError, Refused
from iotistic.model.observation import Container
from iotistic.model.words import LogComponent

LOOK_EVERY_S = 60.0


class Engine(Protocol):
    """What is asked of the engine: what there is, for the report."""

    async def containers(self) -> tuple[Container, ...]:
        """All containers of this device."""
        ...


Keep = Callable[[Any, str | None], Awaitable[bool]]
"""Stores a target without applying it; whether it is a new one. Raises what `offer_target` does."""


class SafeMode:
    """Whether this run applies targets, and how that ends.

    `show` takes why nothing is applied and what the engine has; `tell` takes an event.
    """

    def __init__(
        self,
        record: RunRecord,
        *,
        engine: Engine,
        keep: Keep,
        show: Callable[[IotisticError, Sequence[Container]], None],
        restart: Callable[[], None],
        tell: Callable[[Mapping[str, Any]], None],
        clock: Clock,
        log: AgentLogger,
    ) -> None:
        self._record = record
        self._engine = engine
        self._keep = keep
        self._show = show
        self._restart = restart
        self._tell = tell
        self._clock = clock
        self._log = log.bind(component=LogComponent.SUPERVISOR)
        self._leaving = asyncio.Event()
        self._trial_s: float | None = None

    @property
    def is_on(self) -> bool:
        """Nothing is applied in this run."""
        return self._record.mode is RunMode.SAFE

    def as_json(self) -> dict[str, Any]:
        """How it stands."""
        trial_s = self._trial_s
        left_s = None if trial_s is None else max(0.0, trial_s - self._clock.now_s())
        return {
            "active": self.is_on,
            "crashes": self._record.run.crashes,
            "because": self._record.run.why or None,
            "triesAgainInMs": None if left_s is None else int(left_s * 1000),
        }

    @property
    def error(self) -> IotisticError:
        """Why nothing is applied."""
        run = self._record.run
        return Refused(
            f"safe mode after {run.crashes} fast crashes in a row ({run.why}): services go on, "
            "nothing is applied",
            code="safe-mode",
            remedy="correct the target, or try again now: iotctl safe-mode leave",
        )

    async def run(self) -> None:
        """In safe mode wait for its end; else note when the agent has proved to be well."""
        if not self.is_on:
            await self._clock.sleep(STABLE_S)
            await asyncio.to_thread(self._record.stable)
            return
        run = self._record.run
        self._log.error("safe mode, nothing is applied", crashes=run.crashes, because=run.why)
        self._tell({"event": "safe-mode", "crashes": run.crashes, "because": run.why})
        self._trial_s = self._clock.now_s() + trial_after_s(run.trials)
        while not self._leaving.is_set() and self._clock.now_s() < self._trial_s:
            self._show(self.error, await self._look())
            left_s = max(0.0, self._trial_s - self._clock.now_s())
            await sleep_unless(self._leaving, min(LOOK_EVERY_S, left_s), self._clock)
        if not self._leaving.is_set():
            self._log.info("safe mode ends, applying is tried again")
            await asyncio.to_thread(self._record.try_normal)
        self._restart()

    async def _look(self) -> Sequence[Container]:
        try:
            return await self._engine.containers()
        except EngineUnavailable as error:
            self._log.debug("containers not seen", code=error.code)
            return ()

    async def offer(self, document: Any, etag: str | None) -> None:
        """Store a target that the cloud offers. A new one ends safe mode: it may be the remedy."""
        if await self._keep(document, etag):
            await self.leave("a new target came")

    async def leave(self, because: str) -> bool:
        """Begin anew as if nothing had happened; False when this is no safe mode."""
        if not self.is_on:
            return False
        self._log.info("safe mode is left", because=because)
        await asyncio.to_thread(self._record.forgive)
        self._leaving.set()
        return True
