"""The agent begins afresh every so many days."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import Random

from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.logs import AgentLogger
from iotistic.model.words import LogComponent

DAY_S = 24 * 3600.0
SPREAD_S = 3600.0
"""A fleet that started together, after a power cut say, does not restart together."""
_LOOK_EVERY_S = 3600.0


def due_s(days: int, *, started_s: float, spread_s: float) -> float:
    """When an agent that started at `started_s` restarts; never for 0 days. Boot clock."""
    return started_s + days * DAY_S + spread_s if days else math.inf


class ScheduledRestart:
    """Asks for a restart of the agent `days()` after its start.

    The agent ends in order and comes back, as with `iotctl restart`: services are not touched, and
    work that was under way is taken up again by the next start.
    """

    def __init__(
        self,
        *,
        days: Callable[[], int],
        restart: Callable[[], None],
        clock: Clock,
        rng: Random,
        log: AgentLogger,
    ) -> None:
        self._days = days
        self._restart = restart
        self._clock = clock
        self._log = log.bind(component=LogComponent.CONFIG_MANAGER)
        self._started_s = clock.now_s()
        self._spread_s = rng.uniform(0.0, SPREAD_S)
        self._changed = asyncio.Event()

    def settings_changed(self) -> None:
        """The settings may say another span now."""
        self._changed.set()

    async def run(self) -> None:
        """Wait for the time, as the settings have it then; returns after asking."""
        while (left_s := self._due_s() - self._clock.now_s()) > 0:
            self._changed.clear()
            # Not in one go: the loop's own clock stands still while the host is suspended.
            await sleep_unless(self._changed, min(left_s, _LOOK_EVERY_S), self._clock)
        self._log.info("scheduled restart", after_days=self._days())
        self._restart()

    def _due_s(self) -> float:
        return due_s(self._days(), started_s=self._started_s, spread_s=self._spread_s)
