"""The log as files on this device: bounded in size, number and age, for its owner only."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "agent.log"
FILES_MAX = 5
"""The one that is written, and older ones: `agent.log.1` is the newest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFiles:
    """Where files are kept, how large one may get, and how old."""

    folder: Path
    bytes_max: int
    age_max_s: float


class LogFile:
    """Writes the newest file, and turns to a new one when it is full or old.

    Used by one thread. Raises OSError when it cannot write; the next call tries again.
    """

    def __init__(self, files: LogFiles) -> None:
        self.files = files
        self._descriptor: int | None = None
        self._size = 0
        self._began_s = 0.0

    def write(self, text: str) -> None:
        """Append whole lines."""
        content = text.encode("utf-8", "replace")
        try:
            descriptor = self._descriptor_for(len(content))
            while content:
                written = os.write(descriptor, content)
                self._size += written
                content = content[written:]
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def _descriptor_for(self, coming: int) -> int:
        descriptor = self._descriptor if self._descriptor is not None else self._open()
        full = self._size > 0 and self._size + coming > self.files.bytes_max
        old = self._size > 0 and time.monotonic() - self._began_s >= self.files.age_max_s
        if not (full or old):
            return descriptor
        self.close()
        for number in range(FILES_MAX - 2, -1, -1):
            with suppress(FileNotFoundError):
                self._path(number).replace(self._path(number + 1))
        return self._open()

    def _open(self) -> int:
        self.files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not through a link, and not waiting for the other end of a pipe: the folder may be one
        # that others can write to.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self.files.folder / FILE_NAME, flags, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            self._size = os.fstat(descriptor).st_size
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._began_s = time.monotonic()
        self._remove_old()
        return descriptor

    def _remove_old(self) -> None:
        # By the wall clock, as the times of files are: one that is wrong removes too much or too
        # little of what is bounded anyway.
        for number in range(1, FILES_MAX):
            with suppress(OSError):
                if time.time() - self._path(number).stat().st_mtime > self.files.age_max_s:
                    self._path(number).unlink()

    def _path(self, number: int) -> Path:
        return self.files.folder / (f"{FILE_NAME}.{number}" if number else FILE_NAME)
