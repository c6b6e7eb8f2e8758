"""Waiting until a time or a wake-up call, whichever comes first."""

from __future__ import annotations

import asyncio

from iotistic.agent.clock import Clock


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
        if not self._rung.is_set() and until_s > self._clock.now_s():
            timer = asyncio.ensure_future(self._clock.sleep(until_s - self._clock.now_s()))
            bell = asyncio.ensure_future(self._rung.wait())
            try:
                await asyncio.wait((timer, bell), return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                bell.cancel()
        self._rung.clear()
