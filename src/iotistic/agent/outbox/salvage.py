"""Makes a complete new file, of what can still be read of a broken one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from iotistic.agent.host.files import create_owner_only, sync_folder
from iotistic.agent.outbox import account as accounts
from iotistic.agent.outbox.account import Account
from iotistic.agent.outbox.layout import migrate, rows_of, unpack
from iotistic.agent.outbox.ledger import DropReason
from iotistic.agent.store.database import connect, transaction
from iotistic.model.records import EPOCH, RecordClass

_BROKEN = (sqlite3.Error, UnicodeError)
"""What reading a broken file may raise; the second when the module words an error."""
_TABLES = (
    ("SELECT * FROM cursor", "INSERT OR IGNORE INTO cursor VALUES (?, ?)"),
    ("SELECT * FROM dead_letter", "INSERT OR IGNORE INTO dead_letter VALUES (?,?,?,?,?,?,?,?)"),
    ("SELECT * FROM age", "INSERT OR IGNORE INTO age VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
)


def build(
    fresh: Path,
    now_ms: int,
    *,
    broken: Path | None,
    known: Mapping[RecordClass, Account] | None,
) -> dict[RecordClass, Account]:
    """Make the file `fresh`, with what can be read of `broken`; its figures.

    `known` are the figures as they were known in memory; without them those in the broken file
    count, if they are there. What was in it and is not in the new one is counted as dropped.
    """
    fresh.with_name(f"{fresh.name}-journal").unlink(missing_ok=True)
    create_owner_only(fresh)
    with closing(connect(fresh, wal=False)) as new:
        # Before there is a page: a file that was large once gives its room back.
        new.execute("PRAGMA auto_vacuum = INCREMENTAL")
        migrate(new)
        found = {kind: Account(since_ms=now_ms) for kind in RecordClass}
        if known is not None:
            found = {kind: figures.copy() for kind, figures in known.items()}
        with transaction(new):
            kept = dict.fromkeys(RecordClass, 0)
            if broken is not None:
                with suppress(*_BROKEN), closing(_reading(broken)) as old:
                    if known is None:
                        with suppress(*_BROKEN, ValueError, KeyError, TypeError):
                            found = accounts.read(old, now_ms)
                    kept = _copy_records(old, new)
                    _copy_rest(old, new)
            for kind, figures in found.items():
                _settle(figures, kept[kind])
                accounts.write(new, kind, figures)
    sync_folder(fresh.parent)
    return found


def _settle(figures: Account, kept: int) -> None:
    """Make the law hold with what could be kept."""
    figures.waiting = kept
    missing = figures.balance()
    if missing > 0:
        figures.drop(DropReason.CORRUPT, missing)
    else:
        figures.written -= missing


def _reading(path: Path) -> sqlite3.Connection:
    connection = _read_only(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except _BROKEN:
        connection.close()
        # Perhaps it is the log that cannot be read.
        return _read_only(path, "immutable=1")
    return connection


def _read_only(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=1.0)
    # Without it nothing at all is read of a file that was cut off.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _copy_records(old: sqlite3.Connection, new: sqlite3.Connection) -> dict[RecordClass, int]:
    kept = dict.fromkeys(RecordClass, 0)
    epochs: dict[int, tuple[int, str, float]] = {}
    with suppress(*_BROKEN):
        for no, word, older_s in old.execute("SELECT no, word, older_s FROM epoch"):
            if isinstance(word, str) and EPOCH.match(word) and isinstance(older_s, float):
                epochs[no] = (no, word, older_s)
    words = {word: no for no, word, _ in epochs.values()}
    new.executemany(
        "INSERT INTO epoch VALUES (?, ?, ?)", [epochs[no] for no in sorted(words.values())]
    )
    for kind in RecordClass:
        for row in _readable(old, kind):
            _, epoch_no, seq = unpack(row[0])
            if seq and epoch_no in words.values():
                new.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", row)
                kept[kind] += 1
    return kept


def _readable(old: sqlite3.Connection, kind: RecordClass) -> Iterator[tuple[int, ...]]:
    """The records of a class up to the first page that cannot be read."""
    last = 0
    with suppress(*_BROKEN):
        for row in old.execute(
            "SELECT id, at_ms, synced, made_s, data FROM record WHERE id BETWEEN ? AND ?"
            " ORDER BY id",
            rows_of(kind),
        ):
            if row[0] <= last:
                return  # pages that lead in a circle
            last = row[0]
            if _is_sound(row):
                yield row


def _is_sound(row: tuple[object, ...]) -> bool:
    *numbers, data = row
    if not (isinstance(data, bytes) and all(isinstance(number, int) for number in numbers)):
        return False
    try:
        return isinstance(msgspec.json.decode(data), dict)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False


def _copy_rest(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Cursors, dead letters, and how far time was lived: as far as they can be read."""
    for read, write in _TABLES:
        with suppress(*_BROKEN):
            for row in old.execute(read):
                new.execute(write, row)
