"""Backup and restore of the agent's database."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from iotistic.cli.commands.agent import running_agent, wait_for_another
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.lazy import Group
from iotistic.cli.session import Session

_CHUNK = 1024 * 1024
_HASH = "x-content-sha256"
_KIND = "application/vnd.sqlite3"


@click.group("db", cls=Group)
def database() -> None:
    """Back up and restore the agent's database."""


@database.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.pass_obj
def backup(session: Session, file: str) -> None:
    """Write a consistent copy to FILE while the agent runs.

    Secrets in it are encrypted with a key that is not in it. An existing FILE is replaced, once
    the copy is whole.
    """
    path = Path(file)
    try:
        # Made 0600 by mkstemp, whatever the umask is.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}", ExitCode.USAGE) from error
    try:
        with os.fdopen(handle, "wb") as copy:
            size, digest = _download(session, copy.write)
            copy.flush()
            os.fsync(copy.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    session.out.message(f"{size} bytes in {file}, sha256 {digest}")


def _download(session: Session, write: Callable[[bytes], object]) -> tuple[int, str]:
    """Size and SHA-256 of the copy, which is what the agent says that it sent."""
    digest = hashlib.sha256()
    size = 0

    def take(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        digest.update(piece)
        write(piece)

    headers = session.device.download("/v1/db/backup", take)
    if headers.get(_HASH, "").lower() != digest.hexdigest():
        raise Failure("the copy is not what the agent sent", remedy="try again")
    return size, digest.hexdigest()


@database.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.pass_obj
def restore(session: Session, file: str) -> None:
    """Put a backup in the place of the running agent's database.

    The agent checks it, sets the present one aside, and restarts. Services are not touched. If
    the agent does not run, copy FILE over its database instead. Asks first.
    """
    session.confirm("The agent's database will be set aside for this copy. Restore it?")
    gone = running_agent(session)
    with Path(file).open("rb") as copy:
        digest = hashlib.sha256()
        while piece := copy.read(_CHUNK):
            digest.update(piece)
        headers = {
            "Content-Type": _KIND,
            "Content-Length": str(copy.tell()),
            "X-Content-SHA256": digest.hexdigest(),
        }
        copy.seek(0)
        reply = session.device.upload("/v1/db/restore", copy, headers)
    session.out.show(reply, lambda found: session.out.line(_restored(found["quarantined"])))
    wait_for_another(session, gone)


def _restored(former: str | None) -> str:
    return "restored" if former is None else f"restored; the former one is {former}"
