"""Waiting until a time or a wake-up call, whichever comes first."""

from __future__ import annotations

import asyncio

from iotistic.agent.clock import Clock, sleep_unless


class Alarm:
    """Level-triggered: a call that comes while nobody waits is not lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the one who waits, now or when it next waits."""
        self._rung.set()

    async def wait(self, until_s: float) -> None:
        """Return at `until_s` on the clock, or when rung."""
        await sleep_unless(self._rung, until_s - self._clock.now_s(), self._clock)
        self._rung.clear()
