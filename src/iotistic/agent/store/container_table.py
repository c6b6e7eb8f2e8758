"""What must be remembered of containers: one-shots that ended well, and how each was born."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from iotistic.agent.store.database import Database, Kept
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField
from iotistic.model.reader import decode_json
from iotistic.planner.world import Completed

Born = Mapping[str, str]
"""A short hash by field: what the engine said of a container right after it was made."""


class ContainerTable:
    """Completed one-shots by app, service and specification; births by container id."""

    def __init__(self, database: Database) -> None:
        self._completed: Kept[frozenset[Completed]] = Kept(database, read_completed)
        self._born: Kept[Mapping[str, Born]] = Kept(database, read_born)

    async def completed(self) -> frozenset[Completed]:
        """One-shots that ended well."""
        return await self._completed.get()

    async def save_completed(self, completed: Collection[Completed]) -> None:
        """From now on these and no others; costs nothing when they are what is known."""
        known, wanted = await self._completed.get(), frozenset(completed)
        if known != wanted:
            await self._completed.change(
                lambda db: write_completed(db, gone=known - wanted, new=wanted - known)
            )

    async def born(self) -> Mapping[str, Born]:
        """What each container was like right after it was made, by id."""
        return await self._born.get()

    async def save_born(self, container_id: str, fields: Born) -> None:
        """Insert or replace by container."""
        await self._born.change(lambda db: write_born(db, container_id, fields))

    async def forget_born(self, keep: Collection[str]) -> None:
        """Containers but for these are gone; costs nothing when nothing has to be forgotten."""
        gone = [(container_id,) for container_id in (await self._born.get()).keys() - set(keep)]
        if gone:
            await self._born.change(
                lambda db: db.executemany("DELETE FROM container_born WHERE container_id = ?", gone)
            )

    def remembered(self) -> tuple[frozenset[Completed] | None, Mapping[str, Born] | None]:
        """Both, if they are known without reading the file."""
        return self._completed.remembered(), self._born.remembered()


def read_completed(connection: sqlite3.Connection) -> frozenset[Completed]:
    """All rows; raises DatabaseCorrupt."""
    rows = connection.execute("SELECT app_id, service_id, spec_hash FROM completed").fetchall()
    try:
        return frozenset(
            Completed(app_id=int(app_id), service_id=service_id, spec_hash=spec_hash)
            for app_id, service_id, spec_hash in rows
        )
    except (TypeError, ValueError) as error:
        raise DatabaseCorrupt(f"completed: {error}") from error


def write_completed(
    connection: sqlite3.Connection, *, gone: Collection[Completed], new: Collection[Completed]
) -> None:
    """Take some out and put some in."""
    connection.executemany(
        "DELETE FROM completed WHERE app_id = ? AND service_id = ? AND spec_hash = ?",
        [(one.app_id, one.service_id, one.spec_hash) for one in gone],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO completed (app_id, service_id, spec_hash) VALUES (?, ?, ?)",
        [(one.app_id, one.service_id, one.spec_hash) for one in new],
    )


def read_born(connection: sqlite3.Connection) -> dict[str, Born]:
    """All rows; raises DatabaseCorrupt."""
    rows = connection.execute("SELECT container_id, fields FROM container_born").fetchall()
    try:
        return {
            str(container_id): {
                str(name): str(value) for name, value in decode_json(fields.encode()).items()
            }
            for container_id, fields in rows
        }
    except (AttributeError, InvalidField) as error:
        raise DatabaseCorrupt(f"container_born: {error}") from error


def write_born(connection: sqlite3.Connection, container_id: str, fields: Born) -> None:
    """Insert or replace by container."""
    connection.execute(
        "INSERT OR REPLACE INTO container_born (container_id, fields) VALUES (?, ?)",
        (container_id, canonical_json(dict(fields)).decode()),
    )
