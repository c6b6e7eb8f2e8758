"""Reads what services say in their control folders, and takes the agent's own locks there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iotistic.agent.clock import Clock
from iotistic.agent.host.files import DiskFull, write_new
from iotistic.agent.host.runtime_dir import RuntimeDirUnusable, checked, ensure_private
from iotistic.agent.locks import lock_file
from iotistic.agent.locks.lock_file import LockFile
from iotistic.model.runtime_folder import HANDOVER_COMPLETE, UPDATE_LOCK
from iotistic.planner.world import Lock, LockOwner

FOLDER_MODE = 0o777
"""Any user of the container may write; on the host nobody gets through the folders above it."""
LOCK_MODE = 0o644

ServiceKey = tuple[int, str]
"""App id and service id."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A lock file that is there, and by what it is told from another of that name."""

    content: LockFile
    inode: int
    modified_ns: int

    @property
    def modified_ms(self) -> int:
        """When it was made, as a lock tells it."""
        return self.modified_ns // 1_000_000


class ControlFolders:
    """The control folders of one device's services. Blocks, shortly: everything is in memory."""

    def __init__(self, runtime_dir: Path, uuid: str, clock: Clock) -> None:
        self._runtime_dir = runtime_dir
        self._uuid = uuid
        self._clock = clock
        self._first_seen: dict[tuple[ServiceKey, int, int], float] = {}

    @property
    def _root(self) -> Path:
        return self._runtime_dir / self._uuid / "control"

    def ensure(self, app_id: int, service_key: str) -> None:
        """Make the folder of a service; raises RuntimeDirUnusable."""
        app = ensure_private(self._runtime_dir, self._uuid, "control", str(app_id))
        folder = app / checked(service_key)
        try:
            folder.mkdir(exist_ok=True)
            # Again each time: what runs in the container as root may have changed the rights.
            if stat.S_IMODE(folder.lstat().st_mode) != FOLDER_MODE:
                folder.chmod(FOLDER_MODE)
        except OSError as error:
            raise RuntimeDirUnusable(folder, error.strerror or "") from error

    def locks(self) -> tuple[Lock, ...]:
        """Locks that services hold, by app and service; those that have run out are none.

        A span that a lock is made for counts from when it was first seen here: a restart of the
        agent makes it longer, never shorter.
        """
        held: list[Lock] = []
        seen: dict[tuple[ServiceKey, int, int], float] = {}
        for key, folder in self._folders():
            found = _look(folder)
            if found is None or found.content.is_ours:
                continue
            mark = (key, found.inode, found.modified_ns)
            seen[mark] = self._first_seen.get(mark, self._clock.now_s())
            until_s = _until_s(found.content, seen[mark])
            if until_s is None or until_s > self._clock.now_s():
                held.append(self._lock(key, found, until_s))
        self._first_seen = seen
        return tuple(held)

    def drop(self, lock: Lock) -> None:
        """Remove a service's lock that is left over, unless there is another one by now."""
        folder = self._root / str(lock.app_id) / checked(lock.holder)
        found = _look(folder)
        if found is None or found.content.is_ours or found.modified_ms != lock.at_ms:
            return
        with contextlib.suppress(OSError):
            _remove(folder, UPDATE_LOCK)

    def handed_over(self) -> frozenset[ServiceKey]:
        """Services whose newest container said that it has taken over."""
        return frozenset(
            key for key, folder in self._folders() if _exists(folder, HANDOVER_COMPLETE)
        )

    def forget_handover(self, app_id: int, service_key: str) -> None:
        """Remove the word of an earlier take-over; to be called before a new container is made.

        Raises RuntimeDirUnusable when it stays there, since it would count for the new one.
        """
        folder = self._root / str(app_id) / checked(service_key)
        try:
            _remove(folder, HANDOVER_COMPLETE)
        except OSError as error:
            raise RuntimeDirUnusable(folder, error.strerror or "") from error

    def take(self, app_id: int, *, force: bool = False) -> Lock | None:
        """Take the locks in all control folders of an app, or none: then whose is in the way.

        Ours that are there already stay ours. With `force` a service's lock stays beside ours.
        Raises RuntimeDirUnusable or DiskFull, and has taken none then.
        """
        blocking = {lock.holder: lock for lock in self.locks() if lock.app_id == app_id}
        if blocking and not force:
            return next(iter(blocking.values()))
        taken: list[Path] = []
        try:
            for key, folder in self._folders(app_id):
                if key[1] in blocking:
                    continue
                if self._take_one(folder):
                    taken.append(folder)
                elif not force and not _is_ours(folder):
                    # Made by the service since we looked.
                    self._let_go(taken)
                    found = _look(folder) or _Found(LockFile(), 0, 0)
                    return self._lock(key, found, None)
        except OSError as error:
            self._let_go(taken)
            if error.errno == errno.ENOSPC:
                raise DiskFull(self._root) from error
            raise RuntimeDirUnusable(self._root, error.strerror or "") from error
        return None

    def release(self, app_id: int) -> None:
        """Let go of our locks of an app, also of those that a killed agent left."""
        self._let_go(folder for _, folder in self._folders(app_id) if _is_ours(folder))

    def held(self) -> frozenset[int]:
        """Apps in whose folders a lock of ours is, by whichever life of the agent."""
        return frozenset(key[0] for key, folder in self._folders() if _is_ours(folder))

    def remove_unused(self, keep: Collection[ServiceKey]) -> None:
        """Remove the folders of other services than these."""
        for key, folder in self._folders():
            if key not in keep:
                # What a container has piled up there may be too deep for one go.
                with contextlib.suppress(RecursionError):
                    shutil.rmtree(folder, ignore_errors=True)
                with contextlib.suppress(OSError):
                    folder.parent.rmdir()

    def _take_one(self, folder: Path) -> bool:
        """Make our lock in a folder; False if there is one in the way, whoever's."""
        # Complete before it has its name: killed in between, no lock is left that says nothing.
        # A file of its own for each folder, since a container may write into what it is given.
        complete = self._root / ".update.lock.new"
        complete.unlink(missing_ok=True)
        write_new(complete, lock_file.ours(self._clock.boot_id), LOCK_MODE)
        try:
            for _ in range(2):
                try:
                    with _opened(folder) as descriptor:
                        os.link(complete, UPDATE_LOCK, dst_dir_fd=descriptor)
                except FileExistsError:
                    if not self._has_run_out(folder):
                        return False
                    _remove(folder, UPDATE_LOCK)
                else:
                    return True
            return False
        finally:
            complete.unlink(missing_ok=True)

    def _has_run_out(self, folder: Path) -> bool:
        found = _look(folder)
        if found is None or found.content.is_ours:
            return False
        key = (int(folder.parent.name), folder.name)
        first_s = self._first_seen.get((key, found.inode, found.modified_ns), self._clock.now_s())
        until_s = _until_s(found.content, first_s)
        return until_s is not None and until_s <= self._clock.now_s()

    def _let_go(self, folders: Collection[Path] | Iterator[Path]) -> None:
        for folder in folders:
            with contextlib.suppress(OSError):
                _remove(folder, UPDATE_LOCK)

    def _folders(self, app_id: int | None = None) -> Iterator[tuple[ServiceKey, Path]]:
        for app in _subfolders(self._root):
            if not app.name.isdigit() or (app_id is not None and app.name != str(app_id)):
                continue
            for folder in _subfolders(app):
                yield (int(app.name), folder.name), folder

    def _lock(self, key: ServiceKey, found: _Found, until_s: float | None) -> Lock:
        return Lock(
            app_id=key[0],
            owner=LockOwner.SERVICE,
            holder=key[1],
            reason=found.content.reason,
            until_s=until_s,
            at_ms=found.modified_ms,
            boot_id=self._clock.boot_id,
        )


