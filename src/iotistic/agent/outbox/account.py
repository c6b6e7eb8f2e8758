"""What the ledger counts, while it is being counted: the figures of one class, to be changed."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field, replace

from iotistic.agent.outbox.layout import CLASSES, NUMBERS
from iotistic.agent.outbox.ledger import ClassLedger, DropReason
from iotistic.model.records import RecordClass


@dataclass(slots=True)
class Account:
    """One class. `next_seq` is of the epoch in use."""

    since_ms: int
    written: int = 0
    sent: int = 0
    acknowledged: int = 0
    dropped: dict[DropReason, int] = field(default_factory=dict)
    waiting: int = 0
    waiting_bytes: int = 0
    next_seq: int = 1
    oldest_at_ms: int | None = None
    oldest_made_s: float | None = None
    """When the oldest that waits was made, in lived time."""

    def copy(self) -> Account:
        """As it is now."""
        return replace(self, dropped=dict(self.dropped))

    def drop(self, reason: DropReason, number: int) -> None:
        """Count records that are gone."""
        if number:
            self.dropped[reason] = self.dropped.get(reason, 0) + number

    def shown(self) -> ClassLedger:
        """For others."""
        return ClassLedger(
            written=self.written,
            sent=self.sent,
            acknowledged=self.acknowledged,
            waiting=self.waiting,
            waiting_bytes=self.waiting_bytes,
            dropped=dict(self.dropped),
            oldest_at_ms=self.oldest_at_ms,
            since_ms=self.since_ms,
        )

    def balance(self) -> int:
        """How many records are not accounted for; negative: more than were written."""
        gone = self.acknowledged + sum(self.dropped.values())
        return self.written - gone - self.waiting


def read(connection: sqlite3.Connection, now_ms: int) -> dict[RecordClass, Account]:
    """The figures of all classes, as far as the ledger's table knows them."""
    found = {kind: Account(since_ms=now_ms) for kind in RecordClass}
    for number, written, sent, acknowledged, dropped, since_ms in connection.execute(
        "SELECT class, written, sent, acknowledged, dropped, since_ms FROM ledger"
    ):
        found[CLASSES[number]] = Account(
            since_ms=since_ms,
            written=written,
            sent=sent,
            acknowledged=acknowledged,
            dropped={DropReason(reason): n for reason, n in json.loads(dropped).items()},
        )
    return found


def write(connection: sqlite3.Connection, kind: RecordClass, account: Account) -> None:
    """Store the figures of one class."""
    connection.execute(
        "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?)",
        (
            NUMBERS[kind],
            account.written,
            account.sent,
            account.acknowledged,
            json.dumps(account.dropped, separators=(",", ":")),
            account.since_ms,
        ),
    )
