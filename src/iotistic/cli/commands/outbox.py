"""What waits on this device for the cloud, and what became of the rest."""

from __future__ import annotations

from typing import Any

import click

from iotistic.cli.lazy import Command, Group
from iotistic.cli.output import bare
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import ago

_CLASSES = ("event", "anomaly", "reading", "metric", "log", "all")
_HEADERS = ("CLASS", "WAITING", "SIZE", "OLDEST", "WRITTEN", "ACKNOWLEDGED", "DROPPED", "SINCE")
_DEAD_HEADERS = ("REFUSED", "CLASS", "RECORD", "CODE", "WHY")
_STEP = 1024


@click.group("outbox", cls=Group, invoke_without_command=True)
@click.pass_context
def outbox(context: click.Context) -> None:
    """What waits here for the cloud, by class, and what became of the rest.

    Nothing goes before the cloud has it, but for what is told under DROPPED.
    """
    if context.invoked_subcommand is None:
        _show(context.ensure_object(Session))


def _show(session: Session) -> None:
    reply = session.device.json("GET", "/v1/outbox")

    def render(found: dict[str, Any]) -> None:
        rows = [_row(name, one, session.now_ms) for name, one in found["classes"].items()]
        session.out.table(_HEADERS, rows)

    session.out.show(reply, render)


@outbox.command("dead", cls=Command)
@click.pass_obj
def dead(session: Session) -> None:
    """The records that the cloud refused, newest first."""
    reply = session.device.json("GET", "/v1/outbox/dead")

    def render(found: dict[str, Any]) -> None:
        if not found["dead"]:
            session.out.message("the cloud refused none")
            return
        rows: list[tuple[CellLike, ...]] = [
            (
                ago(letter["at"], session.now_ms),
                letter["class"],
                f"{letter['epoch']}/{letter['seq']}",
                Cell(letter["code"], Style.BAD),
                letter["message"],
            )
            for letter in found["dead"]
        ]
        session.out.table(_DEAD_HEADERS, rows)
        session.out.message("what was in them: iotctl outbox dead --json")

    session.out.show(reply, render)


@outbox.command("clear", cls=Command)
@click.argument("kind", type=click.Choice(_CLASSES), metavar="CLASS")
@click.pass_obj
def clear(session: Session, kind: str) -> None:
    """Drop what waits of a CLASS: event, anomaly, reading, metric, log, or all.

    The cloud never gets it; the ledger goes on to count it.
    """
    what = "everything" if kind == "all" else f"every {kind}"
    session.confirm(f"Drop {what} that the cloud does not have yet?")
    reply = session.device.json("DELETE", f"/v1/outbox/{kind}")

    def render(found: dict[str, Any]) -> None:
        session.out.line(f"{found['dropped']} records dropped")

    session.out.show(reply, render)


def _row(name: str, found: dict[str, Any], now_ms: int) -> tuple[CellLike, ...]:
    dropped = found["dropped"]
    return (
        name,
        found["waiting"],
        _size(found["waitingBytes"]),
        None if found["oldestAt"] is None else ago(found["oldestAt"], now_ms),
        found["written"],
        found["acknowledged"],
        Cell(bare(dropped), Style.CAUTION) if dropped else 0,
        ago(found["since"], now_ms),
    )


def _size(size_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < _STEP:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= _STEP
    return f"{size_bytes:.1f} GiB"
