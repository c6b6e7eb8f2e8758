"""Records on the wire: what leaves a device for good, each under an id of its own.

A record's id is (uuid of the device, class, epoch, seq). An epoch is a random word that the
device makes anew at each start of its outbox; within it `seq` counts from 1 in the order in which
the records were made. So a device whose disk was put back to an earlier day never gives an id
twice, and whoever keeps the highest `seq` stored per class and epoch (the watermark) knows
duplicates from news, and which records never came (gaps).

    POST /api/v1/device/{uuid}/records   application/x-ndjson, gzip allowed; one record a line
    POST /api/v1/device/{uuid}/logs      the same for the class `log`, in the form of log lines

    200 {"watermarks": {"metric": {"<epoch>": 17}}, "rejected": [{"class": "metric", "epoch":
         "<epoch>", "seq": 16, "code": "invalid-field", "message": "…"}]}

What stands below a watermark is stored, known as missing, or was rejected: the device need not
keep it. A rejected record is never sent again. A record behind a hole is stored as well, and the
hole is noted as a gap; what still comes of it later is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, decode_json

CONTENT_TYPE = "application/x-ndjson"
RECORD_BYTES_MAX = 64 * 1024
"""One encoded line; what is longer is cut (a log line) or refused where it is made."""
BATCH_RECORDS_MAX = 1000
BATCH_BYTES_MAX = 1024 * 1024
EPOCH = re.compile(r"[0-9a-f]{8,32}\Z")


class RecordClass(StrEnum):
    """What a record is about. In the order of urgency: the first leave the device first."""

    EVENT = "event"
    """A release's phase, a crash loop, a reboot, safe mode: what an operator wants to hear of."""
    ANOMALY = "anomaly"
    READING = "reading"
    """Of a sensor."""
    METRIC = "metric"
    """One reading of figures: `{"scope": "host", "metrics": {name: number, …}}`, and of a
    container `{"scope": "service", "appId", "serviceId", "serviceName", "metrics"}`."""
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordId:
    """Which record of a device. `seq` counts from 1 within one epoch of one class."""

    record_class: RecordClass
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record. `at_ms` is the device's wall clock (a label), `clock_synced` whether it was
    known to be right then; `data` is JSON.
    """

    id: RecordId
    at_ms: int
    clock_synced: bool
    data: Mapping[str, Any]


def encode_record(record: Record) -> bytes:
    """One line, without its line end."""
    return msgspec.json.encode(
        {
            "class": record.id.record_class,
            "epoch": record.id.epoch,
            "seq": record.id.seq,
            "at": record.at_ms,
            "synced": record.clock_synced,
            "data": record.data,
        }
    )


def decode_record(line: bytes, *, at: str) -> Record:
    """Read one line; raises InvalidField naming `at`."""
    value = decode_json(line, at=at, bytes_max=RECORD_BYTES_MAX)
    fields = Fields(value, at)
    return Record(
        id=RecordId(
            record_class=_record_class(fields),
            epoch=fields.text("epoch", pattern=EPOCH, expected="8 to 32 hexadecimal digits"),
            seq=fields.integer("seq", low=1),
        ),
        at_ms=fields.integer("at"),
        clock_synced=fields.boolean("synced", default=True),
        data=fields.mapping("data"),
    )


def _record_class(fields: Fields) -> RecordClass:
    text = fields.text("class")
    try:
        return RecordClass(text)
    except ValueError as error:
        raise InvalidField(
            fields.path("class"), expected=f"one of {', '.join(RecordClass)}", found=text
        ) from error
