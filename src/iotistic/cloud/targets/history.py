"""Who saved which version of a target, when, and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from iotistic.cloud.clock import iso, optional_iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import target_versions


class TargetHistory:
    """Lists the versions that are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest_first(self, device_id: int) -> list[dict[str, Any]]:
        """The versions that are kept, newest first, without their content."""
        table = target_versions.c
        query = (
            select(table.version, table.created_at, table.author, table.comment, table.deployed_at)
            .where(table.device_id == device_id)
            .order_by(table.version.desc())
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            {
                "version": row.version,
                "createdAt": iso(row.created_at),
                "author": row.author,
                "comment": row.comment,
                "deployedAt": optional_iso(row.deployed_at),
            }
            for row in rows
        ]
