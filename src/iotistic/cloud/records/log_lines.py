"""One log line of any agent, brought into one form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from iotistic.cloud.records.items import Item
from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import InvalidField
from iotistic.model.records import EPOCH, RECORD_BYTES_MAX, RecordClass

LEVELS = ("debug", "info", "warn", "error")
_OTHER_LEVELS = {"trace": "debug", "warning": "warn", "fatal": "error", "critical": "error"}
_SERVICE_LENGTH_MAX = 128
_MESSAGE_BYTES_MAX = 60 * 1024
# Control characters take six bytes each once they are written down.
_ESCAPED_BYTES_MAX = _MESSAGE_BYTES_MAX // 6
_METRICS_REPORT = "Metrics Report"
# These are columns, or the wire's own.
_TAKEN = ("timestamp", "level", "serviceName", "isStderr", "epoch", "seq", "synced", "truncated")


def log_item(value: object, at: str, *, clock_synced: bool = True) -> Item:
    """Read a line. Raises InvalidField when it is no object or says nothing.

    What is longer than a record may be is cut, and flagged `truncated`.
    """
    if not isinstance(value, Mapping):
        raise InvalidField(at, expected="an object", found=value)
    message = value.get("message")
    if not isinstance(message, str):
        raise InvalidField(f"{at}.message", expected="a text", found=message)
    body = {name: found for name, found in value.items() if name not in _TAKEN}
    if _METRICS_REPORT in message:
        # A whole report of an older agent, with the values of environment variables.
        body.pop("context", None)
    if "isStderr" in value:
        body.setdefault("isStdErr", value["isStderr"])
    epoch, seq = _id_of(value)
    if epoch is None and "seq" in value:
        body["seq"] = value["seq"]
    return Item(
        record_class=RecordClass.LOG,
        epoch=epoch,
        seq=seq,
        at_ms=_time_of(value.get("timestamp")),
        clock_synced=clock_synced and value.get("synced") is not False,
        body=_encoded(body, message),
        more={"level": level_of(value.get("level")), "service": _service_of(value)},
        seen_as=_seen_as(value.get("id")) if epoch is None else None,
    )


def level_of(found: object) -> str:
    """One of LEVELS; what nobody knows is `info`."""
    text = found.lower() if isinstance(found, str) else ""
    text = _OTHER_LEVELS.get(text, text)
    return text if text in LEVELS else "info"


def hash_of_id(kind: str, text: str) -> str:
    """How an id is remembered, whatever its length and letters."""
    return hashlib.sha256(f"{kind}:{text}".encode("utf-8", "replace")).hexdigest()


def _seen_as(line_id: object) -> str | None:
    return hash_of_id("line", line_id) if isinstance(line_id, str) and line_id else None


def _id_of(value: Mapping[str, Any]) -> tuple[str | None, int | None]:
    epoch, seq = value.get("epoch"), value.get("seq")
    if not isinstance(epoch, str) or not EPOCH.match(epoch):
        return None, None
    if isinstance(seq, bool) or not isinstance(seq, int) or not 1 <= seq <= INTEGER_MAX:
        return None, None
    return epoch, seq


def _time_of(found: object) -> int | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return int(found) if 0 <= found <= INTEGER_MAX else None


def _service_of(value: Mapping[str, Any]) -> str:
    source = value.get("source")
    named = value.get("serviceName") or (
        source.get("name") if isinstance(source, Mapping) else None
    )
    # Not every database holds a NUL in a text.
    return named[:_SERVICE_LENGTH_MAX].replace("\0", "") if isinstance(named, str) else ""


def _encoded(body: dict[str, Any], message: str) -> str:
    whole = msgspec.json.encode(body)
    if len(whole) <= RECORD_BYTES_MAX:
        return whole.decode()
    kept = _cut(message, _MESSAGE_BYTES_MAX)
    if len(msgspec.json.encode(kept)) > _MESSAGE_BYTES_MAX:
        kept = _cut(message, _ESCAPED_BYTES_MAX)
    return msgspec.json.encode({"message": kept, "truncated": True}).decode()


def _cut(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode("utf-8", "ignore")
