"""The support bundle: what others need to help, in one file, without secrets."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import click

from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.lazy import Command
from iotistic.cli.session import Session

_TIMEOUT_S = 120.0


@click.command("support-bundle", cls=Command)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Where to write it (iotistic-support-TIME.tar.gz here).",
)
@click.pass_obj
def support_bundle(session: Session, output: str | None) -> None:
    """Write what others need to help into one file, without secrets.

    Status, checks, plan and the reasons, the report, settings, versions, the agent's log and its
    journal. Known secrets are masked wherever they stand; names and addresses are not: look
    through it before you pass it on. Where the agent does not run: iotctl doctor.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(session.now_ms / 1000))
    path = Path(output or f"iotistic-support-{stamp}.tar.gz")
    try:
        # Made 0600 by mkstemp, whatever the umask is.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", ExitCode.USAGE) from error
    try:
        with os.fdopen(handle, "wb") as file:
            session.options.timeout_s = session.options.timeout_s or _TIMEOUT_S
            session.device.download("/v1/support-bundle", file.write)
            size = file.tell()
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    session.out.line(str(path))
    session.out.message(f"{size} bytes, for your eyes only; look through it before you pass it on")
