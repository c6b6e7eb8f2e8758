"""A batch of records as it goes over the wire, and what the cloud answers to it. Pure."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from iotistic.agent.http import CloudRefused, Content, Reply
from iotistic.agent.outbox import Batch
from iotistic.model.errors import CloudUnavailable, Refused
from iotistic.model.records import CONTENT_TYPE, EPOCH, Record, RecordClass, RecordId, encode_record
from iotistic.model.words import Dialect

LOGS_GZIP_TYPE = "application/x-ndjson+gzip"
_TEXT_LENGTH_MAX = 200


class NoReceipt(Refused):
    """Whoever answers there does not say what it stored: it knows nothing of records."""

    code: str = "no-receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A record that the cloud will never take."""

    id: RecordId
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a batch has come to: up to where each epoch is the cloud's."""

    watermarks: Mapping[str, int]
    rejected: tuple[Rejection, ...] = ()


def pack(batch: Batch, *, dialect: Dialect, compress: bool) -> Content:
    """One record a line. Log lines have a form of their own; only compressed ones of the newer
    dialect say so in the content type, and nowhere else.
    """
    is_log = batch.record_class is RecordClass.LOG
    encode = _log_line if is_log else encode_record
    data = b"\n".join(encode(record) for record in batch.records)
    if not compress:
        return Content(data=data, media_type=CONTENT_TYPE)
    data = gzip.compress(data, compresslevel=6, mtime=0)
    if is_log and dialect is not Dialect.O1:
        return Content(data=data, media_type=LOGS_GZIP_TYPE)
    return Content(data=data, media_type=CONTENT_TYPE, encoding="gzip")


def receipt_of(reply: Reply, batch: Batch) -> Receipt:
    """Read the answer.

    Not every cloud answers log lines with watermarks: then any success is for all of them, but
    for one that left some out, which counts as a refusal of the batch (CloudRefused).
    Raises NoReceipt for other records, and CloudUnavailable when nothing of it was stored.
    """
    body = reply.body if isinstance(reply.body, Mapping) else {}
    known = body.get("watermarks")
    if not isinstance(known, Mapping):
        if batch.record_class is not RecordClass.LOG:
            raise NoReceipt("the cloud does not say which records it has stored")
        if _is_positive(body.get("rejected")):
            raise CloudRefused(
                "the cloud could not use all of the log lines", status=422, code="lines-rejected"
            )
        return Receipt(watermarks=_all_of(batch))
    receipt = Receipt(
        watermarks=_watermarks(known.get(batch.record_class.value)),
        rejected=_rejections(body.get("rejected"), batch),
    )
    first = batch.records[0].id
    if receipt.watermarks.get(first.epoch, 0) < first.seq and not receipt.rejected:
        raise CloudUnavailable(
            "the cloud did not acknowledge what was sent to it", code="not-acknowledged"
        )
    return receipt


def _log_line(record: Record) -> bytes:
    return msgspec.json.encode(
        {"timestamp": record.at_ms}
        | dict(record.data)
        | {"epoch": record.id.epoch, "seq": record.id.seq}
    )


def _all_of(batch: Batch) -> dict[str, int]:
    highest: dict[str, int] = {}
    for record in batch.records:
        highest[record.id.epoch] = max(record.id.seq, highest.get(record.id.epoch, 0))
    return highest


def _watermarks(found: object) -> dict[str, int]:
    if not isinstance(found, Mapping):
        return {}
    return {epoch: seq for epoch, seq in found.items() if _is_positive(seq) and EPOCH.match(epoch)}


def _rejections(found: object, batch: Batch) -> tuple[Rejection, ...]:
    if not isinstance(found, list):
        return ()
    sent = {(record.id.epoch, record.id.seq): record.id for record in batch.records}
    kind = batch.record_class.value
    return tuple(
        Rejection(
            id=record_id,
            code=_text(entry.get("code"), "rejected"),
            message=_text(entry.get("message"), ""),
        )
        for entry in found
        if isinstance(entry, Mapping)
        and entry.get("class", kind) == kind
        and (record_id := sent.get(_key(entry))) is not None
    )


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _key(entry: Mapping[str, Any]) -> tuple[str, int]:
    epoch, seq = entry.get("epoch"), entry.get("seq")
    return (epoch, seq) if isinstance(epoch, str) and isinstance(seq, int) else ("", 0)


def _text(found: object, default: str) -> str:
    return found[:_TEXT_LENGTH_MAX] if isinstance(found, str) and found else default
