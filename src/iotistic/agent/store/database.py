"""One connection, one thread: SQLite without blocking the event loop.

`Worker` is the thread, `Database` the connection in use, `Kept` a piece of its content in memory.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from iotistic.agent.store.errors import DatabaseCorrupt, DatabaseUnavailable, translated

T = TypeVar("T")

BUSY_TIMEOUT_S = 5.0


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
        self._path = path
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._pending: set[asyncio.Task[Any]] = set()

    async def run(self, work: Callable[[], T]) -> T:
        """Do blocking work on the thread. Errors of SQLite and of the system come as ours."""

        def guarded() -> T:
            with translated(self._path):
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


class Database:
    """The connection in use. It is exchanged as a whole when another file takes the place."""

    def __init__(self, worker: Worker, connection: sqlite3.Connection) -> None:
        self._worker = worker
        self._connection = connection
        self._connected = asyncio.Lock()
        self.generation = 0
        """What was read under another number may not be so any more."""

    async def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the connection, on the thread."""
        async with self._connected:
            return await self._worker.run(lambda: read(self._connection))

    async def write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """The same in a transaction, which is on the disk when this returns."""

        def committed(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return write(connection)

        return await self.read(committed)

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
        self._connection = connection

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

    async def get(self) -> T:
        """The content; costs nothing when nothing changed."""
        known = self._known
        if known is not None and known[0] == self._database.generation:
            return known[1]
        return await self._database.read(self._renew)

    async def change(self, write: Callable[[sqlite3.Connection], object]) -> None:
        """Change it in a transaction."""

        def changed(connection: sqlite3.Connection) -> None:
            self._known = None  # a commit that failed may have happened or not
            with transaction(connection):
                write(connection)
            self._renew(connection)

        await self._database.read(changed)

    def _renew(self, connection: sqlite3.Connection) -> T:
        value = self._read(connection)
        self._known = (self._database.generation, value)
        return value
