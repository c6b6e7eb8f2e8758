"""The schema's history: one numbered SQL file a step, run once each, in order, never edited."""

from __future__ import annotations

import sqlite3
from importlib import resources

from iotistic.agent.store.errors import DatabaseCorrupt

NEWEST = 3
APPLICATION_ID = 0x496F7441  # "IotA": tells our files from other programs' databases


def version_of(connection: sqlite3.Connection) -> int:
    """How many steps this database has behind it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, *, newest: int = NEWEST) -> int:
    """Bring the schema to `newest`, each step in a transaction of its own; returns where it was.

    Killed in between, the next start goes on from the last complete step.
    """
    found = version_of(connection)
    for number, script in enumerate(_scripts()[:newest], start=1):
        if number > found:
            _run(connection, number, script)
    return found


def _run(connection: sqlite3.Connection, number: int, script: str) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\n"
            f"PRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {number};\nCOMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise DatabaseCorrupt(f"migration {number}: a row of {broken[0]} refers to nothing")


def _scripts() -> list[str]:
    folder = resources.files(__name__)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [folder.joinpath(name).read_text("utf-8") for name in names]
