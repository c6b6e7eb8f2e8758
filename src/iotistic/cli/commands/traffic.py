"""What the link to the cloud costs."""

from __future__ import annotations

from typing import Any

import click

from iotistic.cli.lazy import Command
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style

_DAYS_MAX = 62
_HEADERS = ("FEATURE", "TODAY", "THIS MONTH", "SENT", "RECEIVED")
_STAGES = {
    "tight": "intervals are longer, debug and info lines stay here",
    "scarce": "intervals are longer, metrics and log lines wait",
    "exhausted": "used up: only events and signs of life go",
}
_KB = 1000


@click.command("traffic", cls=Command)
@click.option(
    "--days",
    type=click.IntRange(1, _DAYS_MAX),
    metavar="N",
    help="Also each of the last N days.",
)
@click.pass_obj
def traffic(session: Session, days: int | None) -> None:
    """What the link to the cloud costs: today, this month, and what the month will come to.

    Bytes of HTTP both ways, without TLS and TCP. Days and months are those of UTC.
    """
    reply = session.device.json("GET", f"/v1/traffic?days={days or 1}")
    session.out.show(reply, lambda found: _show(session.out, found, by_day=days is not None))


def _show(out: Output, found: dict[str, Any], *, by_day: bool) -> None:
    today, month = found["today"], found["month"]
    rows: list[tuple[CellLike, ...]] = [
        (
            name,
            size(sum(today["purposes"].get(name, {}).values())),
            size(one["sent"] + one["received"]),
            size(one["sent"]),
            size(one["received"]),
        )
        for name, one in sorted(
            month["purposes"].items(), key=lambda item: -item[1]["sent"] - item[1]["received"]
        )
    ]
    out.table(_HEADERS, [*rows, _sum_row(today, month)])
    if by_day:
        out.line()
        days: list[tuple[CellLike, ...]] = [
            (one["day"], size(one["bytes"])) for one in found["days"]
        ]
        out.table(("DAY", "BYTES"), days)
    out.line()
    out.pairs(
        [
            ("month gone", f"{month['elapsed']:.0%}"),
            ("projected", f"{size(found['projectedBytes'])} by its end"),
            ("budget", _budget(found)),
        ]
    )


def _sum_row(today: dict[str, Any], month: dict[str, Any]) -> tuple[CellLike, ...]:
    both = month["purposes"].values()
    return (
        Cell("all", Style.STRONG),
        Cell(size(today["bytes"]), Style.STRONG),
        Cell(size(month["bytes"]), Style.STRONG),
        size(sum(one["sent"] for one in both)),
        size(sum(one["received"] for one in both)),
    )


def _budget(found: dict[str, Any]) -> Cell:
    budget = found["budgetBytes"]
    if budget is None:
        return Cell("none: TRAFFIC_BUDGET_MB_MONTH", Style.FAINT)
    text = f"{size(budget)}, {found['month']['bytes'] / budget:.0%} used"
    if (stage := found["stage"]) not in _STAGES:
        return Cell(text, Style.GOOD)
    return Cell(f"{text}; {_STAGES[stage]}", Style.CAUTION)


def size(size_bytes: int) -> str:
    """Bytes as bills of mobile networks count them: in thousands."""
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if value < _KB:
            break
        value, unit = value / _KB, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
