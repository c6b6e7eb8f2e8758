"""Letting rows go: the oldest of a device that has too many, and what is past its days.

Deletes are of a few thousand rows each, in transactions of their own where time is the reason:
SQLite has one writer, and devices wait for it.
"""

from __future__ import annotations

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.clock import DAY_MS, Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import (
    device_logs,
    device_records,
    metric_points,
    record_epochs,
    record_streams,
    seen_log_ids,
)
from iotistic.cloud.records.items import TABLES
from iotistic.cloud.records.limits import RecordLimits
from iotistic.model.records import BATCH_RECORDS_MAX, RecordClass

ROWS_AT_ONCE = 5000
EPOCH_DAYS = 400
"""An epoch of which nothing came for that long is forgotten; no device keeps anything so long."""
_FIXED_CLASS = {device_logs: RecordClass.LOG, metric_points: RecordClass.METRIC}


async def make_room(
    connection: AsyncConnection,
    device_id: int,
    record_class: RecordClass,
    *,
    rows: int,
    bytes_: int,
) -> None:
    """Let the oldest of a class of a device go until `rows` and `bytes_` fewer are held.

    At most twice what a batch brings: where a limit was lowered it takes some batches.
    """
    if rows <= 0 and bytes_ <= 0:
        return
    table = TABLES[record_class]
    mine = [table.c.device_id == device_id]
    if table is device_records:
        mine.append(table.c["class"] == record_class.value)
    query = (
        select(table.c.id, table.c.size)
        .where(*mine)
        .order_by(table.c.id)
        .limit(2 * BATCH_RECORDS_MAX)
    )
    last, gone, freed = None, 0, 0
    for row in (await connection.execute(query)).all():
        if gone >= rows and freed >= bytes_:
            break
        last, gone, freed = row.id, gone + 1, freed + row.size
    if last is not None:
        await connection.execute(delete(table).where(*mine, table.c.id <= last))
        await _discount(connection, device_id, record_class.value, gone, freed)


class Retention:
    """Forgets what is past its days."""

    def __init__(self, database: Database, clock: Clock, *, limits: RecordLimits) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits

    async def sweep(self) -> None:
        """One round: everything that is too old, in small transactions."""
        for table in (device_logs, metric_points, device_records):
            before = self._clock() - self._limits.days_of(table) * DAY_MS
            while await self._sweep_some(table, before) >= ROWS_AT_ONCE:
                pass
        now = self._clock()
        for table, at, before in (
            (seen_log_ids, seen_log_ids.c.at, now - DAY_MS),
            (record_epochs, record_epochs.c.last_at, now - EPOCH_DAYS * DAY_MS),
        ):
            async with self._database.write() as connection:
                await connection.execute(delete(table).where(at < before))

    async def _sweep_some(self, table: Table, before: int) -> int:
        """How many of the oldest rows went; they came in the order of their ids."""
        oldest = (
            select(table.c.id, table.c.received_at).order_by(table.c.id).limit(ROWS_AT_ONCE)
        ).subquery()
        async with self._database.write() as connection:
            last = (
                await connection.execute(
                    select(func.max(oldest.c.id)).where(oldest.c.received_at < before)
                )
            ).scalar_one()
            if last is None:
                return 0
            doomed = (table.c.id <= last, table.c.received_at < before)
            of_class = [table.c["class"]] if table is device_records else []
            counts = select(
                table.c.device_id, *of_class, func.count(), func.sum(table.c.size)
            ).where(*doomed)
            gone = 0
            groups = counts.group_by(table.c.device_id, *of_class)
            for device_id, *name, rows, size in (await connection.execute(groups)).all():
                record_class = name[0] if name else _FIXED_CLASS[table].value
                await _discount(connection, device_id, record_class, rows, size)
                gone += rows
            await connection.execute(delete(table).where(*doomed))
            return gone


async def _discount(
    connection: AsyncConnection, device_id: int, record_class: str, rows: int, size: int
) -> None:
    table = record_streams.c
    await connection.execute(
        update(record_streams)
        .where(table.device_id == device_id, table["class"] == record_class)
        .values(rows=table.rows - rows, bytes=table.bytes - size)
    )
