"""One connection, one thread: SQLite without blocking the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

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
