"""What devices call to hand in records and log lines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from litestar import post
from litestar.di import NamedDependency
from sqlalchemy.exc import SQLAlchemyError

from iotistic.cloud.access import Access, DeviceCaller
from iotistic.cloud.db.database import DatabaseUnavailable
from iotistic.cloud.records.intake import Intake, Taken
from iotistic.cloud.records.items import Item
from iotistic.cloud.records.lines import count_lines, read_log_lines, read_records
from iotistic.cloud.records.log_lines import hash_of_id
from iotistic.cloud.records.pace import Pace
from iotistic.cloud.requests import AnyRequest, drain, read_lines
from iotistic.model.errors import IotisticError
from iotistic.model.reader import BODY_BYTES_MAX
from iotistic.model.records import BATCH_BYTES_MAX
from iotistic.model.words import Dialect

RECORDS_BYTES_MAX = 2 * BATCH_BYTES_MAX
"""Twice what a device sends at once: senders may count a little differently."""
_BATCH_HEADERS = ("x-batch-id", "x-idempotency-key")
_BATCH_LENGTH_MAX = 255
_OFF_LOOP_FROM_BYTES = 64 * 1024

_R = TypeVar("_R")
_log = logging.getLogger("iotistic.cloud")


@post("/device/{uuid:str}/records", access=Access.DEVICE, status_code=200)
async def take_records(
    request: AnyRequest,
    device: NamedDependency[DeviceCaller],
    intake: NamedDependency[Intake],
    pace: NamedDependency[Pace],
) -> dict[str, Any]:
    """Take records: NDJSON, gzip allowed, `{class, epoch, seq, at, synced?, data}` a line.

    200 `{watermarks: {class: {epoch: seq}}, rejected: [{class, epoch, seq, code, message}]}`:
    what stands at or below a watermark is on disk, rejected, or known to be missing.
    """
    pace.check(device.device_id)
    body = await read_lines(request, bytes_max=RECORDS_BYTES_MAX)
    pace.charge(device.device_id, records=count_lines(body), bytes_=len(body))
    items = await _off_loop(body, read_records)
    taken = await intake.take(device.device_id, items)
    return {"watermarks": taken.watermarks, "rejected": taken.rejected}


@post("/device/{uuid:str}/logs", access=Access.DEVICE, status_code=200)
async def take_logs(
    request: AnyRequest,
    device: NamedDependency[DeviceCaller],
    intake: NamedDependency[Intake],
    pace: NamedDependency[Pace],
) -> dict[str, Any]:
    """Take log lines: NDJSON, gzip allowed. A line that cannot be used is left out.

    200 `{status: "ok", received, rejected, batchId?, watermarks?}`; `watermarks` where lines
    carry `epoch` and `seq`, `{log: {epoch: seq}}`.
    """
    if device.dialect != Dialect.O1:
        pace.check(device.device_id)
        return await _take_lines(request, device, intake, pace)
    # A device of the older dialect sends what was refused again ten times a second, without end:
    # it is told that its lines arrived, and what is too much is dropped.
    try:
        pace.check(device.device_id)
        return await _take_lines(request, device, intake, pace)
    except (IotisticError, SQLAlchemyError) as error:
        code = error.code if isinstance(error, IotisticError) else type(error).__name__
        # A flood is not to flood our log as well.
        is_ours = not isinstance(error, IotisticError) or isinstance(error, DatabaseUnavailable)
        level = logging.WARNING if is_ours else logging.DEBUG
        _log.log(level, "log lines dropped", extra={"device": device.uuid, "reason": code})
        await _drain(request)
        return {"status": "ok", "received": 0, "rejected": 0, "message": f"dropped: {code}"}


@post("/device/{uuid:str}/logs/dropped-summaries", access=Access.DEVICE, status_code=200)
async def take_summaries(request: AnyRequest) -> dict[str, Any]:
    """Take an older agent's account of log lines it dropped; it is not kept."""
    await _drain(request)
    return {"status": "ok"}


async def _take_lines(
    request: AnyRequest, device: DeviceCaller, intake: Intake, pace: Pace
) -> dict[str, Any]:
    body = await read_lines(request, bytes_max=BODY_BYTES_MAX)
    pace.charge(device.device_id, records=count_lines(body), bytes_=len(body))
    items, refused = await _off_loop(body, read_log_lines)
    batch_id = _batch_id(request)
    batch = hash_of_id("batch", batch_id) if batch_id else None
    taken = await intake.take(device.device_id, items, batch=batch)
    return _log_answer(items, refused, taken, batch_id)


def _log_answer(
    items: list[Item], refused: int, taken: Taken, batch_id: str | None
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "status": "ok",
        "received": len(items) - len(taken.rejected),
        "rejected": refused + len(taken.rejected),
    }
    if batch_id is not None:
        answer["batchId"] = batch_id
    if taken.watermarks:
        answer["watermarks"] = taken.watermarks
    return answer


def _batch_id(request: AnyRequest) -> str | None:
    for name in _BATCH_HEADERS:
        found = request.headers.get(name, "")
        if 0 < len(found) <= _BATCH_LENGTH_MAX and found.isprintable():
            return found
    return None


async def _drain(request: AnyRequest) -> None:
    try:
        await drain(request, bytes_max=BODY_BYTES_MAX)
    except (IotisticError, RuntimeError):
        # Cut off, or read to its end before: there is nothing left to forget.
        return


async def _off_loop(body: bytes, read: Callable[[bytes], _R]) -> _R:
    return read(body) if len(body) < _OFF_LOOP_FROM_BYTES else await asyncio.to_thread(read, body)


HANDLERS = (take_records, take_logs, take_summaries)
