"""Writes secrets where containers find them, and removes what no container needs."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from iotistic.agent.host.files import DiskFull, write_new
from iotistic.agent.host.runtime_dir import (
    RuntimeDirUnusable,
    check_usable,
    checked,
    ensure_private,
    is_in_memory,
)
from iotistic.model.errors import Refused
from iotistic.model.runtime_folder import secret_file
from iotistic.model.secret import Secret

_EVERYBODY_READS = 0o004
_TEMPORARY = ".new"


class SecretsNotInMemory(Refused):
    """The folder for secrets is on a disk, from which they could be read later."""

    code: str = "secrets-not-in-memory"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not on a file system in memory, so no secret is written there",
            remedy="let RUNTIME_DIR name a folder on a tmpfs, such as /run/iotistic where /run is"
            " one; in a container mount it at the same path as on the host",
        )


class SecretOwner(Refused):
    """A secret is to belong to another user, and only root can give files away."""

    code: str = "secret-owner"

    def __init__(self, name: str, file: SecretFile) -> None:
        super().__init__(
            f"secret {name} is for {file.uid}:{file.gid} with mode {file.mode:04o}, and the agent"
            " may not give files to other users",
            remedy="run the agent as root, or let everybody in the container read it (mode 0444)",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """What a secret's file holds, whose it is, and who may read it."""

    value: Secret
    uid: int = 0
    gid: int = 0
    mode: int = 0o444


class SecretFiles:
    """The secrets of one device's services. Blocks, shortly: everything is in memory.

    `allow_disk` is for tests on hosts without a file system in memory.
    """

    def __init__(self, runtime_dir: Path, uuid: str, *, allow_disk: bool = False) -> None:
        self._runtime_dir = runtime_dir
        self._uuid = uuid
        self._allow_disk = allow_disk
        self._needed: dict[tuple[int, str], frozenset[str]] = {}

    def write(self, app_id: int, service_key: str, files: Mapping[str, SecretFile]) -> None:
        """Make the files of a service, by name, be there as they should be.

        What is as it should be already is not touched; other files stay for `remove_unused`.
        Raises SecretsNotInMemory, SecretOwner, RuntimeDirUnusable or DiskFull; some files may
        have been written then.
        """
        for name in files:
            checked(name)
        if files:
            folder = ensure_private(
                self._runtime_dir, self._uuid, "secrets", str(app_id), service_key
            )
            if not self._allow_disk and not is_in_memory(folder):
                raise SecretsNotInMemory(folder)
        self._needed[app_id, service_key] = frozenset(files)
        for name, file in files.items():
            path = Path(secret_file(str(self._runtime_dir), self._uuid, app_id, service_key, name))
            try:
                _write(path, name, file)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise DiskFull(path) from error
                raise RuntimeDirUnusable(path, error.strerror or "") from error

    def check(self, files: Mapping[str, SecretFile]) -> None:
        """Raise what `write` would, as far as it can be told without changing anything."""
        if not files:
            return
        folder = check_usable(self._runtime_dir / self._uuid / "secrets")
        if not self._allow_disk and not is_in_memory(folder):
            raise SecretsNotInMemory(folder)
        groups = {os.getegid(), *os.getgroups()}
        for name, file in files.items():
            ours = file.uid == os.geteuid() and file.gid in groups
            if not (ours or os.geteuid() == 0 or file.mode & _EVERYBODY_READS):
                raise SecretOwner(name, file)

    def remove_unused(self, keep: Collection[tuple[int, str]]) -> None:
        """Remove the files of other services than these (app id, key).

        Of these services, what was not asked for when their files were last written goes too.
        Raises RuntimeDirUnusable when something stays.
        """
        root = self._runtime_dir / self._uuid / "secrets"
        try:
            for app in _folders(root):
                for service in _folders(app):
                    key = (int(app.name), service.name) if app.name.isdigit() else None
                    if key is None or key not in keep:
                        shutil.rmtree(service)
                    elif key in self._needed:
                        _remove_others(service, self._needed[key])
                _remove_if_empty(app)
        except OSError as error:
            raise RuntimeDirUnusable(root, error.strerror or "") from error
        self._needed = {key: names for key, names in self._needed.items() if key in keep}


def _write(path: Path, name: str, file: SecretFile) -> None:
    if _is_as_wanted(path, file):
        return
    temporary = path.with_name(f"{_TEMPORARY}-{name}")
    temporary.unlink(missing_ok=True)
    data = file.value.reveal().encode()
    try:
        _write_owned(temporary, data, name, file)
        if path.is_dir() and not path.is_symlink():
            # An engine that found nothing to bind made a folder in its place.
            path.rmdir()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_owned(path: Path, data: bytes, name: str, file: SecretFile) -> None:
    try:
        write_new(path, data, file.mode, owner=(file.uid, file.gid))
    except PermissionError as error:
        if not file.mode & _EVERYBODY_READS:
            raise SecretOwner(name, file) from error
        # Whose it is makes no difference to who may read it.
        path.unlink(missing_ok=True)
        write_new(path, data, file.mode)


def _is_as_wanted(path: Path, file: SecretFile) -> bool:
    data = file.value.reveal().encode()
    try:
        # Opened only to be compared: the folder is ours, so it is no other's trap.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        owned = (found.st_uid, found.st_gid) == (file.uid, file.gid)
        return (
            stat.S_ISREG(found.st_mode)
            and stat.S_IMODE(found.st_mode) == file.mode
            and (owned or (os.geteuid() != 0 and bool(file.mode & _EVERYBODY_READS)))
            and found.st_size == len(data)
            and os.read(descriptor, len(data) + 1) == data
        )
    finally:
        os.close(descriptor)


def _folders(path: Path) -> Iterator[Path]:
    try:
        entries = sorted(path.iterdir())
    except OSError:
        return
    yield from (entry for entry in entries if entry.is_dir() and not entry.is_symlink())


def _remove_others(folder: Path, names: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name not in names and not path.is_dir():
            path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
