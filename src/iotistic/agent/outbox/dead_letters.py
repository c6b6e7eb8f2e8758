"""What the far side refused for good, kept for people to look at: the newest few."""

from __future__ import annotations

import sqlite3

import msgspec

from iotistic.agent.outbox.layout import CLASSES, NUMBERS
from iotistic.agent.outbox.ledger import DeadLetter
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.model.records import RecordId

KEPT_MAX = 200
DATA_BYTES_MAX = 4096
_MESSAGE_LENGTH_MAX = 500


def add(
    connection: sqlite3.Connection,
    refused: RecordId,
    at_ms: int,
    code: str,
    message: str,
    data: bytes,
) -> None:
    """Keep a refused record; the oldest one goes where there are too many."""
    connection.execute(
        "INSERT INTO dead_letter (class, epoch, seq, at_ms, code, message, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            NUMBERS[refused.record_class],
            refused.epoch,
            refused.seq,
            at_ms,
            code[:_MESSAGE_LENGTH_MAX],
            message[:_MESSAGE_LENGTH_MAX],
            data if len(data) <= DATA_BYTES_MAX else None,
        ),
    )
    connection.execute(
        "DELETE FROM dead_letter WHERE no <= (SELECT max(no) FROM dead_letter) - ?", (KEPT_MAX,)
    )


def read(connection: sqlite3.Connection) -> tuple[DeadLetter, ...]:
    """Newest first."""
    try:
        return tuple(
            DeadLetter(
                id=RecordId(record_class=CLASSES[number], epoch=epoch, seq=seq),
                at_ms=at_ms,
                code=code,
                message=message,
                data=None if data is None else msgspec.json.decode(data),
            )
            for number, epoch, seq, at_ms, code, message, data in connection.execute(
                "SELECT class, epoch, seq, at_ms, code, message, data FROM dead_letter"
                " ORDER BY no DESC"
            )
        )
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise DatabaseCorrupt("a dead letter makes no sense") from error
