"""Log lines on standard error: one line each, facts as JSON behind the message."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime

from iotistic.model.canonical import canonical_json

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`2025-03-02T10:00:00.000Z info device registered {"uuid":"…"}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback becomes part of the facts."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts = {name: _fact(value) for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info and record.exc_info[1] is not None:
            facts["error"] = "".join(traceback.format_exception(record.exc_info[1], limit=-6))
        shown = f" {canonical_json(facts).decode()}" if facts else ""
        moment = at.replace("+00:00", "Z")
        return f"{moment} {record.levelname.lower()} {record.getMessage()}{shown}"


def _fact(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def set_up_logging() -> None:
    """Send everything from `info` on to standard error; libraries speak from `warning` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("iotistic").setLevel(logging.INFO)
