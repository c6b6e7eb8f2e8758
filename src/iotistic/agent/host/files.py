"""Small files that must survive a power cut, and must not be read by others."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from iotistic.model.errors import Unavailable

OWNER_ONLY = 0o600
FOLDER_OWNER_ONLY = 0o700
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskFull(Unavailable):
    """No room left; what was there before is unchanged."""

    code: str = "disk-full"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"no space left to write {path}",
            remedy="free some space on that file system; the agent tries again by itself",
        )


def durable_write(path: Path, data: bytes, mode: int = OWNER_ONLY) -> None:
    """Replace the file by `data`: after a power cut at any instant it is the old or the new one.

    The mode holds whatever the umask is. One writer at a time for each path. Blocks for two
    syncs of the disk. Raises DiskFull, or OSError for everything else; the old file then stands.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        # Unlinked first and made exclusively: nobody's prepared file or symbolic link is used.
        temporary.unlink(missing_ok=True)
        write_new(temporary, data, mode)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in _FULL:
            raise DiskFull(path) from error
        raise
    # Without this a power cut may undo the rename, and the device would wake with the old key
    # while the cloud has already forgotten it.
    sync_folder(path.parent)


def create_owner_only(path: Path) -> None:
    """Make an empty file of mode 0600 for a library to fill; an existing one is replaced."""
    path.unlink(missing_ok=True)
    write_new(path, b"", OWNER_ONLY)


def read_small(path: Path, bytes_max: int) -> bytes | None:
    """The content of a file, None if there is none; of a longer one the first `bytes_max` + 1."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except FileNotFoundError:
        return None


def remove_durably(path: Path) -> None:
    """Remove the file, if it is there, for good."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def ensure_folder(path: Path) -> None:
    """Make the folder and its parents; the ones made here are for their owner only."""
    if path.is_dir():
        return
    ensure_folder(path.parent)
    path.mkdir(mode=FOLDER_OWNER_ONLY, exist_ok=True)
    sync_folder(path.parent)


def keep_private(path: Path) -> None:
    """Take the rights of group and others away from an existing file."""
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(OWNER_ONLY)
    except FileNotFoundError:
        return


def sync_folder(path: Path) -> None:
    """Make renames and removals in a folder last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of a file last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(
    path: Path, data: bytes, mode: int = OWNER_ONLY, *, owner: tuple[int, int] | None = None
) -> None:
    """Make a file that is not there yet, whatever the umask, of a user and group if given.

    Raises OSError; half a file may be left then.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(path, flags, OWNER_ONLY)
    try:
        if owner is not None:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
