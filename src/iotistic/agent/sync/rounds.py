"""class Rounds: the loop that every channel to the cloud has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from iotistic.agent.clock import Clock, sleep_unless


class Rounds:
    """One round after the other, each when it is due.

    `due_s()` is the time on the clock of the next one, infinity for never; it is asked again after
    each ring. A ring that comes while nobody waits is not lost.
    """

    def __init__(
        self, clock: Clock, due_s: Callable[[], float], one_round: Callable[[], Awaitable[None]]
    ) -> None:
        self._clock = clock
        self._due_s = due_s
        self._one_round = one_round
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """The next round may be due at another time than before."""
        self._rung.set()

    def next_in_s(self) -> float:
        """Seconds until the next round."""
        return max(0.0, self._due_s() - self._clock.now_s())

    async def run(self) -> None:
        """One round after the other until cancelled."""
        while True:
            while (left_s := self._due_s() - self._clock.now_s()) > 0:
                await sleep_unless(self._rung, left_s, self._clock)
                self._rung.clear()
            await self._one_round()
