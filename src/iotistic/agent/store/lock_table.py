"""Locks of apps by persons and by the agent. Those of services are files, see `agent.locks`."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace

from iotistic.agent.clock import Clock
from iotistic.agent.store import time_left
from iotistic.agent.store.database import Database, Kept
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.model.errors import InvalidField
from iotistic.planner.world import Lock, LockOwner

LOCK_SPAN_MAX_S = 30 * 24 * 3600.0
TEXT_MAX = 500
_SPAN = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?")
_SECONDS = (24 * 3600, 3600, 60, 1)


def parse_lock_span_s(text: str, at: str) -> float:
    """Seconds of a span such as "2h", "30m" or "1h30m"; raises InvalidField for field `at`."""
    match = _SPAN.fullmatch(text.strip().lower())
    parts = match.groups() if match else ()
    span_s = sum(int(n) * unit for n, unit in zip(parts, _SECONDS, strict=False) if n)
    if not 0 < span_s <= LOCK_SPAN_MAX_S:
        raise InvalidField(at, expected="a span from 1s to 30d, such as 30m or 2h", found=text)
    return float(span_s)


class LockTable:
    """One lock an app and owner. A lock that has run out is none."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._kept: Kept[tuple[Lock, ...]] = Kept(database, read)
        self._clock = clock

    async def all(self) -> tuple[Lock, ...]:
        """Locks in force, by app and owner, with deadlines on this boot's clock."""
        now_s = self._clock.now_s()
        locks = await self._kept.get()
        return tuple(lock for lock in locks if lock.until_s is None or lock.until_s > now_s)

    async def save(self, lock: Lock) -> None:
        """Insert or replace by (app, owner); texts are shortened."""
        if lock.owner is LockOwner.SERVICE:
            raise ValueError("a service's lock is a file in its control folder")
        clock = self._clock
        await self._kept.change(lambda db: write(db, lock, clock))

    async def remove(self, app_id: int, owner: LockOwner) -> None:
        """Let go of a lock; nothing happens if there is none."""
        await self._kept.change(
            lambda db: db.execute(
                "DELETE FROM app_lock WHERE app_id = ? AND owner = ?", (app_id, owner.value)
            )
        )

    def remembered(self) -> tuple[Lock, ...] | None:
        """The locks of persons, if they are known without reading the file."""
        locks = self._kept.remembered()
        if locks is None:
            return None
        return tuple(lock for lock in locks if lock.owner is LockOwner.PERSON)


def read(connection: sqlite3.Connection) -> tuple[Lock, ...]:
    """All locks, also those that have run out; raises DatabaseCorrupt."""
    rows = connection.execute(
        "SELECT app_id, owner, holder, reason, until_s, at_ms, boot_id FROM app_lock"
        " ORDER BY app_id, owner"
    ).fetchall()
    try:
        return tuple(
            Lock(
                app_id=int(app_id),
                owner=LockOwner(owner),
                holder=holder,
                reason=reason,
                until_s=None if until_s is None else float(until_s),
                at_ms=int(at_ms),
                boot_id=boot_id,
            )
            for app_id, owner, holder, reason, until_s, at_ms, boot_id in rows
        )
    except (TypeError, ValueError) as error:
        raise DatabaseCorrupt(f"app_lock: {error}") from error


def read_of_persons(connection: sqlite3.Connection, clock: Clock) -> tuple[Lock, ...]:
    """What persons locked, for a database that is made anew; deadlines on this boot's clock."""
    remaining = connection.execute(
        "SELECT app_id, remaining_s FROM app_lock WHERE owner = ?", (LockOwner.PERSON.value,)
    ).fetchall()
    left = dict(remaining)
    return tuple(
        lock
        if lock.boot_id == clock.boot_id or lock.until_s is None
        else replace(lock, until_s=clock.now_s() + float(left[lock.app_id] or 0.0))
        for lock in read(connection)
        if lock.owner is LockOwner.PERSON
    )


def write(connection: sqlite3.Connection, lock: Lock, clock: Clock) -> None:
    """Insert or replace; the deadline is of this boot, and kept with the span that is left."""
    connection.execute(
        "INSERT OR REPLACE INTO app_lock"
        " (app_id, owner, holder, reason, boot_id, until_s, remaining_s, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            lock.app_id,
            lock.owner.value,
            lock.holder[:TEXT_MAX],
            lock.reason[:TEXT_MAX],
            clock.boot_id,
            lock.until_s,
            time_left.remaining_s(lock.until_s, clock),
            lock.at_ms,
        ),
    )
