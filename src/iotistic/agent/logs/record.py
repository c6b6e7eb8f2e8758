"""One log record, and the two ways it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec


class LogLevel(StrEnum):
    """How much a record matters, as `LOG_LEVEL` and the wire spell it."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for debug, growing."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(LogLevel)}
_BARE = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """What was said. `seq` counts up from 1 within one run; `timestamp_ms` is a wall-clock label.

    `fields` hold JSON values only, secrets masked already. `operation` is what the component was
    about, where it said so.
    """

    seq: int
    timestamp_ms: int
    level: LogLevel
    component: str
    message: str
    operation: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as a line of the Device API's `/v1/logs` and of the JSON output."""
        operation = {} if self.operation is None else {"operation": self.operation}
        return {
            "seq": self.seq,
            "timestamp": self.timestamp_ms,
            "level": str(self.level),
            "component": self.component,
            **operation,
            "message": self.message,
            "context": dict(self.fields),
        }


def as_json_line(record: LogRecord) -> str:
    """One line of JSON, without its line end."""
    return msgspec.json.encode(record.as_dict()).decode()


def as_text_line(record: LogRecord) -> str:
    """One line for people, without its line end; nothing in it can begin another line."""
    time = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{record.timestamp_ms % 1000:03d}Z"
    who = record.component if record.operation is None else f"{record.component}.{record.operation}"
    parts = [f"{stamp} {record.level:<5} {_plain(who)}: {_plain(record.message)}"]
    parts.extend(f"{_plain(name)}={_shown(value)}" for name, value in record.fields.items())
    return "  ".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, str) and _BARE.match(value):
        return value
    return _plain(msgspec.json.encode(value).decode())


def _plain(text: str) -> str:
    # Escape sequences of a terminal, line ends and the like are spelled out: what a container or
    # a cloud sent must not move the reader's cursor.
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
