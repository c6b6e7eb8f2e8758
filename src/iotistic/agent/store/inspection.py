"""Looking at a database without changing a byte of it, and deciding its fate (pure)."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from iotistic.agent.clock import Clock
from iotistic.agent.store import agent_memory
from iotistic.agent.store.agent_memory import Salvage
from iotistic.agent.store.database import check
from iotistic.agent.store.device_table import DeviceRow, read_device
from iotistic.agent.store.errors import DatabaseCorrupt, DatabaseNewer
from iotistic.agent.store.files import StateFiles
from iotistic.agent.store.migrations import APPLICATION_ID, NEWEST
from iotistic.agent.store.records import Identity

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_HEX_32 = re.compile(r"[0-9a-f]{32}")
_PLAUSIBLE_VERSION_MAX = 10_000
"""Beyond that a version is not "newer" but garbage in the header."""


class Condition(StrEnum):
    """What stands at the database's place."""

    MISSING = "missing"
    BROKEN = "broken"
    OURS = "ours"


class Fate(StrEnum):
    """What opening does with it. The values of the last two also name the file set aside."""

    CREATE = "create"
    KEEP = "keep"
    KEEP_WITHOUT_LOG = "stale"
    """A restored backup: the write-ahead log beside it belongs to another database."""
    REPLACE_CORRUPT = "corrupt"
    REPLACE_FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What can be told from outside. `device` is as of the last checkpoint, if readable.

    `recent` is the same row with the write-ahead log applied.
    """

    condition: Condition
    device: DeviceRow | None = None
    recent: DeviceRow | None = None


def inspect(files: StateFiles) -> Seen:
    """Look at the database; raises DatabaseNewer for one of a newer agent, which stays as it is."""
    try:
        with files.database.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return Seen(condition=Condition.MISSING)
    if not header:
        return Seen(condition=Condition.MISSING)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return Seen(condition=Condition.BROKEN)
    _refuse_newer(files, int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big"))
    device = _device(files, "immutable=1")
    recent = device
    if files.companions[0].exists():
        _refuse_newer(files, *_versions(files))
        recent = _device(files, "mode=ro") or device
    return Seen(condition=Condition.OURS, device=device, recent=recent)


def judge(seen: Seen, identity: Identity) -> Fate:
    """What to do with the database of a device that is `identity`."""
    if seen.condition is Condition.MISSING:
        return Fate.CREATE
    if seen.condition is Condition.BROKEN:
        return Fate.REPLACE_CORRUPT
    if seen.device is None:
        return Fate.KEEP  # opening it for real will tell
    if seen.device.uuid != identity.uuid:
        return Fate.REPLACE_FOREIGN
    if seen.device.creation_id != identity.creation_id:
        return Fate.KEEP_WITHOUT_LOG
    return Fate.KEEP


def is_half_checkpointed(files: StateFiles, seen: Seen, identity: Identity) -> bool:
    """Whether the power went while the log was being written into the database.

    Then the file alone is a mixture of two times, in which any row may be seen; with its log it
    is whole. A backup that was put beside a log of somebody else is whole by itself.
    """
    recent = seen.recent
    if recent is None or not files.companions[0].exists():
        return False
    if (recent.uuid, recent.creation_id) != (identity.uuid, identity.creation_id):
        return False
    if seen.device is None or not _is_plausible(seen.device):
        return True
    try:
        with _reading(files, "immutable=1") as connection:
            check(connection)
    except (sqlite3.Error, DatabaseCorrupt):
        return True
    return False


def _is_plausible(row: DeviceRow) -> bool:
    """Whether the row can have been written as it is: sectors that are missing read as zeros."""
    texts = (row.creation_id or "", row.uuid.replace("-", ""))
    return all(_HEX_32.fullmatch(text) for text in texts) and all(
        "\0" not in (text or "") for text in (row.sealed_identity, row.identity_hash)
    )


def salvage(files: StateFiles, clock: Clock) -> Salvage:
    """Read what can be read; a stop that a person asked for should outlive a bad sector."""
    saved = Salvage()
    for mode in ("immutable=1", "mode=ro"):  # the later one is the newer, where both can be read
        with contextlib.suppress(sqlite3.Error), _reading(files, mode) as connection:
            saved = agent_memory.salvage(connection, clock, saved)
    return saved


def _refuse_newer(files: StateFiles, version: int, application_id: int) -> None:
    if application_id == APPLICATION_ID and NEWEST < version <= _PLAUSIBLE_VERSION_MAX:
        raise DatabaseNewer(files.database, version, NEWEST)


def _versions(files: StateFiles) -> tuple[int, int]:
    try:
        with _reading(files, "mode=ro") as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            return version, connection.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error:
        return 0, 0


def _device(files: StateFiles, mode: str) -> DeviceRow | None:
    try:
        with _reading(files, mode) as connection:
            return read_device(connection)
    except (sqlite3.Error, UnicodeError):
        return None


@contextmanager
def _reading(files: StateFiles, mode: str) -> Iterator[sqlite3.Connection]:
    """Read only. `immutable=1` leaves the write-ahead log out, `mode=ro` applies it."""
    uri = f"{files.database.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=1.0)
    try:
        yield connection
    finally:
        connection.close()
