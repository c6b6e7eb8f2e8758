"""Where things are kept that must not outlive a boot, or must not reach a disk."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from iotistic.agent.host.files import FOLDER_OWNER_ONLY
from iotistic.model.errors import Refused

DEFAULT = Path("/run/iotistic")
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


class RuntimeDirUnusable(Refused):
    """The folder for what must not outlive a boot cannot be used; the message says why."""

    code: str = "runtime-dir-unusable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path}: {why}",
            remedy="let RUNTIME_DIR name a folder in memory that belongs to the agent's user",
        )


def choose(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder: what is set, else `/run/iotistic`, else a part of the user's own.

    The last only for users who may not write in `/run`, and only if theirs is in memory.
    """
    if given is not None:
        return given.absolute()
    users = environment.get("XDG_RUNTIME_DIR", "")
    if users.startswith("/") and not _may_use(DEFAULT) and is_in_memory(Path(users)):
        return Path(users) / DEFAULT.name
    return DEFAULT


def is_in_memory(path: Path) -> bool:
    """Whether an existing path is on a file system that is never written to a disk but by swap."""
    try:
        device = path.stat().st_dev
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) > 2 and fields[2] == wanted and "-" in fields:
            return fields[fields.index("-") + 1] in _IN_MEMORY
    return False


def check_usable(path: Path) -> Path:
    """The path, or the closest of its parents that is there; raises RuntimeDirUnusable."""
    found = nearest(path)
    if not found.is_dir() or not os.access(found, os.W_OK | os.X_OK):
        raise RuntimeDirUnusable(found, "the agent cannot write there")
    return found


def nearest(path: Path) -> Path:
    """The path itself if it is there, else the closest of its parents that is."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def ensure_private(root: Path, *parts: str) -> Path:
    """Make `root/part/part…`; all below `root` belong to us and can be entered by nobody else.

    Raises RuntimeDirUnusable when something else stands there, or rights are missing.
    """
    try:
        root.mkdir(mode=FOLDER_OWNER_ONLY, parents=True, exist_ok=True)
        path = root
        for part in parts:
            path /= checked(part)
            path.mkdir(mode=FOLDER_OWNER_ONLY, exist_ok=True)
            _keep_private(path)
    except OSError as error:
        raise RuntimeDirUnusable(Path(error.filename or root), error.strerror or "") from error
    return path


def checked(part: str) -> str:
    """A part of a path that stays what it is: no way up, no way out. Raises ValueError."""
    if not _PART.fullmatch(part):
        raise ValueError(f"not a part of a path: {part[:40]!r}")
    return part


def _keep_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise RuntimeDirUnusable(path, "it is not a folder of the agent's user")
    if stat.S_IMODE(found.st_mode) != FOLDER_OWNER_ONLY:
        path.chmod(FOLDER_OWNER_ONLY)


def _may_use(path: Path) -> bool:
    return os.access(nearest(path), os.W_OK | os.X_OK)
