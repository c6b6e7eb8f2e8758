"""Whether the files of an open database are still the ones at their place.

A database that is deleted, moved away or replaced under its agent goes on taking commits, into
files that no start will ever find again. Three `stat` calls a commit tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from iotistic.agent.store.files import StateFiles

_Which = tuple[int, int]  # device and inode


class Place:
    """The files of one connection, as they were when it was opened."""

    def __init__(self, database: Path) -> None:
        files = StateFiles.of(database)
        seen = {path: _which(path) for path in (files.database, *files.companions)}
        # Without a write-ahead log (some network file systems have none) there are no companions.
        self._seen: Mapping[Path, _Which] = {p: which for p, which in seen.items() if which}

    def lost(self) -> tuple[Path, ...]:
        """The files that were deleted, moved away or replaced since."""
        return tuple(path for path, which in self._seen.items() if _which(path) != which)


def _which(path: Path) -> _Which | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
