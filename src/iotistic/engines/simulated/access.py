"""The one way to a simulated engine's state: settled to this instant, then changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from iotistic.engines.simulated.daemon import Daemon
from iotistic.engines.simulated.shelf import Shelf
from iotistic.engines.simulated.state import EngineState

T = TypeVar("T")


class EngineClock(Protocol):
    """The time a simulated engine lives in; the agent's own clock fits."""

    @property
    def boot_id(self) -> str:
        """Changes with every boot: what ran has ended, and restart policies apply."""
        ...

    def now_s(self) -> float:
        """Seconds on a clock that never goes back within one boot."""
        ...

    def wall_ms(self) -> int:
        """Unix milliseconds, for labels."""
        ...

    async def sleep(self, span_s: float) -> None:
        """Return `span_s` seconds later."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """A shelf, and the time in which it is looked at."""

    shelf: Shelf
    clock: EngineClock

    async def apply(self, change: Callable[[Daemon], T]) -> T:
        """Make one change, after all that was due by itself."""
        boot_id, now_s, wall_ms = self.clock.boot_id, self.clock.now_s(), self.clock.wall_ms()

        def settled(state: EngineState) -> T:
            daemon = Daemon(state, now_s, wall_ms)
            daemon.settle(boot_id)
            return change(daemon)

        return await self.shelf.apply(settled)

    async def glance(self, look: Callable[[Daemon], T]) -> tuple[T, int, float | None]:
        """What `look` sees, and what `wait` needs to know to wait for news."""
        return await self.apply(
            lambda daemon: (look(daemon), daemon.state.counter, daemon.next_due_s())
        )

    async def wait(self, counter: int, due_s: float | None) -> None:
        """Return when something may have changed since that glance."""
        spans = [] if due_s is None else [max(0.0, due_s - self.clock.now_s())]
        spans += [] if self.shelf.poll_s is None else [self.shelf.poll_s]
        waits = [asyncio.ensure_future(self.shelf.changed(counter))]
        if spans:
            waits.append(asyncio.ensure_future(self.clock.sleep(min(spans))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
