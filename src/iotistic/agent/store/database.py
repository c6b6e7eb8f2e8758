"""One connection, one thread: SQLite without blocking the event loop.

`Worker` is the thread, `Database` the connection in use, `Kept` a piece of its content in memory.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from iotistic.agent.store.errors import (
    DatabaseCorrupt,
    DatabaseUnavailable,
    DatabaseUnusable,
    DiskFull,
    StorageReadOnly,
    translated,
)
from iotistic.agent.store.place import Place
from iotistic.agent.store.space import Space
from iotistic.model.errors import Unavailable

T = TypeVar("T")

BUSY_TIMEOUT_S = 5.0
_GIVE_UP_MAX = 16
_MENDED_MAX = 2


def connect(path: Path, *, wal: bool = True) -> sqlite3.Connection:
    """Open for reading and writing, every commit on the disk before it returns.

    Outside `transaction` each statement commits by itself. Readers such as the `sqlite3` program
    are welcome beside it.
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        _set_journal(connection, path, "wal" if wal else "delete")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def check(connection: sqlite3.Connection) -> None:
    """Look for damaged pages; raises DatabaseCorrupt. Reads the whole file."""
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise DatabaseCorrupt(f"the database is damaged: {answer}")


def _set_journal(connection: sqlite3.Connection, path: Path, wanted: str) -> None:
    mode = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
    # Without a log only where that was asked for and could be had; the log, on the other hand,
    # is speed and not safety: some network file systems have none.
    if wanted == "delete" and mode != wanted:
        raise DatabaseUnavailable(f"{path} is in use by another program")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; on the disk when left without an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class Worker:
    """The thread on which everything about the store's files happens, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._pending: set[asyncio.Task[Any]] = set()

    async def run(self, work: Callable[[], T]) -> T:
        """Do blocking work on the thread. Errors of SQLite and of the system come as ours."""

        def guarded() -> T:
            with translated(self.path):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._executor, guarded)

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something of several parts to its end, also when the caller is cancelled meanwhile.

        Otherwise memory and disk could disagree about who this device is.
        """
        task = asyncio.create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for everything under way, also for work whose caller was cancelled."""
        if self._pending:
            await asyncio.wait(set(self._pending))
        await asyncio.get_running_loop().run_in_executor(self._executor, lambda: None)

    def close(self) -> None:
        """Let the thread go once it has done what it was given."""
        self._executor.shutdown(wait=False)


Mend = Callable[["Fault"], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the database in use: it makes no sense, or its files are not in place."""

    error: DatabaseCorrupt | None = None
    lost: tuple[Path, ...] = ()
    again: bool = False
    """It came back right after it was mended."""


