"""What is wrong, and what can be put right: from inside the agent, else from outside of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iotistic.cli.commands.status import worded
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import Reply, unknown_form
from iotistic.cli.lazy import Command
from iotistic.cli.output import UNKNOWN_FORM, Output
from iotistic.cli.session import Session

if TYPE_CHECKING:
    from iotistic.cli.from_outside import Site

_AWAY = (ExitCode.UNREACHABLE, ExitCode.TIMEOUT)


@click.command(cls=Command)
@click.option("--fix", is_flag=True, help="Put right what can be, each thing asked for first.")
@click.pass_obj
def diagnostics(session: Session, fix: bool) -> ExitCode:
    """Check everything the agent depends on.

    Also called doctor and diag. Exit code 7 when a check failed. Where the agent does not run,
    what can be told from outside is checked, and how to start it is said.
    """
    found = _examine(session)
    if fix:
        try:
            fixes = [(f["id"], f["title"], list(f["will"])) for f in found.json().get("fixes", [])]
        except UNKNOWN_FORM as error:
            raise unknown_form() from error
        for fix_id, title, will in fixes:
            _mend(session, fix_id, title, will, outside=found.json().get("fromOutside") is True)
        if not fixes:
            session.out.message("there is nothing that could be put right by itself")
        found = _examine(session)
    document = session.out.show(found, lambda told: _show_checks(session.out, told, offer=not fix))
    return ExitCode.OK if document.get("healthy") is True else ExitCode.DIFFERS


def _examine(session: Session) -> Reply:
    try:
        return session.device.json("GET", "/v1/diagnostics")
    except Failure as failure:
        away = failure.exit_code in _AWAY and failure.body is None
        if not away or session.options.api_url:
            raise
        from iotistic.cli.from_outside import examine

        document = examine(_site(session), failure.message)
        return Reply(200, {}, json.dumps(document).encode())


def _site(session: Session) -> Site:
    from iotistic.cli.device_peer import wanted_port
    from iotistic.cli.from_outside import Site
    from iotistic.cli.state_folder import find_state_folder

    folder = find_state_folder(session.options.state_dir, os.environ, cwd=Path.cwd())
    return Site.of(folder.path, os.environ, wanted_port(os.environ))


def _mend(session: Session, fix_id: str, title: str, will: list[str], *, outside: bool) -> None:
    session.out.message(f"{title}:")
    for line in will:
        session.out.message(f"  {line}")
    try:
        session.confirm("Do it?")
    except Failure as failure:
        if failure.code != "not-confirmed":
            raise
        session.out.message("left as it is")
        return
    for line in _do(session, fix_id, outside=outside):
        session.out.message(f"done: {line}")


def _do(session: Session, fix_id: str, *, outside: bool) -> list[str]:
    if not outside:
        reply = session.device.json("POST", "/v1/diagnostics/fix", {"id": fix_id})
        return [str(line) for line in reply.json().get("done", [])]
    from iotistic.cli.from_outside import mend

    try:
        return mend(_site(session), fix_id)
    except OSError as error:
        raise Failure(
            f"{error.filename}: {error.strerror}", remedy="run it as the user of the agent"
        ) from error


def _show_checks(out: Output, found: dict[str, Any], *, offer: bool) -> None:
    checks = found["checks"]
    out.table(
        ("CHECK", "RESULT", "TOOK", "FOUND"),
        [
            (check["id"], worded(check["verdict"]), f"{check['tookMs']} ms", check["message"])
            for check in checks
        ],
        wrap=True,
    )
    bad = [check for check in checks if check["verdict"] in {"failed", "warning"}]
    out.line()
    failed = sum(check["verdict"] == "failed" for check in checks)
    warned = len(bad) - failed
    if bad:
        out.line(f"{failed} failed, {warned} with a warning, of {len(checks)} checks")
    else:
        out.line(f"all {len(checks)} checks are well")
    for remedy in dict.fromkeys(check["remedy"] for check in bad if check["remedy"]):
        out.line(f"next: {remedy}")
    if offer and found.get("fixes"):
        names = ", ".join(fix["id"] for fix in found["fixes"])
        out.line(f"next: iotctl doctor --fix can put right: {names}")
