"""What can be put right without risk: our own files and notes, nothing of anybody else's.

Each fix says beforehand, line by line, what it will do; nothing to say means nothing to do. Doing
it twice is as good as doing it once, and killed in between the rest is there to be done again.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iotistic.agent.diagnostics.host_checks import (
    OTHERS_MAY,
    OTHERS_MAY_WRITE,
    private_files,
    uses_secret_files,
)
from iotistic.agent.host.runtime_dir import ensure_private
from iotistic.model.state_folder import SOCKET_FILE

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

_LEFT_OVER_AGE_S = 3600.0
"""What is younger may be in use this moment."""
_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One thing that can be put right. `will`: what `do` would do now; `do`: what it did."""

    id: str
    title: str
    will: Callable[[Rooms], Awaitable[list[str]]]
    do: Callable[[Rooms], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class _Mode:
    """A file whose rights are too wide, and those it should have."""

    path: Path
    mode: int

    def __str__(self) -> str:
        return f"chmod {self.mode:04o} {self.path}"


def _wide(state_dir: Path, database: Path) -> list[_Mode]:
    """Ours alone: the rights of what belongs to somebody else are not ours to change."""
    found = []
    for folder in sorted({state_dir, database.parent}):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if folder.stat().st_uid == os.geteuid() and mode & OTHERS_MAY_WRITE:
            found.append(_Mode(folder, mode & ~OTHERS_MAY_WRITE))
    for path in private_files(state_dir, database):
        if path.is_symlink() or not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.stat().st_uid == os.geteuid() and mode & OTHERS_MAY:
            found.append(_Mode(path, mode & ~OTHERS_MAY))
    return found


async def _permissions_will(rooms: Rooms) -> list[str]:
    agent = rooms.agent
    found = await asyncio.to_thread(_wide, agent.state_dir, agent.database_path)
    return [str(wrong) for wrong in found]


async def _permissions_do(rooms: Rooms) -> list[str]:
    agent = rooms.agent

    def mend() -> list[str]:
        wide = _wide(agent.state_dir, agent.database_path)
        for wrong in wide:
            wrong.path.chmod(wrong.mode)
        return [str(wrong) for wrong in wide]

    return await asyncio.to_thread(mend)


def _left_over(state_dir: Path, database: Path, now_s: float) -> list[Path]:
    """Files that a write or a copy left which was cut off: never the only copy of anything."""
    patterns = (".*.tmp", f".{SOCKET_FILE}.new", ".api-backup.sqlite*", ".api-restore.sqlite*")
    return sorted(
        path
        for folder in {state_dir, database.parent}
        for pattern in patterns
        for path in folder.glob(pattern)
        if not path.is_dir()
        and path.lstat().st_uid == os.geteuid()
        and now_s - path.lstat().st_mtime > _LEFT_OVER_AGE_S
    )[:_SHOWN_MAX]


async def _left_over_will(rooms: Rooms) -> list[str]:
    agent, now_s = rooms.agent, rooms.clock.wall_ms() / 1000
    found = await asyncio.to_thread(_left_over, agent.state_dir, agent.database_path, now_s)
    return [f"remove {path}" for path in found]


async def _left_over_do(rooms: Rooms) -> list[str]:
    agent, now_s = rooms.agent, rooms.clock.wall_ms() / 1000

    def mend() -> list[str]:
        found = _left_over(agent.state_dir, agent.database_path, now_s)
        for path in found:
            path.unlink(missing_ok=True)
        return [f"remove {path}" for path in found]

    return await asyncio.to_thread(mend)


def _runtime_folder(rooms: Rooms) -> Path | None:
    folder = rooms.runtime_dir
    return folder / rooms.store.identity.uuid if folder is not None else None


async def _runtime_dir_will(rooms: Rooms) -> list[str]:
    folder = _runtime_folder(rooms)
    if folder is None or not uses_secret_files(rooms) or await asyncio.to_thread(folder.exists):
        return []
    return [f"mkdir -m 0700 -p {folder}"]


async def _runtime_dir_do(rooms: Rooms) -> list[str]:
    folder = _runtime_folder(rooms)
    if folder is None:
        return []
    will = await _runtime_dir_will(rooms)
    await asyncio.to_thread(ensure_private, folder.parent, folder.name)
    return will


async def _compact_will(rooms: Rooms) -> list[str]:
    bulk = await rooms.store.bulk()
    if not bulk.is_worth_it:
        return []
    sizes = f"of {bulk.file_bytes} bytes {bulk.free_bytes} are free"
    log = f"its log of {bulk.log_bytes} bytes is emptied"
    return [f"write {rooms.agent.database_path} anew: {sizes}; {log}"]


async def _compact_do(rooms: Rooms) -> list[str]:
    before = await rooms.store.bulk()
    after = await rooms.store.compact()
    saved = before.file_bytes + before.log_bytes - after.file_bytes - after.log_bytes
    return [f"{rooms.agent.database_path}: {max(0, saved)} bytes given back"]


async def _backoffs_will(rooms: Rooms) -> list[str]:
    now_s = rooms.clock.now_s()
    return [
        f"try {attempt.step} of {attempt.subject} again now ({attempt.count} failures:"
        f" {attempt.code or 'unknown'})"
        for attempt in rooms.reconciler.snapshot().attempts
        if attempt.not_before_s > now_s
    ][:_SHOWN_MAX]


async def _backoffs_do(rooms: Rooms) -> list[str]:
    done = await _backoffs_will(rooms)
    attempts = rooms.reconciler.snapshot().attempts
    await rooms.reconciler.forget_failures(
        list(dict.fromkeys(attempt.subject for attempt in attempts))
    )
    return done


FIXES: tuple[Fix, ...] = (
    Fix(
        id="permissions",
        title="take rights away that others have on the agent's files",
        will=_permissions_will,
        do=_permissions_do,
    ),
    Fix(
        id="left-over-files",
        title="remove what writes that were cut off have left",
        will=_left_over_will,
        do=_left_over_do,
    ),
    Fix(
        id="runtime-dir",
        title="make the folder in memory",
        will=_runtime_dir_will,
        do=_runtime_dir_do,
    ),
    Fix(
        id="compact-database",
        title="give room back that the database does not use",
        will=_compact_will,
        do=_compact_do,
    ),
    Fix(
        id="forget-backoffs",
        title="try again at once what waits after failures",
        will=_backoffs_will,
        do=_backoffs_do,
    ),
)
"""The ids are stable: scripts name them."""
