"""What is known of a device's epochs: read before a batch, written after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.db.tables import record_epochs, record_gaps
from iotistic.cloud.records.items import Item, execute_all
from iotistic.cloud.records.watermark import Advance, Tally, advance
from iotistic.model.records import BATCH_RECORDS_MAX, RecordClass

EPOCHS_KEPT = 2 * BATCH_RECORDS_MAX
"""Of a class of a device; a batch may bring as many as it has records. Of one that starts anew
each minute it is the last day and more; what comes of a forgotten one is news again.
"""
GAPS_KEPT = 1000
"""Of a class of a device; how many records are missing is counted for ever."""
_ASKED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One epoch that a batch is about: what was known, and what the batch does to it."""

    record_class: RecordClass
    epoch: str
    is_new: bool
    known: Tally
    done: Advance


async def gather(connection: AsyncConnection, device_id: int, items: Iterable[Item]) -> list[Epoch]:
    """The epochs of a batch, in the order in which they come up in it."""
    good: dict[tuple[RecordClass, str], list[int]] = {}
    bad: dict[tuple[RecordClass, str], list[int]] = {}
    for item in items:
        if item.epoch is not None and item.seq is not None:
            key = (item.record_class, item.epoch)
            good.setdefault(key, [])
            (bad if item.refusal else good).setdefault(key, []).append(item.seq)
    known = await _known(connection, device_id, list(good))
    return [
        Epoch(
            record_class=key[0],
            epoch=key[1],
            is_new=key not in known,
            known=known.get(key, Tally()),
            done=advance(known.get(key, Tally()), seqs, bad.get(key, ())),
        )
        for key, seqs in good.items()
    ]


async def note(
    connection: AsyncConnection, device_id: int, epochs: Sequence[Epoch], now_ms: int
) -> None:
    """Write down what a batch did; of too many epochs and gaps the oldest go."""
    new = [one for one in epochs if one.is_new]
    if new:
        times = {"first_at": now_ms, "last_at": now_ms}
        values = [_named(device_id, one) | asdict(one.done.tally) | times for one in new]
        await execute_all(connection, insert(record_epochs), values)
    if held := [one for one in epochs if not one.is_new]:
        await execute_all(
            connection,
            _UPDATE,
            [
                {f"_{name}": value for name, value in _named(device_id, one).items()}
                | asdict(one.done.tally)
                | {"last_at": now_ms}
                for one in held
            ],
        )
    gaps = [
        _named(device_id, one) | {"first_seq": first, "last_seq": last, "at": now_ms}
        for one in epochs
        for first, last in one.done.gaps
    ]
    if gaps:
        await execute_all(connection, insert(record_gaps), gaps)
    for record_class in sorted({one.record_class for one in new}):
        await _forget_epochs(connection, device_id, record_class)
    for record_class in sorted({one.record_class for one in epochs if one.done.gaps}):
        await _forget_gaps(connection, device_id, record_class)


def watermarks(epochs: Iterable[Epoch]) -> dict[str, dict[str, int]]:
    """Where each of them stands, as the answer has it."""
    found: dict[str, dict[str, int]] = {}
    for one in epochs:
        found.setdefault(one.record_class.value, {})[one.epoch] = one.done.tally.watermark
    return found


_KEY = ("device_id", "class", "epoch")
_UPDATE = (
    update(record_epochs)
    .where(*(record_epochs.c[name] == bindparam(f"_{name}") for name in _KEY))
    .values({name: bindparam(name) for name in (*asdict(Tally()), "last_at")})
)


async def _known(
    connection: AsyncConnection, device_id: int, keys: list[tuple[RecordClass, str]]
) -> dict[tuple[RecordClass, str], Tally]:
    found: dict[tuple[RecordClass, str], Tally] = {}
    table = record_epochs.c
    for record_class, group in groupby(sorted(keys), key=lambda key: key[0]):
        epochs = [epoch for _, epoch in group]
        for start in range(0, len(epochs), _ASKED_AT_ONCE):
            query = select(record_epochs).where(
                table.device_id == device_id,
                table["class"] == record_class.value,
                table.epoch.in_(epochs[start : start + _ASKED_AT_ONCE]),
            )
            for row in (await connection.execute(query)).all():
                found[record_class, row.epoch] = Tally(
                    watermark=row.watermark,
                    received=row.received,
                    duplicates=row.duplicates,
                    missing=row.missing,
                    rejected=row.rejected,
                )
    return found


def _named(device_id: int, one: Epoch) -> dict[str, Any]:
    return {"device_id": device_id, "class": one.record_class.value, "epoch": one.epoch}


async def _forget_epochs(
    connection: AsyncConnection, device_id: int, record_class: RecordClass
) -> None:
    table = record_epochs.c
    mine = (table.device_id == device_id, table["class"] == record_class.value)
    count = (await connection.execute(select(func.count()).where(*mine))).scalar_one()
    if count > EPOCHS_KEPT:
        oldest = (
            select(table.epoch)
            .where(*mine)
            .order_by(table.last_at, table.epoch)
            .limit(count - EPOCHS_KEPT)
        )
        await connection.execute(delete(record_epochs).where(*mine, table.epoch.in_(oldest)))


async def _forget_gaps(
    connection: AsyncConnection, device_id: int, record_class: RecordClass
) -> None:
    table = record_gaps.c
    mine = (table.device_id == device_id, table["class"] == record_class.value)
    last = select(table.id).where(*mine).order_by(table.id.desc()).offset(GAPS_KEPT).limit(1)
    await connection.execute(delete(record_gaps).where(*mine, table.id <= last.scalar_subquery()))
