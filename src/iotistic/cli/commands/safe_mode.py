"""Safe mode, in which the agent answers and reports but applies nothing."""

from __future__ import annotations

from typing import Any

import click

from iotistic.cli.commands.agent import wait_for_another
from iotistic.cli.failure import ExitCode
from iotistic.cli.http_client import unknown_form
from iotistic.cli.lazy import Command, Group
from iotistic.cli.session import Session
from iotistic.cli.table import Style
from iotistic.cli.times import span


@click.group("safe-mode", cls=Group)
def safe_mode() -> None:
    """Safe mode, after crashes in a row: services go on, nothing is applied."""


@safe_mode.command("show", cls=Command)
@click.pass_obj
def show(session: Session) -> ExitCode:
    """Whether the agent is in safe mode, and why."""
    found = session.device.json("GET", "/v1/status").json().get("safeMode")
    if not isinstance(found, dict):
        raise unknown_form()
    if not found["active"]:
        session.out.line("not in safe mode")
        return ExitCode.OK
    session.out.line(
        f"in safe mode after {found['crashes']} fast crashes: {found['because']}", Style.BAD
    )
    if found["triesAgainInMs"] is not None:
        session.out.line(f"applies again by itself in {span(found['triesAgainInMs'] / 1000)}")
    session.out.line("next: correct the target, or iotctl safe-mode leave")
    return ExitCode.DIFFERS


@safe_mode.command("leave", cls=Command)
@click.option("--no-wait", is_flag=True, help="Do not wait until the agent is back.")
@click.pass_obj
def leave(session: Session, no_wait: bool) -> ExitCode:
    """Apply the target again: the agent restarts, services are not touched."""
    leave_safe_mode(session, wait=not no_wait)
    return ExitCode.OK


def leave_safe_mode(session: Session, *, wait: bool) -> bool:
    """Ask the agent to leave safe mode; False when it was not in it."""
    reply = session.device.json("POST", "/v1/safe-mode/leave", {})

    def render(found: dict[str, Any]) -> None:
        left = found["status"] == "leaving"
        session.out.line("leaving safe mode" if left else "not in safe mode")

    gone = session.out.show(reply, render)
    left: bool = gone.get("status") == "leaving"
    if left and wait:
        wait_for_another(session, gone)
    return left
