"""The journal: what was done to apps and why, the newest entries of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from iotistic.agent.logs.redaction import masked
from iotistic.agent.store.database import Database
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField
from iotistic.model.reader import decode_json

OF_APP_MAX = 200
ENTRIES_MAX = 2000
TEXT_MAX = 1000
DETAIL_MAX = 8 * 1024


class Journal:
    """At most 200 entries an app and 2,000 in all; the oldest go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries, all or none of them, in this order.

        Long texts are shortened, too large a `detail` is left out, and what sounds secret in it
        is masked.
        """
        if entries:
            await self._database.write(lambda db: write(db, entries), spare=True)

    async def of(
        self, app_id: int, service_id: str | None = None, *, limit: int = OF_APP_MAX
    ) -> tuple[JournalEntry, ...]:
        """The newest entries of an app, newest first.

        With `service_id` those about that service and those about the app as a whole.
        """
        return await self._database.read(lambda db: read(db, app_id, service_id, limit))


def write(connection: sqlite3.Connection, entries: Sequence[JournalEntry]) -> None:
    """Append, and forget what is too old or too much."""
    connection.executemany(
        "INSERT INTO journal"
        " (at_ms, app_id, service_id, service_name, event, release, reason, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                entry.at_ms,
                entry.app_id,
                entry.service_id,
                entry.service_name,
                entry.event.value,
                entry.release,
                entry.reason[:TEXT_MAX],
                _detail(entry.detail),
            )
            for entry in entries
        ],
    )
    connection.executemany(
        "DELETE FROM journal WHERE app_id = ?1 AND id <= (SELECT id FROM journal"
        " WHERE app_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        [(app_id, OF_APP_MAX) for app_id in sorted({entry.app_id for entry in entries})],
    )
    connection.execute(
        "DELETE FROM journal WHERE id <="
        " (SELECT id FROM journal ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (ENTRIES_MAX,),
    )


def read(
    connection: sqlite3.Connection, app_id: int, service_id: str | None, limit: int
) -> tuple[JournalEntry, ...]:
    """The newest of an app, newest first; raises DatabaseCorrupt."""
    rows = connection.execute(
        "SELECT id, at_ms, app_id, service_id, service_name, event, release, reason, detail"
        " FROM journal WHERE app_id = ?1 AND (?2 IS NULL OR service_id IN (?2, ''))"
        " ORDER BY id DESC LIMIT ?3",
        (app_id, service_id, max(0, limit)),
    ).fetchall()
    return tuple(_entry(*row) for row in rows)


def _entry(
    number: Any,
    at_ms: Any,
    app_id: Any,
    service_id: str,
    service_name: str,
    event: str,
    release: str,
    reason: str,
    detail: str,
) -> JournalEntry:
    try:
        return JournalEntry(
            id=int(number),
            at_ms=int(at_ms),
            app_id=int(app_id),
            service_id=service_id,
            service_name=service_name,
            event=JournalEvent(event),
            release=release,
            reason=reason,
            detail=dict(decode_json(detail.encode())),
        )
    except (TypeError, ValueError, AttributeError, InvalidField) as error:
        raise DatabaseCorrupt(f"journal: {error}") from error


def _detail(detail: Mapping[str, Any]) -> str:
    text = canonical_json(masked(detail)).decode()
    return text if len(text) <= DETAIL_MAX else '{"shortened":true}'
