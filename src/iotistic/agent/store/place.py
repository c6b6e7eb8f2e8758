"""Whether the files of an open database are still the ones at their place, and whole.

A database that is deleted, moved away or replaced under its agent goes on taking commits, into
files that no start will ever find again; and one that is cut off takes them beyond its end. A few
`stat` calls a commit tell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.agent.store.files import StateFiles

_Which = tuple[int, int]  # device and inode


class Place:
    """The files of one connection, as they were when it was opened."""

    def __init__(self, database: Path) -> None:
        files = StateFiles.of(database)
        found = {path: _stat(path) for path in (files.database, *files.companions)}
        # Without a write-ahead log (some network file systems have none) there are no companions.
        self._seen: Mapping[Path, _Which] = {p: _which(at) for p, at in found.items() if at}
        self._sizes = {path: at.st_size for path, at in found.items() if at}

    def check_whole(self) -> None:
        """Raises DatabaseCorrupt if a file is shorter than it was: nobody here does that."""
        for path, size in self._sizes.items():
            found = _stat(path)
            if found is not None and _which(found) == self._seen[path] and found.st_size < size:
                raise DatabaseCorrupt(f"{path.name} was cut off after {found.st_size} bytes")

    def lost(self) -> tuple[Path, ...]:
        """The files that were deleted, moved away or replaced since; what is there is known now."""
        lost = []
        for path, which in self._seen.items():
            found = _stat(path)
            if found is None or _which(found) != which:
                lost.append(path)
            else:
                self._sizes[path] = found.st_size
        return tuple(lost)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _which(found: os.stat_result) -> _Which:
    return found.st_dev, found.st_ino
