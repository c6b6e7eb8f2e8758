"""The machine: disk, memory, clock, rights of our files, the folder in memory, the watchdog."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from iotistic.agent.diagnostics.check import (
    CheckVerdict,
    Finding,
    failed,
    ok,
    skipped,
    told,
    warning,
)
from iotistic.agent.host.runtime_dir import check_usable, is_in_memory
from iotistic.agent.store.files import StateFiles
from iotistic.agent.survival.watchdog import watchdog_s
from iotistic.model.state_folder import ACCESS_FILE, SOCKET_FILE

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

_MIB = 1024 * 1024
DISK_LOW_BYTES = 200 * _MIB
DISK_FULL_BYTES = 20 * _MIB
INODES_LOW = 1000
MEMORY_LOW_BYTES = 50 * _MIB
OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_FREE_SOME = "free some space: iotctl fleet target edit to run less, or remove files of others"


async def check_disk(rooms: Rooms) -> Finding:
    """There is room for the agent's state."""
    folder = rooms.agent.state_dir
    usage = await asyncio.to_thread(shutil.disk_usage, folder)
    found = await asyncio.to_thread(os.statvfs, folder)
    message = f"{usage.free // _MIB} MiB free of {usage.total // _MIB} MiB at {folder}"
    facts: dict[str, int | str] = {
        "folder": str(folder),
        "free_bytes": usage.free,
        "total_bytes": usage.total,
        "free_inodes": found.f_favail,
    }
    for trouble in rooms.storage():
        return told(trouble, CheckVerdict.WARNING if usage.free else CheckVerdict.FAILED)
    if usage.free < DISK_FULL_BYTES:
        return failed(message, _FREE_SOME, **facts)
    # Some file systems have no fixed number of them, and say 0 of 0.
    if found.f_files and found.f_favail < INODES_LOW:
        return warning(f"{message}, but only {found.f_favail} more files fit", _FREE_SOME, **facts)
    if usage.free < DISK_LOW_BYTES:
        return warning(message, _FREE_SOME, **facts)
    return ok(message, **facts)


async def check_memory(rooms: Rooms) -> Finding:
    """There is memory left."""
    del rooms
    memory = await asyncio.to_thread(psutil.virtual_memory)
    message = f"{memory.available // _MIB} MiB available of {memory.total // _MIB} MiB"
    facts: dict[str, int] = {
        "available_bytes": int(memory.available),
        "total_bytes": int(memory.total),
        "agent_bytes": await asyncio.to_thread(_own_bytes),
    }
    if memory.available < MEMORY_LOW_BYTES:
        return warning(message, "run fewer services on this device", **facts)
    return ok(message, **facts)


def _own_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def check_clock(rooms: Rooms) -> Finding:
    """The wall clock can be right, and somebody keeps it so."""
    wall_clock = rooms.wall_clock
    synced = await asyncio.to_thread(lambda: wall_clock.synced)
    if (problem := wall_clock.problem) is not None:
        return told(problem)
    message = "kept right by a time client" if synced else "plausible; no time client keeps it so"
    return ok(message, synced=synced, wall_ms=rooms.clock.wall_ms())


async def check_permissions(rooms: Rooms) -> Finding:
    """Nobody else may write to the folder, or read what is secret in it."""
    agent = rooms.agent
    wrong = await asyncio.to_thread(lambda: list(wrong_modes(agent.state_dir, agent.database_path)))
    if not wrong:
        return ok("what is secret is readable by the agent only", folder=str(agent.state_dir))
    first, remedy = wrong[0]
    return failed(first, remedy, wrong=[problem for problem, _ in wrong[:10]])


def wrong_modes(state_dir: Path, database: Path) -> Iterator[tuple[str, str]]:
    """What is wrong, and the command that puts it right. Blocks; raises OSError."""
    for folder in sorted({state_dir, database.parent}):
        found = folder.stat()
        if found.st_mode & OTHERS_MAY_WRITE and not found.st_mode & stat.S_ISVTX:
            yield f"others may write to {folder}", f"chmod go-w {folder}"
        if found.st_uid not in (0, os.geteuid()):
            owner = os.geteuid()
            yield f"{folder} belongs to user {found.st_uid}", f"chown {owner} {folder}"
    for path in private_files(state_dir, database):
        if path.exists() and path.stat().st_mode & OTHERS_MAY:
            yield f"others may read {path}", f"chmod go= {path}"


def private_files(state_dir: Path, database: Path) -> list[Path]:
    """The files that are for the agent's user alone, whether they are there or not."""
    files = StateFiles.of(database)
    return [
        database,
        *files.companions,
        files.identity,
        files.key,
        files.last_target,
        *(state_dir / name for name in (ACCESS_FILE, SOCKET_FILE)),
    ]


async def check_runtime_dir(rooms: Rooms) -> Finding:
    """Secrets of services can be written, and do not reach a disk."""
    folder = rooms.runtime_dir
    if folder is None:
        return skipped("not known")
    nearest = await asyncio.to_thread(check_usable, folder)
    in_memory = await asyncio.to_thread(is_in_memory, nearest)
    facts: dict[str, str | bool] = {
        "folder": str(folder),
        "exists": nearest == folder,
        "in_memory": in_memory,
    }
    if in_memory:
        return ok(f"{folder} is in memory", **facts)
    remedy = "let RUNTIME_DIR name a folder on a tmpfs, such as /dev/shm/iotistic"
    message = f"{folder} is on a disk"
    if uses_secret_files(rooms):
        return failed(f"{message}: services with secrets wait", remedy, **facts)
    return warning(f"{message}: a service with a secret would wait", remedy, **facts)


def uses_secret_files(rooms: Rooms) -> bool:
    """Whether a service of the target has a secret as a file."""
    return any(
        folder.content is not None
        for app in rooms.reconciler.wanted.apps
        for service in app.services
        for folder in service.request.folders
    )


async def check_watchdog(rooms: Rooms) -> Finding:
    """Somebody starts the agent again when it ends, or hangs."""
    del rooms
    limit_s = watchdog_s(os.environ, os.getpid())
    if not os.environ.get("NOTIFY_SOCKET"):
        return skipped("not started by systemd: whoever starts it has to watch it")
    if limit_s is None:
        return warning(
            "systemd starts it again when it ends, but not when it hangs",
            "set WatchdogSec= in its unit: docs/how-to/run-under-systemd.md",
        )
    return ok(f"systemd starts it again when it says nothing for {limit_s:g} s", limit_s=limit_s)
