from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from iotistic.agent.config import ScheduledRestart
from iotistic.agent.config.scheduled_restart import DAY_S, SPREAD_S
from iotistic.agent.logs import LogBook
from tests.agent.config.builders import Device
from tests.agent.virtual_clock import VirtualClock

HOUR_S = 3600.0


def weekly(*, enabled: bool = True, days: int = 7) -> dict[str, object]:
    return {"settings": {"scheduledRestart": {"enabled": enabled, "intervalDays": days}}}


class Agent:
    """The part of an agent that restarts itself, with the settings that say when."""

    def __init__(self, *, rng: int = 1) -> None:
        self.clock = VirtualClock()
        self.device = Device()
        self.restarts = 0
        self.room = ScheduledRestart(
            days=lambda: self.device.settings.value("SCHEDULED_RESTART_DAYS"),
            restart=self._restart,
            clock=self.clock,
            rng=Random(rng),
            log=LogBook(self.clock).logger(),
        )

    def _restart(self) -> None:
        self.restarts += 1

    def told(self, config: dict[str, object]) -> None:
        self.device.config.take(config)
        self.room.settings_changed()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Agent]:
        task = asyncio.create_task(self.room.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_an_agent_restarts_after_as_many_days_as_the_cloud_says() -> None:
    agent = Agent()
    agent.told(weekly())
    async with agent.running():
        await agent.clock.advance(7 * DAY_S - 1)
        assert agent.restarts == 0
        await agent.clock.advance(SPREAD_S + 1)
        assert agent.restarts == 1


async def test_an_agent_that_nobody_told_to_never_restarts() -> None:
    agent = Agent()
    async with agent.running():
        await agent.clock.advance(400 * DAY_S)
    assert agent.restarts == 0


async def test_another_span_counts_at_once_from_the_start_of_the_agent() -> None:
    agent = Agent()
    async with agent.running():
        await agent.clock.advance(5 * DAY_S)
        agent.told(weekly(days=6))
        await agent.clock.advance(DAY_S - HOUR_S)
        assert agent.restarts == 0
        agent.told(weekly(days=3))
        await agent.clock.advance(1)
        assert agent.restarts == 1


async def test_a_restart_that_is_called_off_does_not_come() -> None:
    agent = Agent()
    agent.told(weekly())
    async with agent.running():
        await agent.clock.advance(6 * DAY_S)
        agent.told(weekly(enabled=False))
        await agent.clock.advance(30 * DAY_S)
    assert agent.restarts == 0


async def test_devices_that_started_together_do_not_restart_together() -> None:
    agents = [Agent(rng=seed) for seed in range(10)]
    for agent in agents:
        agent.told(weekly(days=1))
        async with agent.running():
            await agent.clock.advance(DAY_S + SPREAD_S / 2)
    assert 0 < sum(agent.restarts for agent in agents) < 10
