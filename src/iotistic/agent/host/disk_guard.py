"""Watches over the room on the disk of the state folder, and gives things up when there is none.

What is given up, in this order, until what matters can be written:

    1. the reserve       a file of real blocks, made while there was plenty of room
    2. the spools        records waiting to be sent, the least urgent class first
    3. nothing more      read-only: services go on, and nothing is acknowledged that is not kept

The way back needs nobody: with room again the reserve is made again, and all is as before.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from iotistic.agent.host.files import OWNER_ONLY, sync_folder
from iotistic.agent.logs import AgentLogger
from iotistic.model.errors import IotisticError, Unavailable

RESERVE_FILE = "storage-reserve"
LOW_BYTES_MIN = 1024 * 1024

Spool = Callable[[], Awaitable[int]]
"""Drops what waits there; how much that was."""


def free_bytes(folder: Path) -> int:
    """What a program without special rights can still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class DiskGuard:
    """How much room the state has, and making some.

    `spools` may be set later: before there are any the store may need room to be opened.
    `reserve_bytes` of 0 means that nothing is kept in reserve.
    """

    def __init__(
        self,
        folder: Path,
        *,
        reserve_bytes: int,
        log: AgentLogger,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folder = folder
        self._file = folder / RESERVE_FILE
        self._reserve_bytes = reserve_bytes
        self._log = log
        self._free = free
        self._one_at_a_time = asyncio.Lock()
        self._is_low = False
        self._has_reserve = True  # nobody looked yet
        self.problem: Unavailable | None = None
        """Why what matters could not be written the last time; None when it could."""
        self.spools: Sequence[Spool] = ()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def is_tight(self) -> bool:
        """Only what matters should be written: the reserve is in use, or there is no room."""
        return self.problem is not None or not self._has_reserve

    def warnings(self) -> tuple[IotisticError, ...]:
        """What somebody should know."""
        if self.problem is not None:
            return (self.problem,)
        if self._is_low or not self._has_reserve:
            return (
                IotisticError(
                    f"little room is left on the disk of {self._folder}: the journal is not kept,"
                    " and records that wait to be sent may have to go",
                    code="disk-low",
                    remedy="free some space on that file system; nothing has to be restarted",
                ),
            )
        return ()

    async def make_room(self) -> bool:
        """Give up the next thing; False when there is nothing more."""
        async with self._one_at_a_time:
            if await asyncio.to_thread(self._give_up_reserve):
                self._log.warning("disk full: the reserve is given up", bytes=self._reserve_bytes)
                self._set(has_reserve=self._reserve_bytes == 0)
                return True
            for spool in self.spools:
                dropped = 0
                with suppress(Unavailable):
                    dropped = await spool()
                if dropped:
                    self._log.warning("disk full: records are dropped", records=dropped)
                    return True
            return False

    def told(self, error: Unavailable | None) -> None:
        """A write that matters came to this."""
        before, self.problem = self.problem, error
        if (before.code if before else None) == (error.code if error else None):
            return
        if error is not None:
            self._log.warning("the state cannot be written", code=error.code, error=str(error))
        else:
            self._log.info("the state can be written again")
        self.on_change()

    async def look(self) -> None:
        """See how much room there is, and make the reserve when there is plenty."""
        async with self._one_at_a_time:
            try:
                has_reserve, is_low = await asyncio.to_thread(self._look)
            except OSError as error:
                self._log.debug("the room on the disk is unknown", error=str(error))
            else:
                self._set(has_reserve=has_reserve, is_low=is_low)

    def _set(self, *, has_reserve: bool, is_low: bool = True) -> None:
        before = self.warnings()
        if has_reserve and not self._has_reserve:
            self._log.info("there is room on the disk again")
        self._has_reserve, self._is_low = has_reserve, is_low
        if len(self.warnings()) != len(before):
            self.on_change()

    def _look(self) -> tuple[bool, bool]:
        free, wanted = self._free(self._folder), self._reserve_bytes
        has_reserve = self._reserved_bytes() == wanted
        if not has_reserve and free + self._reserved_bytes() >= 2 * wanted:
            self._make_reserve()
            has_reserve, free = True, self._free(self._folder)
        return has_reserve, free < max(wanted, LOW_BYTES_MIN)

    def _reserved_bytes(self) -> int:
        try:
            return self._file.stat().st_size
        except FileNotFoundError:
            return 0

    def _give_up_reserve(self) -> bool:
        try:
            self._file.unlink()
        except OSError:
            return False
        return True

    def _make_reserve(self) -> None:
        self._file.unlink(missing_ok=True)
        if self._reserve_bytes == 0:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(self._file, flags, OWNER_ONLY)
        try:
            os.posix_fallocate(descriptor, 0, self._reserve_bytes)
            os.fsync(descriptor)
        except OSError:
            self._file.unlink(missing_ok=True)  # half a reserve would pass for one
            raise
        finally:
            os.close(descriptor)
        sync_folder(self._folder)
