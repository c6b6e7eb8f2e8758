"""The lines of a body, as records or as what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from iotistic.cloud.errors import TooLarge
from iotistic.cloud.records.items import Item
from iotistic.cloud.records.log_lines import log_item
from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import InvalidField
from iotistic.model.reader import BODY_BYTES_MAX, Fields, decode_json
from iotistic.model.records import BATCH_RECORDS_MAX, EPOCH, Record, RecordClass, decode_record

LOG_LINES_MAX = 5_000
NAMES_MAX = 512
NAME_LENGTH_MAX = 256
LABEL_LENGTH_MAX = 256
_NUMBER_MAX = 1e18


class _LogId(msgspec.Struct, kw_only=True):
    """As much of a log line as has to be readable for it to be refused alone."""

    epoch: str
    seq: int

    @property
    def fits(self) -> bool:
        """Whether it is an id at all."""
        return EPOCH.match(self.epoch) is not None and 1 <= self.seq <= INTEGER_MAX


class _Id(_LogId, kw_only=True):
    """The same of a record."""

    record_class: RecordClass = msgspec.field(name="class")


_I = TypeVar("_I", bound=_LogId)


def read_records(body: bytes) -> list[Item]:
    """The records of a body. Those that cannot be used say why.

    Raises InvalidField naming the line where not even an id can be read, and TooLarge.
    """
    return [_record_item(line, f"line {number}") for number, line in _lines(body)]


def read_log_lines(body: bytes, *, lines_max: int = LOG_LINES_MAX) -> tuple[list[Item], int]:
    """The log lines of a body that can be read, at most `lines_max`, and how many cannot."""
    items: list[Item] = []
    refused = 0
    lines = [line for line in body.split(b"\n") if line.strip()]
    for number, line in enumerate(lines[:lines_max], 1):
        try:
            value = decode_json(line, at=f"line {number}", bytes_max=BODY_BYTES_MAX)
            items.append(log_item(value, f"line {number}"))
        except InvalidField as error:
            found = _id_of(line, _LogId)
            if found is None:
                refused += 1
            else:
                items.append(_refused(RecordClass.LOG, found, error))
    return items, refused + len(lines[lines_max:])


def count_lines(body: bytes) -> int:
    """How many lines a body has at most, without looking at them."""
    return body.count(b"\n") + (not body.endswith(b"\n") and bool(body))


def _lines(body: bytes) -> Sequence[tuple[int, bytes]]:
    if body.count(b"\n") > 2 * BATCH_RECORDS_MAX:
        raise _too_many()
    found = [(n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(found) > BATCH_RECORDS_MAX:
        raise _too_many()
    return found


def _too_many() -> TooLarge:
    return TooLarge(
        f"the body has more than {BATCH_RECORDS_MAX} records", remedy="send less at once"
    )


def _record_item(line: bytes, at: str) -> Item:
    try:
        record = decode_record(line, at=at)
        return _item(record, at)
    except InvalidField as error:
        found = _id_of(line, _Id)
        if found is None:
            # What stood there may be somebody's secret, and an answer may end in a log.
            expected = "a record with class, epoch and seq"
            raise InvalidField(at, expected=expected, secret=True) from error
        return _refused(found.record_class, found, error)


def _id_of(line: bytes, kind: type[_I]) -> _I | None:
    try:
        found = msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if found.fits else None


def _refused(record_class: RecordClass, found: _LogId, error: InvalidField) -> Item:
    return Item(record_class=record_class, epoch=found.epoch, seq=found.seq, refusal=error)


def _item(record: Record, at: str) -> Item:
    if record.id.record_class is RecordClass.LOG:
        read = log_item({"timestamp": record.at_ms, **record.data}, f"{at}.data")
        body, more = read.body, read.more
    else:
        is_metric = record.id.record_class is RecordClass.METRIC
        found = _point(record.data, f"{at}.data") if is_metric else record.data
        body = msgspec.json.encode(found).decode()
        more = {} if is_metric else {"class": record.id.record_class.value}
    return Item(
        record_class=record.id.record_class,
        epoch=record.id.epoch,
        seq=record.id.seq,
        at_ms=record.at_ms,
        clock_synced=record.clock_synced,
        body=body,
        more=more,
    )


def _point(data: Mapping[str, Any], at: str) -> dict[str, Any]:
    """What the figures are of, and the figures; without `metrics` the figures are the host's."""
    if "metrics" not in data:
        return {"scope": "host", "metrics": _numbers(data, at)}
    fields = Fields(data, at)
    labels: dict[str, Any] = {"scope": fields.text("scope", length_max=LABEL_LENGTH_MAX)}
    for name in ("serviceId", "serviceName"):
        if (text := fields.optional_text(name, length_max=LABEL_LENGTH_MAX)) is not None:
            labels[name] = text
    if (app_id := fields.optional_integer("appId")) is not None:
        labels["appId"] = app_id
    return {**labels, "metrics": _numbers(fields.mapping("metrics"), f"{at}.metrics")}


def _numbers(data: Mapping[str, Any], at: str) -> dict[str, float]:
    if len(data) > NAMES_MAX:
        raise InvalidField(at, expected=f"at most {NAMES_MAX} figures", found=len(data))
    found: dict[str, float] = {}
    for name, value in data.items():
        if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InvalidField(at, expected=f"names of 1 to {NAME_LENGTH_MAX} letters", found=name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidField(f"{at}.{name}", expected="a number", found=value)
        if not math.isfinite(value) or abs(value) > _NUMBER_MAX:
            raise InvalidField(f"{at}.{name}", expected="a number up to 1e18", found=value)
        found[name] = value
    return found
