"""What can go wrong with the store.

IotisticError
├─ Refused
│  ├─ DatabaseLocked      another agent is at work on it
│  ├─ DatabaseNewer       made by a newer agent; untouched
│  └─ DatabaseUnusable    rights, or a backup that does not fit
└─ Unavailable
   ├─ DiskFull            what was there is unchanged
   ├─ DatabaseCorrupt     opening it again heals it
   └─ DatabaseUnavailable the disk failed, or somebody holds it too long
      └─ StorageReadOnly  nothing can be written there now
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iotistic.agent.host.files import DiskFull
from iotistic.model.errors import Conflict, Refused, Unavailable

__all__ = [
    "DatabaseCorrupt",
    "DatabaseLocked",
    "DatabaseNewer",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "DiskFull",
    "StorageReadOnly",
    "translated",
]


class DatabaseLocked(Conflict):
    """Another agent holds the database. `holder` is "PID PROGRAM", where known."""

    code: str = "database-locked"

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"{path} is in use by another agent ({holder or 'holder unknown'})",
            remedy="stop that one, or give this one a folder of its own with DATABASE_PATH",
        )
        self.holder = holder


class DatabaseNewer(Refused):
    """The database, or the identity file, was made by a newer agent and was left untouched."""

    code: str = "database-newer"

    def __init__(self, path: Path, version: int, newest_known: int) -> None:
        super().__init__(
            f"{path} has version {version}, this agent knows up to {newest_known}",
            remedy="install the newer agent again, or restore a backup of before its first start",
        )


class DatabaseUnusable(Refused):
    """It cannot be used as it is; the message says why."""

    code: str = "database-unusable"


class DatabaseCorrupt(Unavailable):
    """Its content makes no sense. Opening the store again sets it aside and rebuilds it."""

    code: str = "database-corrupt"
    is_certain = False
    """SQLite said so: no mistake in what was asked of it."""


class DatabaseUnavailable(Unavailable):
    """The disk did not do what it should, or somebody held the database for too long."""

    code: str = "database-unavailable"


class StorageReadOnly(DatabaseUnavailable):
    """The state folder could be written once and cannot any more; what is there is kept."""

    code: str = "storage-read-only"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be written: {reason}",
            remedy="see why its file system is read-only (dmesg, mount), and that the state folder"
            " and what is in it belong to the agent's user; the agent tries again by itself",
        )


_PRIMARY = 0xFF  # the low byte of an extended result code is the primary one
# A sector that cannot be read stays unreadable; with a new file the device goes on.
_UNREADABLE = frozenset(
    {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_RIGHTS = frozenset(
    {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}
)
_PASSING = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors about `path` into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _from_sqlite(path, error) from error
    except PermissionError as error:
        raise DatabaseUnusable(
            f"{error.filename or path}: {error.strerror}",
            remedy="the state folder and what is in it must belong to the agent's user",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path) from error
        if error.errno == errno.EROFS:
            raise StorageReadOnly(path, error.strerror or "read-only") from error
        raise DatabaseUnavailable(f"{error.filename or path}: {error.strerror}") from error


def _from_sqlite(path: Path, error: sqlite3.Error) -> Refused | Unavailable:
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = extended & _PRIMARY
    # The index of the log is made by writing a byte into each of its pages.
    if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return DiskFull(path)
    if code in _RIGHTS:
        return DatabaseUnusable(
            f"{path}: {error}",
            remedy="the state folder and what is in it must belong to the agent's user",
        )
    if code in _PASSING and extended not in _UNREADABLE:
        return DatabaseUnavailable(f"{path}: {error}")
    # What remains speaks of content: malformed pages, a missing table, a broken constraint.
    corrupt = DatabaseCorrupt(f"{path}: {error}", remedy="the agent rebuilds the file by itself")
    corrupt.is_certain = code in _DAMAGED or extended in _UNREADABLE
    return corrupt
