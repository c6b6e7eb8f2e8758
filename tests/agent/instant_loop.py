"""An event loop in which time passes only when nobody has anything to do, and then at once.

Work on a thread is waited for, since such a loop cannot know that a thread is still busy. So a run
of hours takes as long as its work, and two runs of the same story take the same steps in the same
order. An executor that the code makes for itself has to be a `Patient` one.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

START_S = 1000.0
START_MS = 1_760_000_000_000
_PATIENCE_S = 10.0


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but time, and not even for that."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:  # no time is waited for: what comes, comes from a thread that ends
            ready = super().select(_PATIENCE_S)
            assert ready, "everybody waits, and nothing will ever come"
            return ready
        ready = super().select(0)
        if not ready:
            self.now_s += max(0.0, timeout)
        return ready


class InstantLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._waiting = _Selector()
        super().__init__(self._waiting)
        self.set_default_executor(Patient())

    def time(self) -> float:
        return self._waiting.now_s


class Patient(ThreadPoolExecutor):
    """A thread on which everybody waits until it is done."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = super().submit(fn, *args, **kwargs)
        wait([future])
        return future


class InstantClock:
    """The clock of that loop. The wall's may be set to whatever a test likes."""

    boot_id = "boot-1"

    def __init__(self, loop: InstantLoop) -> None:
        self._loop = loop
        self.wall_offset_ms = START_MS

    def now_s(self) -> float:
        return START_S + self._loop.time()

    def wall_ms(self) -> int:
        return self.wall_offset_ms + int(self._loop.time() * 1000)

    async def sleep(self, span_s: float) -> None:
        await asyncio.sleep(max(0.0, span_s))


def run_instantly(story: Callable[[InstantClock], Coroutine[Any, Any, T]]) -> T:
    """Run a story from its beginning to its end."""
    loop = InstantLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(story(InstantClock(loop)))
