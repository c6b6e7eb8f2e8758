"""What the cloud gets of the log: lines as the wire has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

LINE_BYTES_MAX = 60 * 1024
"""Of one line as JSON: with its id it has to fit into a record."""
CUT = "…"


def agent_line(record: Mapping[str, Any], *, boot: str) -> dict[str, Any]:
    """A record of the agent's log (`LogRecord.as_dict`) as a line of the wire."""
    context = dict(record["context"])
    error = context.pop("error", None)
    line: dict[str, Any] = {
        "message": record["message"],
        "timestamp": record["timestamp"],
        "level": record["level"],
        "source": {"type": "system", "name": "iotistic-agent"},
        "component": record["component"],
        "isSystem": True,
        "boot": boot,
    }
    if (operation := record.get("operation")) is not None:
        line["operation"] = operation
    if context:
        line["context"] = context
    if error is not None:
        line["error"] = error if isinstance(error, Mapping) else {"message": str(error)}
    if len(msgspec.json.encode(line)) > LINE_BYTES_MAX:
        # Only what was said with it can be so long, and never what was said.
        line.pop("error", None)
        line["context"] = {"cut": True}
    return line


def fitting(message: str, bytes_max: int = LINE_BYTES_MAX) -> tuple[str, bool]:
    """The message so short that as JSON it fits, and whether it was cut."""
    size = len(msgspec.json.encode(message))
    if size <= bytes_max:
        return message, False
    while size > bytes_max:
        # What is left may be denser than what goes, so it can take a few turns.
        message = message[: len(message) * bytes_max // (size + 16)]
        size = len(msgspec.json.encode(message + CUT))
    return message + CUT, True
