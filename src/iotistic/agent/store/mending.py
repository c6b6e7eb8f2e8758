"""Brings the state folder back in order while its agent is at work.

Whoever deletes, moves away or replaces the database under a running agent has not taken anything
from it yet: the files are still open, and a complete copy of them takes the place again.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from iotistic.agent.host.files import ensure_folder
from iotistic.agent.store import backup, device_table, target_table
from iotistic.agent.store.database import check
from iotistic.agent.store.errors import translated
from iotistic.agent.store.files import StateFiles, lock_again, swap_in
from iotistic.agent.store.identity_file import save_identity
from iotistic.agent.store.opening import MISSING
from iotistic.agent.store.records import Finding, Identity
from iotistic.agent.store.sealing import Sealer


def put_back(
    files: StateFiles,
    connection: sqlite3.Connection,
    identity: Identity,
    sealer: Sealer,
    held: contextlib.ExitStack,
    *,
    lost: Collection[Path],
    wall_ms: int,
) -> Finding:
    """Put a copy of the open database at its place, and aside what stands there.

    Killed after any line, what is there at the next start is what somebody left there, or the
    complete copy. The connection is of no use afterwards.
    """
    ensure_folder(files.folder)
    is_missing = not files.database.exists()
    renewed = replace(identity, creation_id=secrets.token_hex(16))
    if is_missing:
        # It stays the wish that it is: at the next start the device joins the cloud again.
        device_table.write_rebuilt_because(connection, MISSING)
    backup.write_copy(connection, files.fresh, creation_id=renewed.creation_id)
    if files.database in lost:
        # The log of ours that is left fits nothing that stands there, and is in the copy.
        for path in set(files.companions).difference(lost):
            path.unlink(missing_ok=True)
    aside = swap_in(files, kind="replaced", wall_ms=wall_ms)
    save_identity(files.identity, renewed)
    keep_files(files, connection, renewed, sealer, held, target_is_stale=False)
    names = ", ".join(sorted(path.name for path in lost))
    kept = f"; what stood there is {aside.name} now" if aside is not None else ""
    return Finding(
        code="database-put-back",
        message=f"{names}: deleted, moved or replaced under the running agent, which put its own"
        f" back{kept}. To restore a backup: iotctl db restore",
    )


def keep_files(
    files: StateFiles,
    connection: sqlite3.Connection,
    identity: Identity,
    sealer: Sealer,
    held: contextlib.ExitStack,
    *,
    target_is_stale: bool,
) -> None:
    """Write again what is gone of the small files beside the database, and hold its locks."""
    lock_again(files, held)
    if not files.identity.exists():
        save_identity(files.identity, identity)
    sealer.keep_key(files.key)
    if target_is_stale or not files.last_target.exists():
        target = target_table.read_target(connection)
        if target is not None:
            target_table.save_last_target(files.last_target, identity.uuid, target)


def check_apart(database: Path) -> None:
    """Look for damaged pages, by a connection of its own; raises DatabaseCorrupt.

    It reads what is on the disk, while the connection in use may know it from its own memory.
    """
    with translated(database):
        uri = f"{database.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as connection:
            check(connection)
