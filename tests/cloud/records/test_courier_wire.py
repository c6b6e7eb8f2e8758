"""What an agent packs, as the cloud takes it, and the answer, as the agent reads it."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.agent.http import Reply
from iotistic.agent.outbox import Batch
from iotistic.agent.sync.parcel import pack, receipt_of
from iotistic.model.records import Record, RecordClass, RecordId
from iotistic.model.words import Dialect
from tests.cloud.records.sending import DEVICE, EPOCH, LOGS, RECORDS
from tests.cloud.running import START_MS, Running

DATA: dict[RecordClass, dict[str, Any]] = {
    RecordClass.EVENT: {"event": "reboot"},
    RecordClass.METRIC: {"scope": "host", "metrics": {"cpu_usage_percent": 1.5}},
    RecordClass.LOG: {"message": "hello", "level": "info", "source": {"type": "manager"}},
}


def batch_of(record_class: RecordClass) -> Batch:
    records = tuple(
        Record(
            id=RecordId(record_class=record_class, epoch=EPOCH, seq=seq),
            at_ms=START_MS + seq,
            clock_synced=True,
            data=DATA[record_class],
        )
        for seq in (1, 2, 3)
    )
    return Batch(record_class=record_class, records=records, bytes_bound=4096)


@pytest.mark.parametrize("compress", [False, True])
async def test_every_class_arrives_and_is_acknowledged(cloud: Running, compress: bool) -> None:
    key = await cloud.o1_device()
    for record_class in DATA:
        for dialect in Dialect:
            batch = batch_of(record_class)
            content = pack(batch, dialect=dialect, compress=compress)
            headers = {"Content-Type": content.media_type}
            if content.encoding is not None:
                headers["Content-Encoding"] = content.encoding

            path = LOGS if record_class is RecordClass.LOG else RECORDS
            body = await cloud.ok("POST", path, key=key, content=content.data, headers=headers)

            assert receipt_of(Reply(status=200, body=body), batch).watermarks == {EPOCH: 3}
    shown = (await cloud.ok("GET", DEVICE, who="viewer"))["records"]
    assert {of: one["received"] for of, one in shown.items()} == dict.fromkeys(DATA, 3)
