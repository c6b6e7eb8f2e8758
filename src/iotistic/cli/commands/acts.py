"""Start, stop, restart, purge: a wish is stored, the reply tells how far its doing has come."""

from __future__ import annotations

from typing import Any

import click

from iotistic.cli.failure import ExitCode
from iotistic.cli.session import Session

_DEFAULT_WAIT_MS = 10_000
_WAIT_MS_MAX = 60_000
_MARGIN_S = 5.0

by_force = click.option("--force", is_flag=True, help="Also while somebody has locked the app.")


def act(session: Session, path: str, body: dict[str, Any], *, wait: bool, force: bool) -> ExitCode:
    """Post the wish and say what became of it; TIMEOUT if it is stored but not done yet.

    `force`: also while somebody else has locked the app.
    """
    wait_ms = 0
    if wait:
        given_s = session.options.timeout_s
        wait_ms = _DEFAULT_WAIT_MS if given_s is None else min(int(given_s * 1000), _WAIT_MS_MAX)
    reply = session.device.json(
        "POST",
        path,
        {
            **body,
            **({"force": True} if force else {}),
            "holder": session.person,
            "waitMs": wait_ms,
        },
        # The agent is given its time and answers then: our own patience has to be longer.
        timeout_s=max(session.timeout_s, wait_ms / 1000) + _MARGIN_S,
    )
    session.out.show(reply, lambda found: _show(session, found))
    if reply.status != 202:
        return ExitCode.OK
    session.out.message("stored; the agent is still at it: iotctl plan shows how far")
    return ExitCode.TIMEOUT if wait else ExitCode.OK


def _show(session: Session, found: dict[str, Any]) -> None:
    for service in found["services"]:
        session.out.line(f"{service['serviceName']}: {service['status']}")
    if not found["services"]:
        session.out.line(f"app {found['appId']}: {found['status']}")
