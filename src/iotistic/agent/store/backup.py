"""A copy of the database while it is in use, and making one ready to be put back."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
from pathlib import Path

from iotistic.agent.host.files import create_owner_only, sync_file, sync_folder
from iotistic.agent.store import device_table, inspection
from iotistic.agent.store.database import check, connect
from iotistic.agent.store.errors import DatabaseCorrupt, DatabaseUnusable
from iotistic.agent.store.files import StateFiles
from iotistic.agent.store.inspection import Condition
from iotistic.agent.store.migrations import migrate
from iotistic.model.errors import Conflict


def write_backup(connection: sqlite3.Connection, file: Path) -> None:
    """Copy the database, as of now, to a new file of mode 0600; half a copy is never left."""
    file = file.absolute()
    if file.exists():
        raise Conflict(
            f"{file} exists already", code="file-exists", remedy="name a file that is not there"
        )
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        # An id of its own: put into place by hand beside the log that a killed agent left,
        # it is seen by this that the log is not its own.
        write_copy(connection, temporary, creation_id=secrets.token_hex(16))
        temporary.rename(file)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(file.parent)


def write_copy(connection: sqlite3.Connection, file: Path, *, creation_id: str) -> None:
    """Copy the database as the connection sees it, durably, replacing the file."""
    create_owner_only(file)
    with contextlib.closing(sqlite3.connect(file)) as copy:
        connection.backup(copy)
        # A single file, without the log beside it that the original has.
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        device_table.write_creation_id(copy, creation_id)
        copy.commit()
    sync_file(file)


def prepare(files: StateFiles, file: Path, uuid: str) -> None:
    """Make a verified, migrated copy of a backup at `files.fresh`; the original is only read.

    It gets a creation id of its own: killed while it is put into place, the next start sees by
    this that the write-ahead log beside it is another database's.
    """
    if not file.is_file():
        raise DatabaseUnusable(f"{file} is not there", remedy="name a file of iotctl db backup")
    inspected = inspection.inspect(StateFiles.of(file))
    if inspected.condition is not Condition.OURS or inspected.device is None:
        raise DatabaseUnusable(f"{file} is not a database of this agent")
    if inspected.device.uuid != uuid:
        raise DatabaseUnusable(
            f"{file} belongs to device {inspected.device.uuid}, this is {uuid}",
            remedy="restore it on that device",
        )
    files.fresh.with_name(f"{files.fresh.name}-journal").unlink(missing_ok=True)
    try:
        _verified_copy(file, files.fresh)
    except (sqlite3.DatabaseError, DatabaseCorrupt) as error:
        files.fresh.unlink(missing_ok=True)
        raise DatabaseUnusable(f"{file} cannot be used: {error}") from error
    except OSError:
        files.fresh.unlink(missing_ok=True)
        raise


def _verified_copy(file: Path, copy: Path) -> None:
    create_owner_only(copy)
    shutil.copyfile(file, copy)
    with contextlib.closing(connect(copy, wal=False)) as connection:
        check(connection)
        migrate(connection)
        device_table.write_creation_id(connection, secrets.token_hex(16))
