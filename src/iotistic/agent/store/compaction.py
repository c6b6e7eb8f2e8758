"""Giving room back that the database does not use any more."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """How large the database is: its file, the pages in it that are free, its write-ahead log."""

    file_bytes: int
    free_bytes: int
    log_bytes: int

    @property
    def is_worth_it(self) -> bool:
        """Whether compacting would give back what anybody notices."""
        return self.log_bytes > 4 * _MIB or (
            self.free_bytes > _MIB and self.free_bytes * 4 > self.file_bytes
        )


def measure(db: sqlite3.Connection, path: Path) -> Bulk:
    """Look at the sizes."""
    page_bytes = _number(db, "page_size")
    log = path.with_name(f"{path.name}-wal")
    return Bulk(
        file_bytes=_number(db, "page_count") * page_bytes,
        free_bytes=_number(db, "freelist_count") * page_bytes,
        log_bytes=log.stat().st_size if log.exists() else 0,
    )


def compact(db: sqlite3.Connection, path: Path) -> Bulk:
    """Write the database anew without free pages, and empty its log; the sizes afterwards.

    Killed in between, it is as it was: SQLite does it in one transaction.
    """
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return measure(db, path)


def _number(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
