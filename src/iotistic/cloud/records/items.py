"""One record as it is put into a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Executable, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.clock import DAY_MS
from iotistic.cloud.db.tables import device_logs, device_records, metric_points
from iotistic.model.errors import InvalidField
from iotistic.model.records import BATCH_RECORDS_MAX, RecordClass

EARLIEST_MS = 1_577_836_800_000
"""2020 began. What is stamped earlier, or later than tomorrow, was stamped by no clock."""

TABLES: Mapping[RecordClass, Table] = {
    RecordClass.EVENT: device_records,
    RecordClass.ANOMALY: device_records,
    RecordClass.READING: device_records,
    RecordClass.METRIC: metric_points,
    RecordClass.LOG: device_logs,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A record that came, or why it cannot be taken.

    `epoch` and `seq` are its id, or None for a line of an agent that has none; `seen_as` then
    tells it from the others of the last day. `body` is JSON; `more` are columns of its own.
    """

    record_class: RecordClass
    epoch: str | None
    seq: int | None
    at_ms: int | None = None
    clock_synced: bool = True
    body: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    seen_as: str | None = None
    refusal: InvalidField | None = None

    @property
    def size(self) -> int:
        """Bytes of its body."""
        return len(self.body) if self.body.isascii() else len(self.body.encode())

    def row(self, device_id: int, now_ms: int) -> dict[str, Any]:
        """Its columns. An implausible time of the device gives way to ours."""
        at_ms, synced = self.at_ms, self.clock_synced
        if at_ms is None or not EARLIEST_MS <= at_ms <= now_ms + DAY_MS:
            at_ms, synced = now_ms, synced and at_ms is None
        return {
            "device_id": device_id,
            "at": at_ms,
            "received_at": now_ms,
            "clock_synced": synced,
            "size": self.size,
            "epoch": self.epoch,
            "seq": self.seq,
            "body": self.body,
            **self.more,
        }


async def execute_all(
    connection: AsyncConnection, statement: Executable, values: Sequence[Mapping[str, Any]]
) -> None:
    """Run a statement for all values, in pieces: what is made of them is made on the loop."""
    for start in range(0, len(values), BATCH_RECORDS_MAX):
        await connection.execute(statement, values[start : start + BATCH_RECORDS_MAX])
