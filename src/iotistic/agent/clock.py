"""Time, handed in: durations by a monotonic clock that counts sleep, wall time as a label only."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any, Protocol


class Clock(Protocol):
    """What the agent may know about time.

    `now_s` never goes back within one boot, counts suspended time, and is the same for every
    process of that boot, so a deadline may be kept across a restart of the agent together with
    `boot_id`. Across a reboot only the remaining span means anything.
    """

    @property
    def boot_id(self) -> str:
        """Changes with every boot of the host."""
        ...

    def now_s(self) -> float:
        """Seconds on the boot clock."""
        ...

    def wall_ms(self) -> int:
        """Unix milliseconds. May be wrong or jump: for display and for the wire only."""
        ...

    async def sleep(self, span_s: float) -> None:
        """Return `span_s` seconds later."""
        ...


class SystemClock:
    """The host's own clocks."""

    def __init__(self) -> None:
        self._boot_id = _read_boot_id()

    @property
    def boot_id(self) -> str:
        """The kernel's boot id."""
        return self._boot_id

    def now_s(self) -> float:
        """Seconds since boot, suspend included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep(self, span_s: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(max(0.0, span_s))


async def sleep_unless(woken: asyncio.Event, span_s: float, clock: Clock) -> None:
    """Return `span_s` seconds later (never, if infinite), or as soon as `woken` is set."""
    if woken.is_set() or span_s <= 0:
        return
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(woken.wait())]
    if span_s != math.inf:
        waits.append(asyncio.ensure_future(clock.sleep(span_s)))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _read_boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    try:
        return path.read_text("ascii").strip()
    except OSError:
        # Without it every start of the agent counts as a boot: deadlines restart, none is missed.
        return f"start-{time.time_ns()}"
