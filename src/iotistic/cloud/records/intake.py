"""Taking a batch: one transaction, after which the device may forget what it sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.clock import Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import devices, record_streams, seen_log_ids
from iotistic.cloud.records.epochs import Epoch, gather, note, watermarks
from iotistic.cloud.records.items import TABLES, Item, execute_all
from iotistic.cloud.records.limits import MEGABYTE, RecordLimits
from iotistic.cloud.records.room import make_room
from iotistic.cloud.records.watermark import bounded_sum
from iotistic.model.records import RecordClass

_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a batch. `stored` are new; `watermarks` those of the epochs it was about."""

    stored: int
    watermarks: Mapping[str, Mapping[str, int]]
    rejected: Sequence[Mapping[str, Any]]


class Intake:
    """Stores what devices send. `wake` is told which device has new log lines."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        limits: RecordLimits,
        wake: Callable[[int], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits
        self._wake = wake

    async def take(
        self, device_id: int, items: Sequence[Item], *, batch: str | None = None
    ) -> Taken:
        """Store what is new of a batch. All of it is on disk on return.

        `batch` is a hash under which lines without ids of their own are taken once.
        """
        now = self._clock()
        async with self._database.write() as connection:
            # A write to the device's row first: batches of one device go one after the other,
            # on databases with row locks as well.
            await connection.execute(
                update(devices).where(devices.c.id == device_id).values(last_seen_at=now)
            )
            epochs = await gather(connection, device_id, items)
            fresh = _fresh(items, epochs)
            fresh += await self._unnumbered(connection, device_id, items, batch, now)
            await self._store(connection, device_id, fresh, now)
            await note(connection, device_id, epochs, now)
            await self._count(connection, device_id, fresh, epochs, now)
        if any(item.record_class is RecordClass.LOG for item in fresh):
            self._wake(device_id)
        return Taken(stored=len(fresh), watermarks=watermarks(epochs), rejected=_rejections(items))

    async def _unnumbered(
        self,
        connection: AsyncConnection,
        device_id: int,
        items: Iterable[Item],
        batch: str | None,
        now: int,
    ) -> list[Item]:
        """Lines without an epoch that were not seen within a day."""
        lines = [item for item in items if item.epoch is None]
        if not lines:
            return []
        by_id = {item.seen_as: item for item in reversed(lines) if item.seen_as is not None}
        asked = [*by_id, *([batch] if batch is not None else [])]
        seen: set[str] = set()
        table = seen_log_ids.c
        for start in range(0, len(asked), _IDS_AT_ONCE):
            query = select(table.id_hash, table.at).where(
                table.device_id == device_id,
                table.id_hash.in_(asked[start : start + _IDS_AT_ONCE]),
            )
            seen |= {row.id_hash for row in (await connection.execute(query)).all()}
        if batch in seen:
            return []
        if new := [id_hash for id_hash in asked if id_hash not in seen]:
            values = [{"device_id": device_id, "id_hash": one, "at": now} for one in new]
            await execute_all(connection, insert(seen_log_ids), values)
        return [
            item
            for item in lines
            if item.seen_as is None or (item.seen_as not in seen and by_id[item.seen_as] is item)
        ]

    async def _store(
        self, connection: AsyncConnection, device_id: int, fresh: Iterable[Item], now: int
    ) -> None:
        rows: dict[Table, list[dict[str, Any]]] = {}
        for item in fresh:
            rows.setdefault(TABLES[item.record_class], []).append(item.row(device_id, now))
        for table, values in rows.items():
            await execute_all(connection, insert(table), values)

    async def _count(
        self,
        connection: AsyncConnection,
        device_id: int,
        fresh: Sequence[Item],
        epochs: Sequence[Epoch],
        now: int,
    ) -> None:
        """Bring the sums up to date, and let the oldest rows go where there are too many."""
        classes = {one.record_class for one in epochs} | {item.record_class for item in fresh}
        for record_class in sorted(classes):
            added = [item for item in fresh if item.record_class is record_class]
            tallies = [
                (one.known, one.done.tally) for one in epochs if one.record_class is record_class
            ]
            change = {
                "rows": len(added),
                "bytes": sum(item.size for item in added),
                "received": len(added),
                **{
                    name: sum(
                        getattr(after, name) - getattr(before, name) for before, after in tallies
                    )
                    for name in ("duplicates", "missing", "rejected")
                },
            }
            held = await self._add(connection, device_id, record_class, change, now)
            await make_room(
                connection,
                device_id,
                record_class,
                rows=held["rows"] - self._limits.rows_per_device,
                bytes_=held["bytes"] - self._limits.megabytes_per_device * MEGABYTE,
            )

    async def _add(
        self,
        connection: AsyncConnection,
        device_id: int,
        record_class: RecordClass,
        change: Mapping[str, int],
        now: int,
    ) -> dict[str, int]:
        table = record_streams.c
        here = (table.device_id == device_id, table["class"] == record_class.value)
        row = (await connection.execute(select(record_streams).where(*here))).one_or_none()
        if row is None:
            values = {"device_id": device_id, "class": record_class.value, **change}
            values |= {"first_at": now, "last_at": now}
            await connection.execute(insert(record_streams), [values])
            return dict(change)
        sums = {name: bounded_sum(getattr(row, name), more) for name, more in change.items()}
        changed = {**sums, "last_at": now}
        await connection.execute(update(record_streams).where(*here).values(changed))
        return sums


def _fresh(items: Iterable[Item], epochs: Iterable[Epoch]) -> list[Item]:
    """What is to be stored, in the order of the numbers within each epoch."""
    wanted = {
        (one.record_class, one.epoch, seq): n
        for n, (one, seq) in enumerate((one, seq) for one in epochs for seq in one.done.fresh)
    }
    found: dict[int, Item] = {}
    for item in items:
        if item.refusal is None and item.epoch is not None and item.seq is not None:
            place = wanted.get((item.record_class, item.epoch, item.seq))
            if place is not None:
                found.setdefault(place, item)
    return [item for _, item in sorted(found.items(), key=lambda pair: pair[0])]


def _rejections(items: Iterable[Item]) -> list[dict[str, Any]]:
    return [
        {
            "class": item.record_class.value,
            "epoch": item.epoch,
            "seq": item.seq,
            "code": item.refusal.code,
            "message": item.refusal.message,
        }
        for item in items
        if item.refusal is not None
    ]
