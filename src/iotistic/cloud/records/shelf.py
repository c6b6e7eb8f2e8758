"""What was stored, as operators read it: log lines, events, and what never came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.clock import iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import (
    device_logs,
    device_records,
    record_epochs,
    record_gaps,
    record_streams,
)
from iotistic.cloud.records.query import LogQuery, Span
from iotistic.model.records import RecordClass

ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""What one page holds at most; a page of long lines ends early."""


class Shelf:
    """Reads what devices sent. Pages are the newest, in the order in which they came."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def logs(self, device_id: int, query: LogQuery) -> list[dict[str, Any]]:
        """One page of log lines; `offset` counts from the newest."""
        async with self._database.read() as connection:
            where = _log_filter(device_id, query)
            rows = await _page(connection, device_logs, where, query.limit, query.offset)
        return [_line(row) for row in rows]

    async def logs_after(
        self, device_id: int, query: LogQuery, cursor: int
    ) -> tuple[list[dict[str, Any]], int]:
        """The next lines behind a cursor, at most `query.limit`, and the cursor behind them."""
        table = device_logs.c
        async with self._database.read() as connection:
            last = await self._last(connection, device_id)
            if last <= cursor:
                return [], cursor
            chosen = (
                select(device_logs)
                .where(*_log_filter(device_id, query), table.id > cursor, table.id <= last)
                .order_by(table.id)
                .limit(query.limit)
            )
            rows = (await connection.execute(chosen)).all()
        lines = [_line(row) for row in rows]
        return lines, rows[-1].id if len(rows) == query.limit else last

    async def last_log(self, device_id: int) -> int:
        """The cursor behind the newest line; 0 where there is none."""
        async with self._database.read() as connection:
            return await self._last(connection, device_id)

    async def services(self, device_id: int) -> list[dict[str, Any]]:
        """Which services have lines here, how many, and since and until when."""
        table = device_logs.c
        query = (
            select(
                table.service,
                func.count().label("lines"),
                func.min(table.at).label("first_at"),
                func.max(table.at).label("last_at"),
            )
            .where(table.device_id == device_id)
            .group_by(table.service)
            .order_by(table.service)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            {
                "serviceName": row.service,
                "count": row.lines,
                "firstAt": iso(row.first_at),
                "lastAt": iso(row.last_at),
            }
            for row in rows
        ]

    async def events(
        self, device_id: int, record_class: RecordClass, span: Span, *, limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """One page of events, anomalies or readings; `offset` counts from the newest."""
        table = device_records.c
        where = [
            table.device_id == device_id,
            table["class"] == record_class.value,
            *_within(device_records, span),
        ]
        async with self._database.read() as connection:
            rows = await _page(connection, device_records, where, limit, offset)
        return [
            {
                "cursor": row.id,
                "class": record_class.value,
                "timestamp": row.at,
                "receivedAt": iso(row.received_at),
                "clockSynced": row.clock_synced,
                "epoch": row.epoch,
                "seq": row.seq,
                "data": msgspec.json.decode(row.body),
            }
            for row in rows
        ]

    async def gaps(self, device_id: int, *, epochs_max: int) -> dict[str, Any]:
        """For each class what came, came again, was refused and never came; newest epochs first."""
        async with self._database.read() as connection:
            classes = await sums(connection, device_id)
            for name, shown in classes.items():
                shown["epochs"] = await self._epochs(connection, device_id, name, epochs_max)
        return {"classes": classes}

    async def _epochs(
        self, connection: AsyncConnection, device_id: int, name: str, epochs_max: int
    ) -> list[dict[str, Any]]:
        table = record_epochs.c
        query = (
            select(record_epochs)
            .where(table.device_id == device_id, table["class"] == name)
            .order_by(table.last_at.desc(), table.epoch)
            .limit(epochs_max)
        )
        found = {row.epoch: _epoch(row) for row in (await connection.execute(query)).all()}
        gap = record_gaps.c
        of_class = (
            select(record_gaps)
            .where(gap.device_id == device_id, gap["class"] == name)
            .order_by(gap.id.desc())
        )
        for row in (await connection.execute(of_class)).all():
            if row.epoch in found:
                found[row.epoch]["gaps"].append(
                    {"from": row.first_seq, "to": row.last_seq, "noticedAt": iso(row.at)}
                )
        return list(found.values())

    async def _last(self, connection: AsyncConnection, device_id: int) -> int:
        query = select(func.max(device_logs.c.id)).where(device_logs.c.device_id == device_id)
        return (await connection.execute(query)).scalar_one() or 0


async def sums(connection: AsyncConnection, device_id: int) -> dict[str, dict[str, Any]]:
    """For each class of a device what came of it so far, and what of that is still here."""
    table = record_streams.c
    query = (
        select(record_streams, table["class"].label("name"))
        .where(table.device_id == device_id)
        .order_by(table["class"])
    )
    return {
        row.name: {
            "received": row.received,
            "duplicates": row.duplicates,
            "missing": row.missing,
            "rejected": row.rejected,
            "stored": row.rows,
            "storedBytes": row.bytes,
            "firstAt": iso(row.first_at),
            "lastAt": iso(row.last_at),
        }
        for row in (await connection.execute(query)).all()
    }


async def _page(
    connection: AsyncConnection,
    table: Table,
    where: Sequence[ColumnElement[bool]],
    limit: int,
    offset: int,
) -> list[Row[Any]]:
    """The newest rows in the order of their ids, as many as an answer holds."""
    newest = table.c.id.desc()
    sizes = select(table.c.id, table.c.size).where(*where).order_by(newest)
    chosen: list[int] = []
    total = 0
    for row in (await connection.execute(sizes.limit(limit).offset(offset))).all():
        total += row.size
        if chosen and total > ANSWER_BYTES_MAX:
            break
        chosen.append(row.id)
    if not chosen:
        return []
    between = (table.c.id >= chosen[-1], table.c.id <= chosen[0])
    query = select(table).where(*where, *between).order_by(table.c.id)
    return list((await connection.execute(query)).all())


def _log_filter(device_id: int, query: LogQuery) -> list[ColumnElement[bool]]:
    table = device_logs.c
    where: list[ColumnElement[bool]] = [table.device_id == device_id]
    if query.service is not None:
        where.append(table.service == query.service)
    if query.level is not None:
        where.append(table.level.in_(query.levels))
    return where + _within(device_logs, query.span)


def _within(table: Table, span: Span) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if span.from_ms is not None:
        where.append(table.c.at >= span.from_ms)
    if span.to_ms is not None:
        where.append(table.c.at < span.to_ms)
    return where


def _line(row: Row[Any]) -> dict[str, Any]:
    line: dict[str, Any] = {
        **msgspec.json.decode(row.body),
        "cursor": row.id,
        "timestamp": row.at,
        "level": row.level,
        "serviceName": row.service,
        "receivedAt": iso(row.received_at),
        "clockSynced": row.clock_synced,
    }
    if row.epoch is not None:
        line |= {"epoch": row.epoch, "seq": row.seq}
    return line


def _epoch(row: Row[Any]) -> dict[str, Any]:
    return {
        "epoch": row.epoch,
        "watermark": row.watermark,
        "received": row.received,
        "duplicates": row.duplicates,
        "missing": row.missing,
        "rejected": row.rejected,
        "firstAt": iso(row.first_at),
        "lastAt": iso(row.last_at),
        "gaps": [],
    }
