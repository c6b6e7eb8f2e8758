"""Two kinds of transaction, and what they promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from iotistic.cloud.db import database as database_module
from iotistic.cloud.db.database import Database, DatabaseUnavailable
from iotistic.cloud.db.tables import facts
from tests.cloud.running import url_of


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Database]:
    opened = await asyncio.to_thread(Database, url_of(database))
    yield opened
    await opened.close()


async def test_connections_are_durable_and_strict(store: Database) -> None:
    async with store.read() as connection:
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert found == ["wal", 2, 1]


async def test_a_write_that_fails_leaves_nothing(store: Database) -> None:
    with suppress(ZeroDivisionError):
        async with store.write() as connection:
            await connection.execute(insert(facts).values(name="a", value="b"))
            raise ZeroDivisionError

    async with store.read() as connection:
        assert (await connection.execute(select(facts).where(facts.c.name == "a"))).first() is None


async def test_nobody_waits_in_line_without_end(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.1)

    async with store.write(), asyncio.timeout(5):
        with pytest.raises(DatabaseUnavailable, match="busy"):
            async with store.write():
                pass

    async with store.write():
        pass  # the one who gave up holds no place


async def test_why_it_does_not_answer_is_said(store: Database) -> None:
    async with store.write() as connection:
        await connection.execute(text("PRAGMA query_only=ON"))

    with pytest.raises(DatabaseUnavailable, match="readonly database"):
        async with store.write() as connection:
            await connection.execute(insert(facts).values(name="a", value="canary"))


async def test_writers_that_read_first_do_not_collide(store: Database, database: Path) -> None:
    other = await asyncio.to_thread(Database, url_of(database))

    async def count_up(at: Database) -> None:
        for _ in range(10):
            async with at.write() as connection:
                query = select(facts.c.value).where(facts.c.name == "count")
                value = (await connection.execute(query)).scalar_one()
                await connection.execute(
                    facts.update().where(facts.c.name == "count").values(value=str(int(value) + 1))
                )

    async with store.write() as connection:
        await connection.execute(insert(facts).values(name="count", value="0"))
    await asyncio.gather(*(count_up(at) for at in (store, other, store, other)))

    async with store.read() as connection:
        query = select(facts.c.value).where(facts.c.name == "count")
        assert (await connection.execute(query)).scalar_one() == "40"
    await other.close()
