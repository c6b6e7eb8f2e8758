"""Which rooms owe a sign of life, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any


class Progress:
    """Promises of rooms to be heard of again.

    By the clock that stands still while the machine sleeps: waking up is no reason to be late.
    A promise must hold whatever the network and the engine do, so it is longer than all their
    deadlines together.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._due_s: dict[str, float] = {}

    def promise(self, room: str, within_s: float) -> None:
        """The room will promise again, or rest, within so many seconds."""
        self._due_s[room] = self._now_s() + within_s

    def rest(self, room: str) -> None:
        """Nothing is to be expected of the room."""
        self._due_s.pop(room, None)

    def until_end(
        self, room: str, run: Callable[[], Coroutine[Any, Any, None]]
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """`run`, whose promises end with it."""

        async def running() -> None:
            try:
                await run()
            finally:
                self.rest(room)

        return running

    @property
    def late(self) -> tuple[str, ...]:
        """The rooms that have broken their promise."""
        now_s = self._now_s()
        return tuple(room for room, due_s in self._due_s.items() if due_s < now_s)
