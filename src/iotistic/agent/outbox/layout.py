"""The file's layout: its schema, and record ids packed into SQLite's own row numbers.

    63   60            38                    0
     +----+-------------+--------------------+
     | cl |    epoch    |        seq         |
     +----+-------------+--------------------+

So records lie in the file in the order in which they leave it, one class after the other, with no
index beside them; everything up to a watermark is one range.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing

from iotistic.agent.store.database import transaction
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.model.records import RecordClass

APPLICATION_ID = 0x496F744F  # "IotO"
NUMBERS: Mapping[RecordClass, int] = {
    RecordClass.EVENT: 1,
    RecordClass.ANOMALY: 2,
    RecordClass.READING: 3,
    RecordClass.METRIC: 4,
    RecordClass.LOG: 5,
}
"""Never changed: they are in files."""
CLASSES: Mapping[int, RecordClass] = {number: kind for kind, number in NUMBERS.items()}

_SEQ_BITS = 38
_EPOCH_BITS = 22
SEQ_MAX = (1 << _SEQ_BITS) - 1
EPOCH_NO_MAX = (1 << _EPOCH_BITS) - 1
"""An epoch is numbered when its first record is written, and numbers are used again once the file
is empty: enough for one restart every second over the longest time that anything is kept."""

_STEPS = (
    """
    CREATE TABLE epoch (
        no INTEGER PRIMARY KEY,
        word TEXT NOT NULL UNIQUE,
        older_s REAL NOT NULL DEFAULT 0
    );
    CREATE TABLE record (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        synced INTEGER NOT NULL,
        made_s INTEGER NOT NULL,
        data BLOB NOT NULL
    );
    CREATE TABLE ledger (
        class INTEGER PRIMARY KEY,
        written INTEGER NOT NULL,
        sent INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL,
        dropped TEXT NOT NULL,
        since_ms INTEGER NOT NULL
    );
    CREATE TABLE cursor (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE dead_letter (
        no INTEGER PRIMARY KEY,
        class INTEGER NOT NULL,
        epoch TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        code TEXT NOT NULL,
        message TEXT NOT NULL,
        data BLOB
    );
    CREATE TABLE age (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        boot_id TEXT NOT NULL,
        now_s REAL NOT NULL,
        lived_s REAL NOT NULL,
        anchor_boot TEXT,
        anchor_ms INTEGER,
        anchor_lived_s REAL,
        anchor_epoch INTEGER
    );
    """,
)
"""The schema's history: run once each, in order, never edited."""
VERSION = len(_STEPS)


def pack(record_class: RecordClass, epoch_no: int, seq: int) -> int:
    """The row number of a record."""
    number = NUMBERS[record_class]
    return number << (_SEQ_BITS + _EPOCH_BITS) | epoch_no << _SEQ_BITS | seq


def unpack(packed: int) -> tuple[RecordClass, int, int]:
    """(class, number of the epoch, seq). Raises KeyError for what no record has."""
    return (
        CLASSES[packed >> (_SEQ_BITS + _EPOCH_BITS)],
        packed >> _SEQ_BITS & EPOCH_NO_MAX,
        packed & SEQ_MAX,
    )


def rows_of(record_class: RecordClass) -> tuple[int, int]:
    """The first and last row number that a class can have."""
    return pack(record_class, 0, 0), pack(record_class, EPOCH_NO_MAX, SEQ_MAX)


def version_of(connection: sqlite3.Connection) -> tuple[int, int]:
    """(application id, version); zeros in a file that is empty."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    return int(application_id), int(connection.execute("PRAGMA user_version").fetchone()[0])


def schema_of(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """The tables as they were made: (name, statement)."""
    return frozenset(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    )


def check_schema(connection: sqlite3.Connection) -> None:
    """Raises DatabaseCorrupt where a table is not as it was made: no check of pages sees that."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        if schema_of(connection) != schema_of(fresh):
            raise DatabaseCorrupt("its tables are not as they were made")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to the newest, each step in a transaction of its own."""
    found = version_of(connection)[1]
    for number, script in enumerate(_STEPS, start=1):
        if number <= found:
            continue
        with transaction(connection):
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
