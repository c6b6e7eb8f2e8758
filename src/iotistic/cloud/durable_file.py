"""Small secret files: never readable by others, never half written."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from iotistic.model.errors import Refused


def make_folder(folder: Path) -> None:
    """The folder, for its owner alone when it is made here."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, data: bytes, *, replace: bool = True) -> bool:
    """Write `data` with mode 0600, whole or not at all.

    Without `replace` a file that is there already stays, and False comes back; two processes
    that do this at once agree on one content.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask left of it
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def read_private(path: Path) -> bytes:
    """Read a secret file. Raises Refused when others than its owner may read or change it."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & 0o077:
            raise Refused(
                f"{path} can be read or changed by others (mode {mode & 0o777:o})",
                code="file-not-private",
                remedy=f"if nobody did, chmod 600 {path}",
            )
        return file.read()


def _sync_folder(folder: Path) -> None:
    # Without it a power cut may undo the rename, and what the secret sealed could not be read.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
