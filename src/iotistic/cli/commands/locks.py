"""Holding updates of an app off, and trying again what was taken back."""

from __future__ import annotations

from math import ceil
from typing import Any
from urllib.parse import quote, urlencode

import click

from iotistic.cli.lazy import Command
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import ago, span

_OWNERS = {"person": "person", "service": "service", "agent": "agent, while it updates"}
_HEADERS = ("APP", "BY", "HOLDER", "FOR ANOTHER", "TAKEN", "WHY")
_app = click.argument("app")


@click.command("lock", cls=Command)
@_app
@click.option(
    "--for",
    "span_",
    metavar="SPAN",
    default="2h",
    show_default=True,
    help="How long, at most 30d: 30m, 2h, 1d.",
)
@click.option("--reason", default="", help="Why, for those who wait for it.")
@click.pass_obj
def lock(session: Session, app: str, span_: str, reason: str) -> None:
    """Hold updates of an app off, for a time.

    What runs goes on, and is started again if it ends. An APP is named by its id or its name. A
    lock ends by itself; once more with another span replaces it.
    """
    body = {"for": span_, "reason": reason, "holder": session.person}
    reply = session.device.json("POST", f"/v1/locks/{quote(app, safe='')}", body)

    def render(found: dict[str, Any]) -> None:
        session.out.line(f"app {found['appId']}: locked for {_remaining(found)}")
        if (before := found["replaced"]) is not None:
            session.out.message(f"it takes the place of a lock by {before['holder']}")
        session.out.message(f"it ends by itself, or with: iotctl apps unlock {found['appId']}")

    session.out.show(reply, render)


@click.command("unlock", cls=Command)
@_app
@click.pass_obj
def unlock(session: Session, app: str) -> None:
    """Let updates of an app go on, whoever locked it.

    A lock that a service of the app holds can only be let go by the service.
    """
    query = urlencode({"holder": session.person})
    reply = session.device.json("DELETE", f"/v1/locks/{quote(app, safe='')}?{query}")

    def render(found: dict[str, Any]) -> None:
        was = found["was"]
        state = "was not locked by a person" if was is None else "unlocked"
        session.out.line(f"app {found['appId']}: {state}")
        if was is not None:
            session.out.message(f"it was locked by {_said_by(was)}")
        for held in found["locks"]:
            session.out.message(f"still held by {_OWNERS[held['owner']]} {_said_by(held)}")

    session.out.show(reply, render)


@click.command("locks", cls=Command)
@click.pass_obj
def locks(session: Session) -> None:
    """Who holds updates off, of all apps."""
    reply = session.device.json("GET", "/v1/locks")

    def render(found: dict[str, Any]) -> None:
        if found["locks"]:
            show_locks(session.out, found["locks"], session.now_ms)
        else:
            session.out.message("no app is locked")

    session.out.show(reply, render)


@click.command("retry", cls=Command)
@_app
@click.pass_obj
def retry(session: Session, app: str) -> None:
    """Try again at once what was taken back, or failed.

    A release that was not well is not tried again by itself; this asks for it.
    """
    reply = session.device.json("POST", f"/v1/apps/{quote(app, safe='')}/retry", {})

    def render(found: dict[str, Any]) -> None:
        release = f"release {found['release']} " if found["release"] else ""
        why = ", which was taken back" if found["wasRejected"] else ""
        session.out.line(f"app {found['appId']}: {release}is tried again{why}")
        session.out.message(f"iotctl explain {found['appId']} shows how it goes")

    session.out.show(reply, render)


def show_locks(out: Output, found: list[dict[str, Any]], now_ms: int) -> None:
    """Locks as a table."""
    rows: list[tuple[CellLike, ...]] = [
        (
            lock["appId"],
            _OWNERS.get(lock["owner"], lock["owner"]),
            lock["holder"],
            Cell(_remaining(lock), Style.CAUTION),
            None if lock["at"] is None else ago(lock["at"], now_ms),
            lock["reason"],
        )
        for lock in found
    ]
    out.table(_HEADERS, rows, wrap=True)


def _remaining(lock: dict[str, Any]) -> str:
    left_ms = lock["remainingMs"]
    return "no set time" if left_ms is None else span(ceil(left_ms / 1000))


def _said_by(lock: dict[str, Any]) -> str:
    return f"{lock['holder']}: {lock['reason']}" if lock["reason"] else str(lock["holder"])
