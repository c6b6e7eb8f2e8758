"""`cloud.json`: where the cloud with this data folder listens, for programs beside it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from iotistic.cloud.durable_file import write_private
from iotistic.model.canonical import canonical_json

ADDRESS_FILE = "cloud.json"


@contextlib.contextmanager
def announcing(data: Path) -> Iterator[bool]:
    """Whether it is this process that writes the folder's address, until the block ends.

    False while another cloud that still runs does: its address stays. The lock on the folder ends
    with the process that has it, however that ends; a pid in a file may be anybody's by then.
    """
    descriptor = os.open(data, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def write_address(data: Path, url: str) -> None:
    """Say where this process listens."""
    content = canonical_json({"url": url, "pid": os.getpid()}) + b"\n"
    write_private(data / ADDRESS_FILE, content)


def remove_address(data: Path) -> None:
    """Remove what this process said; an address of any other one stays."""
    path = data / ADDRESS_FILE
    with contextlib.suppress(FileNotFoundError, ValueError, AttributeError):
        if msgspec.json.decode(path.read_bytes()).get("pid") == os.getpid():
            path.unlink()


def running_url(data: Path) -> str | None:
    """Where the cloud with this data folder listens, as it wrote it down; None when none does."""
    with contextlib.suppress(FileNotFoundError, ValueError, AttributeError):
        found = msgspec.json.decode((data / ADDRESS_FILE).read_bytes()).get("url")
        return found if isinstance(found, str) else None
    return None
