"""One database, its connections and its two kinds of transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from iotistic.model.errors import Unavailable

BUSY_TIMEOUT_S = 3.0
"""How long a transaction waits for another process. A process that is told to end may have to wait
this long for its line and its lock, on top of the grace it gives to what it serves."""
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)
WRITES = "iotistic_writes"
"""The execution option of connections whose transactions write."""


class DatabaseUnavailable(Unavailable):
    """The database did not answer, or stayed locked."""

    code = "database-unavailable"
    channel = "database"


class Database:
    """Connections to one database.

    `url` is SQLAlchemy's, with an async driver: `sqlite+aiosqlite:////path/to/cloud.sqlite`.
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._engine = create_async_engine(url, pool_pre_ping=not self.is_sqlite)
        # SQLite lets in one writer and makes the others poll for their turn, for up to a tenth
        # of a second each time. Waiting in line here is fair and wakes at once.
        self._turn = asyncio.Lock() if self.is_sqlite else None
        if self.is_sqlite:
            prepare_sqlite(self._engine.sync_engine, busy_timeout_s=BUSY_TIMEOUT_S)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises DatabaseUnavailable."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: durable as a whole, or not at all.

        Raises DatabaseUnavailable.
        """
        async with AsyncExitStack() as stack:
            if self._turn is not None:
                await self._in_line(stack, self._turn)
            try:
                connection = await stack.enter_async_context(self._engine.connect())
                await connection.execution_options(**{WRITES: True})
                async with connection.begin():
                    yield connection
            except OperationalError as error:
                raise _unavailable(error) from error

    async def _in_line(self, stack: AsyncExitStack, turn: asyncio.Lock) -> None:
        # Each of those before us may wait that long for another process: not one after the other.
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_S):
                await stack.enter_async_context(turn)
        except TimeoutError as error:
            raise DatabaseUnavailable("the database is busy", retry_after_s=2) from error

    async def ping(self) -> None:
        """Return when the database answers. Raises DatabaseUnavailable."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._engine.dispose()


def _unavailable(error: OperationalError) -> DatabaseUnavailable:
    # Another driver's text may quote the statement and its values: it stays in the chain, for us.
    is_sqlite = isinstance(error.orig, sqlite3.OperationalError)
    reason = str(error.orig) if is_sqlite else type(error.orig).__name__
    return DatabaseUnavailable(f"the database does not answer: {reason}", retry_after_s=2)


def prepare_sqlite(engine: Engine, *, busy_timeout_s: float) -> None:
    """Make every connection durable and strict, and every transaction begin as it should."""

    def set_pragmas(connection: Any, _: Any) -> None:
        # The driver's own way to begin transactions is late and deferred: ours below instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"PRAGMA busy_timeout={int(busy_timeout_s * 1000)}", *_PRAGMAS):
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine, "connect", set_pragmas)
    event.listen(engine, "begin", _begin)


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later would otherwise fail when another
    # one wrote in between, without waiting.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
