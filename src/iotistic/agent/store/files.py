"""The files of the state folder, and setting broken ones aside."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from iotistic.agent.host.file_lock import FileLock, Locked
from iotistic.agent.host.files import ensure_folder, sync_folder
from iotistic.agent.store.errors import DatabaseLocked, DatabaseUnavailable, translated

SET_ASIDE_MAX = 3
"""How many old databases are kept: each may be as large as the one in use."""


@dataclass(frozen=True, slots=True)
class StateFiles:
    """Where everything is; all of it beside the database."""

    database: Path

    @classmethod
    def of(cls, database: Path) -> StateFiles:
        """The files of a database, independent of later changes of the working directory."""
        return cls(database.absolute())

    @property
    def folder(self) -> Path:
        """The state folder."""
        return self.database.parent

    @property
    def lock(self) -> Path:
        """Held by the agent at work; says who."""
        return self.database.with_name(f"{self.database.name}.lock")

    @property
    def identity_lock(self) -> Path:
        """Held as well: two databases in one folder would be two agents that are one device."""
        return self.folder / "identity.lock"

    @property
    def identity(self) -> Path:
        """Who this device is; wins over the database."""
        return self.folder / "identity.json"

    @property
    def last_target(self) -> Path:
        """The last accepted target, for the day the database breaks."""
        return self.folder / "target-last-good.json"

    @property
    def outbox(self) -> Path:
        """What waits for the cloud; a database of its own, kept by the outbox's room."""
        return self.folder / "outbox.sqlite"

    @property
    def key(self) -> Path:
        """What the sealed values are sealed with."""
        return self.folder / "database.key"

    @property
    def reset(self) -> Path:
        """A factory reset under way."""
        return self.folder / "factory-reset.json"

    @property
    def fresh(self) -> Path:
        """A database in the making; takes its place only when complete."""
        return self.database.with_name(f"{self.database.name}.new")

    @property
    def companions(self) -> tuple[Path, Path]:
        """SQLite's write-ahead log and its index."""
        name = self.database.name
        return self.database.with_name(f"{name}-wal"), self.database.with_name(f"{name}-shm")

    def set_aside(self) -> list[Path]:
        """Everything that was ever set aside here, oldest name first."""
        kinds = ("corrupt", "foreign", "stale", "replaced")
        name = self.database.name
        patterns = [f"{name}.{kind}-*" for kind in kinds] + [f"{self.identity.name}.corrupt-*"]
        return sorted(path for pattern in patterns for path in self.folder.glob(pattern))


def lock_folder(files: StateFiles, held: contextlib.ExitStack) -> None:
    """Make the folder if need be, and hold its locks in `held`; raises DatabaseLocked."""
    with translated(files.folder):
        ensure_folder(files.folder)
    try:
        held.enter_context(FileLock(files.lock))
        held.enter_context(FileLock(files.identity_lock))
    except Locked as error:
        raise DatabaseLocked(files.database, error.holder) from error


def lock_again(files: StateFiles, held: contextlib.ExitStack) -> None:
    """Hold locks whose files somebody removed: those keep nobody out any more."""
    for path in (files.lock, files.identity_lock):
        if not path.exists():
            try:
                held.enter_context(FileLock(path))
            except Locked as error:
                raise DatabaseUnavailable(
                    f"{path} was removed, and is held by another agent now ({error.holder})"
                ) from error


def swap_in(files: StateFiles, *, kind: str, wall_ms: int) -> Path | None:
    """Put the complete database `fresh` into place and the old one aside under a dated name.

    Killed after any line, there is a database at its place: the old one, which is then judged
    as before, or the new one. Returns where the old one went, None if there was none.
    """
    aside = _keep_database(files, kind, wall_ms)
    move_log_aside(files, kind=kind, wall_ms=wall_ms)
    files.fresh.replace(files.database)
    sync_folder(files.folder)
    _limit_number(files)
    return aside


def move_log_aside(files: StateFiles, *, kind: str, wall_ms: int) -> bool:
    """Take a write-ahead log away that does not belong to the database beside it."""
    moved = False
    for path in files.companions:
        if path.exists():
            suffix = path.name.removeprefix(files.database.name)
            path.replace(_dated(files.database, kind, wall_ms, suffix))
            moved = True
    if moved:
        sync_folder(files.folder)
    return moved


def set_identity_aside(files: StateFiles, *, wall_ms: int) -> Path:
    """Take an unreadable identity file away."""
    aside = _dated(files.identity, "corrupt", wall_ms)
    files.identity.replace(aside)
    sync_folder(files.folder)
    return aside


def _keep_database(files: StateFiles, kind: str, wall_ms: int) -> Path | None:
    if not files.database.exists():
        return None
    aside = _dated(files.database, kind, wall_ms)
    try:
        # A second name first, so that the database's own place is never empty: an empty place
        # means "somebody deleted it", which has other consequences.
        os.link(files.database, aside)
    except OSError:
        shutil.copyfile(files.database, aside)  # a file system without hard links
        aside.chmod(0o600)
    return aside


def _dated(path: Path, kind: str, wall_ms: int, suffix: str = "") -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall_ms / 1000))
    dated = path.with_name(f"{path.name}.{kind}-{stamp}{suffix}")
    number = 1
    while dated.exists():  # the wall clock may stand still or go back
        number += 1
        dated = path.with_name(f"{path.name}.{kind}-{stamp}-{number}{suffix}")
    return dated


def _limit_number(files: StateFiles) -> None:
    databases = [path for path in files.set_aside() if not path.name.endswith(("-wal", "-shm"))]
    for path in databases[:-SET_ASIDE_MAX]:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
