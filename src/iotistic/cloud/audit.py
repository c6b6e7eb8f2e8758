"""Who did what, from where: one row for every act that matters to security."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import Access
from iotistic.cloud.clock import Clock, iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import audit
from iotistic.cloud.requests import AnyRequest, query_integer
from iotistic.model.canonical import canonical_json

NOBODY = "-"
ENTRIES_KEPT = 100_000
_PAGE_MAX = 1000


class AuditLog:
    """Writes rows within the transaction of the act itself, so neither is there without the
    other.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(
        self,
        connection: AsyncConnection,
        *,
        actor: str,
        action: str,
        subject: str,
        address: str,
        **details: Any,
    ) -> None:
        """Add one act. `details` are JSON values, never a secret."""
        await connection.execute(
            insert(audit).values(
                at=self._clock(),
                actor=actor[:128],
                action=action,
                subject=subject[:128],
                address=address,
                details=canonical_json(details).decode(),
            )
        )

    async def sweep(self, connection: AsyncConnection) -> None:
        """Keep the newest entries: who joins and leaves a thousand times a day fills no disk."""
        last = select(func.max(audit.c.id)).scalar_subquery()
        await connection.execute(delete(audit).where(audit.c.id <= last - ENTRIES_KEPT))

    async def newest(self, *, before: int, limit: int) -> list[dict[str, Any]]:
        """Acts with an id below `before` (0: all), newest first."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before:
            query = query.where(audit.c.id < before)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            {
                "id": row.id,
                "at": iso(row.at),
                "actor": row.actor,
                "action": row.action,
                "subject": row.subject,
                "address": row.address,
                "details": msgspec.json.decode(row.details),
            }
            for row in rows
        ]


@get("/audit", access=Access.ADMIN)
async def list_audit(request: AnyRequest, audit_log: NamedDependency[AuditLog]) -> dict[str, Any]:
    """Acts that matter to security, newest first. Query: `limit`, `before` (an id)."""
    limit = query_integer(request, "limit", default=100, high=_PAGE_MAX)
    before = query_integer(request, "before", default=0, high=2**53)
    entries = await audit_log.newest(before=before, limit=limit)
    return {"count": len(entries), "entries": entries}