def _until_s(content: LockFile, first_seen_s: float) -> float | None:
    ends = [content.until_s] if content.until_s is not None else []
    if content.for_s is not None:
        ends.append(first_seen_s + content.for_s)
    return min(ends, default=None)


def _look(folder: Path) -> _Found | None:
    """The lock file of a folder; whatever else has its name is a lock that says nothing."""
    try:
        with _opened(folder) as descriptor:
            # Opened without opening it: a device or a pipe in its place is not touched by this,
            # and what is read below is what was looked at, whatever has the name by then.
            handle = os.open(UPDATE_LOCK, os.O_PATH | os.O_NOFOLLOW, dir_fd=descriptor)
    except OSError:
        return None
    try:
        status = os.fstat(handle)
        content = LockFile()
        if stat.S_ISREG(status.st_mode):
            content = lock_file.parse(_read(handle))
        return _Found(content, status.st_ino, status.st_mtime_ns)
    finally:
        os.close(handle)


def _read(handle: int) -> bytes:
    try:
        descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(descriptor, lock_file.BYTES_MAX + 1)
    finally:
        os.close(descriptor)


def _is_ours(folder: Path) -> bool:
    found = _look(folder)
    return found is not None and found.content.is_ours


def _exists(folder: Path, name: str) -> bool:
    try:
        with _opened(folder) as descriptor:
            os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except OSError:
        return False
    return True


def _remove(folder: Path, name: str) -> None:
    """Remove a name, whatever it is, without following it; nothing happens if there is none."""
    try:
        with _opened(folder) as descriptor:
            try:
                os.unlink(name, dir_fd=descriptor)
            except IsADirectoryError:
                shutil.rmtree(name, dir_fd=descriptor)
    except FileNotFoundError:
        return
    except RecursionError as error:
        raise OSError(errno.ELOOP, "a folder too deep to be removed", name) from error


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _subfolders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [path / name for name in sorted(names)]
