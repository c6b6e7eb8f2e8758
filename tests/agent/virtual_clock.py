"""A clock that stands still until a test moves it, and then waits for what that sets off."""

from __future__ import annotations

import asyncio


class VirtualClock:
    """`advance` goes from deadline to deadline.

    In between it waits until `sleepers` tasks sleep on this clock again: whatever they do on the
    network takes no time on it.
    """

    def __init__(self, *, sleepers: int = 0) -> None:
        self.boot_id = "boot-1"
        self.sleepers = sleepers
        self.wall_offset_ms = 1_760_000_000_000
        self._now_s = 1000.0
        self._pending: dict[asyncio.Future[None], float] = {}
        self._slept = asyncio.Event()

    def now_s(self) -> float:
        return self._now_s

    def wall_ms(self) -> int:
        return self.wall_offset_ms + int(self._now_s * 1000)

    async def sleep(self, span_s: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending[future] = self._now_s + span_s
        self._slept.set()
        try:
            await future
        finally:
            self._pending.pop(future, None)

    async def settled(self) -> None:
        """Wait until everybody sleeps."""
        while True:
            for _ in range(20):  # a wake-up call goes through a few turns of the loop
                await asyncio.sleep(0)
            self._slept.clear()
            if len(self._pending) >= self.sleepers:
                return
            async with asyncio.timeout(10):
                await self._slept.wait()

    async def advance(self, span_s: float) -> None:
        """Let `span_s` seconds pass."""
        end_s = self._now_s + span_s
        await self.settled()
        while self._pending:
            future, due_s = min(self._pending.items(), key=lambda item: item[1])
            if due_s > end_s:
                break
            self._now_s = max(self._now_s, due_s)
            self._pending.pop(future)
            future.set_result(None)
            await self.settled()
        self._now_s = end_s