class Database:
    """The connection in use. It is exchanged as a whole when another file takes the place.

    What is found broken is mended at once, by `mend`, and then done again. Where there is no room
    `space` makes some.
    """

    def __init__(
        self, worker: Worker, connection: sqlite3.Connection, *, mend: Mend, space: Space
    ) -> None:
        self._worker = worker
        self._connection = connection
        self._mend = mend
        self._space = space
        self._place: Place | None = None
        self._connected = asyncio.Lock()
        self.generation = 0
        """What was read under another number may not be so any more."""

    @property
    def connection(self) -> sqlite3.Connection:
        """The one in use now; for its own mending only."""
        return self._connection

    async def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the connection, on the thread."""
        return await self._reliably(read)

    async def write(self, write: Callable[[sqlite3.Connection], T], *, spare: bool = False) -> T:
        """The same in a transaction, which is on the disk when this returns.

        What is `spare` is not written while room is tight, and gets none made: DiskFull.
        """

        def committed(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return write(connection)

        return await self.change(committed, spare=spare)

    async def change(self, change: Callable[[sqlite3.Connection], T], *, spare: bool = False) -> T:
        """Do something that commits by itself; it may be called again after it failed."""
        if spare and self._space.is_tight:
            raise DiskFull(self._worker.path)
        try:
            result = await self._reliably(change, make_room=not spare)
        except Unavailable as error:
            if not spare:
                self._space.told(error)
            raise
        if not spare:
            self._space.told(None)
        return result

    async def look(self) -> None:
        """Mend what somebody did to the files from outside."""
        await self._reliably(lambda _: None)

    async def mend(self, error: DatabaseCorrupt) -> None:
        """Somebody saw damage in the file; it is looked at again and mended if that is so."""
        await self._mended(Fault(error=error), self._connection)

    async def _reliably(
        self, work: Callable[[sqlite3.Connection], T], *, make_room: bool = False
    ) -> T:
        broken, gave_up = 0, 0
        while True:
            connection = self._connection
            try:
                async with self._connected:
                    connection = self._connection
                    result, lost = await self._worker.run(partial(self._once, work, connection))
            except DatabaseCorrupt as error:
                broken += 1
                if broken > _MENDED_MAX:
                    raise
                await self._mended(
                    Fault(error=error, again=broken > 1 and error.is_certain), connection
                )
            except DatabaseUnusable as error:
                # It could be opened, so this is something that came since.
                raise StorageReadOnly(self._worker.path, error.message) from error
            except DiskFull:
                if not make_room or gave_up >= _GIVE_UP_MAX or not await self._space.make_room():
                    raise
                gave_up += 1
            else:
                if lost:
                    # What was just written is in the open files, and those are what is put back.
                    await self._mended(Fault(lost=lost), connection)
                return result

    def _once(
        self, work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection
    ) -> tuple[T, tuple[Path, ...]]:
        if self._place is None:
            self._place = Place(self._worker.path)
        self._place.check_whole()
        result = work(connection)
        return result, self._place.lost()

    async def _mended(self, fault: Fault, connection: sqlite3.Connection) -> None:
        await self._worker.finish(self._mend_once(fault, connection))

    async def _mend_once(self, fault: Fault, connection: sqlite3.Connection) -> None:
        async with self._connected:
            if self._connection is not connection:
                return  # somebody was quicker
            try:
                await self._mend(fault)
            except DatabaseUnusable as error:
                raise StorageReadOnly(self._worker.path, error.message) from error
            # Only now: what is kept in memory is what a mending goes by that failed at first.
            self.outdate()

    @asynccontextmanager
    async def exchanging(self) -> AsyncIterator[None]:
        """Nobody reads or writes meanwhile; afterwards nothing counts as known."""
        async with self._connected:
            try:
                yield
            finally:
                self.outdate()

    def exchange(self, connection: sqlite3.Connection) -> None:
        """Use another connection; only inside of `exchanging`."""
        self._connection, self._place = connection, None

    def outdate(self) -> None:
        """More was changed than the holders of `Kept` values can know."""
        self.generation += 1

    def close(self) -> None:
        """Close the connection in use by then; on the thread. May be repeated."""
        self._connection.close()


class Kept(Generic[T]):
    """A piece of the database's content that is looked at often: read once, kept in memory.

    The store is the only writer, so what is kept is what the file holds. It is renewed on the
    thread, which does one thing after the other; whoever is cancelled in between does no harm.
    """

    def __init__(self, database: Database, read: Callable[[sqlite3.Connection], T]) -> None:
        self._database = database
        self._read = read
        self._known: tuple[int, T] | None = None
        self._is_sure = True

    async def get(self) -> T:
        """The content; costs nothing when nothing changed."""
        known = self._known
        if self._is_sure and known is not None and known[0] == self._database.generation:
            return known[1]
        return await self._database.read(self._renew)

    async def change(self, write: Callable[[sqlite3.Connection], object]) -> None:
        """Change it in a transaction."""

        def changed(connection: sqlite3.Connection) -> None:
            self._is_sure = False  # a commit that failed may have happened or not
            with transaction(connection):
                write(connection)
            self._renew(connection)

        await self._database.change(changed)

    def remembered(self) -> T | None:
        """What was in the file when it was last read or written, None if nobody looked."""
        known = self._known
        return known[1] if known is not None and known[0] == self._database.generation else None

    def _renew(self, connection: sqlite3.Connection) -> T:
        value = self._read(connection)
        self._known, self._is_sure = (self._database.generation, value), True
        return value
