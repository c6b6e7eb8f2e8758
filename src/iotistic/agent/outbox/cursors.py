"""How far sources are read whose lines become records: stored together with those."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection


def read(connection: sqlite3.Connection, prefix: str) -> dict[str, str]:
    """By name, those that begin so."""
    rows = connection.execute("SELECT name, value FROM cursor ORDER BY name")
    return {name: value for name, value in rows if name.startswith(prefix)}


def write(connection: sqlite3.Connection, name: str, value: str) -> None:
    """How far a source was read."""
    connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, value))


def forget(connection: sqlite3.Connection, names: Collection[str]) -> None:
    """Sources that are no more."""
    connection.executemany("DELETE FROM cursor WHERE name = ?", [(name,) for name in names])
