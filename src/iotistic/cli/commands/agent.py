"""The agent itself: its log, its talk with the cloud, its restart."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import click

from iotistic.cli.commands.streams import show_stream
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import unknown_form
from iotistic.cli.lazy import Command
from iotistic.cli.output import Output, bare
from iotistic.cli.session import Session
from iotistic.cli.table import Style
from iotistic.cli.times import stamp

_LEVELS = {"debug": Style.FAINT, "warn": Style.CAUTION, "error": Style.BAD}
_LOOK_AGAIN_S = 0.2
_SYNC_TIMEOUT_S = 30.0


@click.command(cls=Command)
@click.option("--follow", "-f", is_flag=True, help="Go on as more is written, until Ctrl-C.")
@click.option(
    "-n",
    "--tail",
    type=click.IntRange(0, 1000),
    metavar="LINES",
    default=50,
    show_default=True,
    help="Lines to begin with.",
)
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warn", "error"]),
    default="info",
    show_default=True,
    help="The lowest to be shown.",
)
@click.pass_obj
def logs(session: Session, follow: bool, tail: int, level: str) -> ExitCode:
    """The agent's own log."""
    query = urlencode({"tail": tail, "follow": str(follow).lower(), "level": level})
    return show_stream(session, f"/v1/logs?{query}", following=follow, render=_log_line)


def _log_line(out: Output, line: dict[str, Any]) -> str:
    level = str(line["level"])
    head = f"{stamp(line['timestamp'])} {level:<5} {line['component']}: {line['message']}"
    context = bare(line["context"])
    styled = out.styled(head, _LEVELS.get(level, Style.PLAIN))
    return f"{styled}  {out.styled(context, Style.FAINT)}" if context else styled


@click.command(cls=Command)
@click.pass_obj
def sync(session: Session) -> ExitCode:
    """Ask the cloud now, and report to it."""
    timeout_s = session.options.timeout_s or _SYNC_TIMEOUT_S
    reply = session.device.json("POST", "/v1/sync", {}, timeout_s=timeout_s)

    def render(found: dict[str, Any]) -> None:
        version = "" if found["version"] is None else f" (version {found['version']})"
        news = "a new target" if found["changed"] else "no new target"
        session.out.line(f"{found['state']}: {news}{version}")
        if found["refusal"] is not None:
            session.out.message(f"the newest target was not taken: {found['refusal']['message']}")

    found = session.out.show(reply, render)
    return ExitCode.OK if found.get("refusal") is None else ExitCode.REFUSED


@click.command(cls=Command)
@click.option("--no-wait", is_flag=True, help="Do not wait until it is back.")
@click.option("--normal", is_flag=True, help="Out of safe mode, should it be in it.")
@click.pass_obj
def restart(session: Session, no_wait: bool, normal: bool) -> ExitCode:
    """Restart the agent; services are not touched."""
    if normal:
        from iotistic.cli.commands.safe_mode import leave_safe_mode

        if leave_safe_mode(session, wait=not no_wait):
            return ExitCode.OK
    reply = session.device.json("POST", "/v1/agent/restart", {})
    gone = session.out.show(reply, lambda _: session.out.line("restarting"))
    if not no_wait:
        wait_for_another(session, gone)
    return ExitCode.OK


def running_agent(session: Session) -> dict[str, Any]:
    """What the agent's process says of itself."""
    agent = session.device.json("GET", "/v1/status").json().get("agent")
    if not isinstance(agent, dict):
        raise unknown_form()
    return agent


def wait_for_another(
    session: Session,
    gone: dict[str, Any],
    *,
    slow: str = "see its log: journalctl -u iotistic-agent",
) -> None:
    """Ask until a life other than `gone` (by `pid` and `startedAt`) answers, and say so.

    Raises Failure, with `slow` as the remedy, when that takes longer than the time given.
    """
    until_s = time.monotonic() + session.timeout_s
    while time.monotonic() < until_s:
        try:
            agent = running_agent(session)
        except Failure:
            agent = {}  # between two lives it does not answer, or not well
        # One that replaced itself has the same pid.
        if agent and any(agent.get(name) != gone.get(name) for name in ("pid", "startedAt")):
            session.out.message(f"the agent is back (pid {agent.get('pid')})")
            return
        time.sleep(_LOOK_AGAIN_S)
    raise Failure(
        "the agent did not come back in time",
        ExitCode.TIMEOUT,
        remedy=slow,
    )
