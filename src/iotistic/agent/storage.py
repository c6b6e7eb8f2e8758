"""Keeps the state folder well while the agent is at work: room, files in place, no damage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from random import Random
from typing import Protocol, TypeVar

from iotistic.agent.clock import Clock
from iotistic.agent.host.disk_guard import DiskGuard, Spool
from iotistic.agent.host.files import DiskFull
from iotistic.agent.logs import AgentLogger
from iotistic.agent.store.records import Finding
from iotistic.model.errors import IotisticError, Unavailable

T = TypeVar("T")

LOOK_EVERY_S = 5.0
LOOK_EVERY_S_IF_TIGHT = 1.0
CHECK_EVERY_S = 24 * 3600.0
TOLD_FOR_S = 24 * 3600.0
WARNINGS_MAX = 5


class Tended(Protocol):
    """What is asked of the store here."""

    async def look_after(self) -> None:
        """Put back what is gone of the files."""
        ...

    async def check(self) -> None:
        """Look for damage, and mend it."""
        ...

    async def probe(self) -> None:
        """Write something that changes nothing."""
        ...


class Storage:
    """Looks every few seconds at room and files, and once a day at every page of the database.

    `log` tells of what is found; the store calls `found` for it.
    """

    def __init__(self, guard: DiskGuard, *, clock: Clock, rng: Random, log: AgentLogger) -> None:
        self.guard = guard
        self._clock = clock
        self._rng = rng
        self._log = log
        self._found: list[tuple[float, Finding]] = []
        self._trouble = ""
        self._on_change: Callable[[], None] = lambda: None

    def attach(self, *, spools: Sequence[Spool], on_change: Callable[[], None]) -> None:
        """From now on: what may be dropped for want of room, and who hears of changes."""
        self.guard.spools = spools
        self.guard.on_change = self._on_change = on_change

    def found(self, finding: Finding) -> None:
        """The store found something and dealt with it."""
        self._log.warning("found in the state folder", code=finding.code, finding=finding.message)
        self._found = [*self._found, (self._clock.now_s(), finding)][-WARNINGS_MAX:]
        self._on_change()

    def warnings(self) -> tuple[IotisticError, ...]:
        """What somebody should know: of the room, and what was mended within a day."""
        since_s = self._clock.now_s() - TOLD_FOR_S
        return self.guard.warnings() + tuple(
            IotisticError(finding.message, code=finding.code)
            for at_s, finding in self._found
            if at_s >= since_s
        )

    async def open(
        self, stack: AsyncExitStack, make: Callable[[], AbstractAsyncContextManager[T]]
    ) -> T:
        """Enter what is kept in the folder, and wait for room on the disk if there is none."""
        while True:
            try:
                return await stack.enter_async_context(make())
            except DiskFull as error:
                # Services go on; ending here would only make whoever starts agents busy.
                self.guard.told(error)
                await self._clock.sleep(LOOK_EVERY_S)

    async def run(self, store: Tended) -> None:
        """Look until cancelled."""
        # Not all devices at once after a power cut, and not while this one starts.
        check_at_s = self._clock.now_s() + CHECK_EVERY_S * self._rng.uniform(0.5, 1.0)
        while True:
            await self.guard.look()
            try:
                if self.guard.problem is not None:
                    await store.probe()
                await store.look_after()
                if self._clock.now_s() >= check_at_s:
                    check_at_s = self._clock.now_s() + CHECK_EVERY_S
                    await store.check()
            except Unavailable as error:
                self._tell(error.code, str(error))
            else:
                self._tell("", "")
            tight = self.guard.is_tight
            await self._clock.sleep(LOOK_EVERY_S_IF_TIGHT if tight else LOOK_EVERY_S)

    def _tell(self, code: str, text: str) -> None:
        if code and code != self._trouble:
            self._log.warning("the state folder cannot be kept in order", code=code, error=text)
        self._trouble = code
