"""One holder at a time, across processes, who is named to the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from iotistic.agent.host.files import OWNER_ONLY
from iotistic.model.errors import Conflict

_HOLDER_BYTES_MAX = 200


class Locked(Conflict):
    """Somebody else holds the lock. `holder` is "PID PROGRAM", or empty if that is unknown."""

    code: str = "locked"

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by {holder or 'another process'}")
        self.holder = holder


class FileLock:
    """A flock on a file, held inside `with`; the kernel lets go of it when the process dies.

    The file itself is never removed: a lock on a removed file keeps nobody out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, OWNER_ONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, _HOLDER_BYTES_MAX, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise Locked(self._path, holder) from error
        self._descriptor = descriptor
        # It is held already; a full disk only keeps the holder's name out of it.
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, OWNER_ONLY)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {Path(sys.argv[0]).name}\n".encode(), 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
