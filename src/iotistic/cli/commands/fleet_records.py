"""What devices sent to the cloud: their logs, figures and events, and what never came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import click

from iotistic.cli.commands.fleet_devices import find_device
from iotistic.cli.failure import ExitCode, Failure, refusal
from iotistic.cli.http_client import unknown_form
from iotistic.cli.lazy import Command
from iotistic.cli.output import UNKNOWN_FORM, Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style, plain
from iotistic.cli.times import ago, parse_iso, parse_since, short_iso, stamp
from iotistic.model.errors import InvalidField
from iotistic.model.reader import decode_json

_LEVELS = {"debug": Style.FAINT, "warn": Style.CAUTION, "error": Style.BAD}
_PAGE_MAX = 1000
# Three signs of life, which come every 15 s, may be missing.
_IDLE_S = 45.0
_LOOK_AGAIN_S = 1.0
_EPOCH_SHOWN = 8
_device = click.argument("device")
_since = click.option("--since", metavar="TIME", help="From then on: 10m, 2h, or a date and time.")


@click.command(cls=Command)
@_device
@click.option("--service", metavar="NAME", help="Of this service only.")
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warn", "error"]),
    help="The lowest to be shown.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on as more arrives, until Ctrl-C.")
@_since
@click.option(
    "-n",
    "--tail",
    type=click.IntRange(0, _PAGE_MAX),
    metavar="LINES",
    help="Lines to begin with.  [default: 100, with --since 1000]",
)
@click.pass_obj
def logs(
    session: Session,
    device: str,
    service: str | None,
    level: str | None,
    follow: bool,
    since: str | None,
    tail: int | None,
) -> ExitCode:
    """What a device logged, its services and itself.

    It is as fresh as what the device has sent. On the device itself: "iotctl services logs".
    """
    query = _time_query(session, since)
    if service is not None:
        query["service"] = service
    if level is not None:
        query["level"] = level
    query["limit"] = str(tail if tail is not None else (100 if since is None else _PAGE_MAX))
    uuid = find_device(session.cloud, device)
    if follow:
        return _follow(session, uuid, query)
    reply = session.cloud.json("GET", f"/devices/{uuid}/logs?{urlencode(query)}")

    def render(found: dict[str, Any]) -> None:
        for line in found["logs"]:
            session.out.stream_line(_log_line(session.out, line))
        if not found["logs"]:
            _tell_whose(session, uuid)

    session.out.show(reply, render)
    return ExitCode.OK


def _tell_whose(session: Session, uuid: str) -> None:
    """Where there are no such lines, of whom there are some."""
    found = session.cloud.json("GET", f"/devices/{uuid}/logs/services").json()["services"]
    names = ", ".join(f"{one['serviceName'] or '-'} ({one['count']})" for one in found)
    session.out.message(f"no such lines; of this device there are: {names or 'none'}")


def _follow(session: Session, uuid: str, query: dict[str, str]) -> ExitCode:
    """Print lines as they come. The cloud ends the stream now and then; we go on behind it."""
    while True:
        began_s = time.monotonic()
        path = f"/devices/{uuid}/logs?{urlencode({**query, 'follow': '1'})}"
        for cursor, line, raw in _events(session, path):
            if session.out.as_json:
                session.out.stream_line(raw)
            else:
                try:
                    text = _log_line(session.out, line)
                except UNKNOWN_FORM as error:
                    raise unknown_form() from error
                session.out.stream_line(text)
            query["after"] = cursor
        if time.monotonic() - began_s < _LOOK_AGAIN_S:
            time.sleep(_LOOK_AGAIN_S)


def _events(session: Session, path: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The server-sent events of a stream: id, data, and the data as they came."""
    cursor, is_error = "", False
    for raw in session.cloud.lines(path, idle_s=session.options.timeout_s or _IDLE_S):
        name, _, value = raw.decode("utf-8", "replace").partition(":")
        value = value.strip()
        if name == "id" and value.isascii() and value.isdigit():
            cursor = value
        elif name == "event":
            is_error = value == "error"
        elif name == "data":
            line = _decode(value)
            if is_error:
                raise refusal(503, line, remedies={})
            if not cursor:
                raise unknown_form()
            yield cursor, line, value


def _decode(text: str) -> dict[str, Any]:
    try:
        line = decode_json(text.encode())
    except InvalidField as error:
        raise Failure("a line of the stream is not JSON", code="not-our-api") from error
    if not isinstance(line, dict):
        raise Failure("a line of the stream is not an object", code="not-our-api")
    return line


def _log_line(out: Output, line: dict[str, Any]) -> str:
    # What a container wrote is not for this terminal to obey.
    level, whose = plain(str(line["level"])), plain(str(line["serviceName"] or "-"))
    cut = " …" if line.get("truncated") else ""
    text = f"{stamp(line['timestamp'])} {level:<5} {whose}: {plain(str(line['message']))}{cut}"
    return out.styled(text, _LEVELS.get(level, Style.PLAIN))


@click.command(cls=Command)
@_device
@click.option("--name", "names", multiple=True, help="Of this figure; cpu* is a beginning.")
@_since
@click.pass_obj
def metrics(session: Session, device: str, names: tuple[str, ...], since: str | None) -> None:
    """A device's figures: the last, the mean, the lowest and the highest, of the last hour.

    A service's figures are named 1001/web/cpu_usage_percent. Curves: --json.
    """
    query = _time_query(session, since)
    if names:
        query["names"] = ",".join(names)
    uuid = find_device(session.cloud, device)
    reply = session.cloud.json("GET", f"/devices/{uuid}/metrics?{urlencode(query)}")

    def render(found: dict[str, Any]) -> None:
        rows = [_figure(name, cells) for name, cells in found["series"].items()]
        if not rows:
            session.out.message("no such figures of that time; an earlier one: --since 2d")
            return
        session.out.table(("FIGURE", "LAST", "MEAN", "LOWEST", "HIGHEST", "POINTS"), rows)
        if found["truncated"]:
            session.out.message("there are more: ask for less at once with --since or --name")

    session.out.show(reply, render)


def _figure(name: str, cells: list[dict[str, Any]]) -> tuple[CellLike, ...]:
    count = sum(cell["count"] for cell in cells)
    mean = sum(cell["avg"] * cell["count"] for cell in cells) / count
    lowest, highest = (min(cell["min"] for cell in cells), max(cell["max"] for cell in cells))
    return (name, *map(_number, (cells[-1]["avg"], mean, lowest, highest)), count)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@click.command(cls=Command)
@_device
@click.option(
    "--class",
    "record_class",
    type=click.Choice(["event", "anomaly", "reading"]),
    default="event",
    show_default=True,
    help="What kind.",
)
@_since
@click.option(
    "-n",
    "--tail",
    type=click.IntRange(1, _PAGE_MAX),
    metavar="NUMBER",
    default=50,
    show_default=True,
    help="How many at most, the newest.",
)
@click.pass_obj
def events(session: Session, device: str, record_class: str, since: str | None, tail: int) -> None:
    """What happened to a device: releases, crashes, reboots."""
    query = {**_time_query(session, since), "class": record_class, "limit": str(tail)}
    uuid = find_device(session.cloud, device)
    reply = session.cloud.json("GET", f"/devices/{uuid}/events?{urlencode(query)}")

    def render(found: dict[str, Any]) -> None:
        if not found["events"]:
            session.out.message("nothing of that kind has come from this device")
            return
        rows = [_event(event) for event in found["events"]]
        session.out.table(("WHEN", "WHAT", ""), rows, wrap=True)

    session.out.show(reply, render)


def _event(event: dict[str, Any]) -> tuple[CellLike, ...]:
    data = dict(event["data"])
    what = data.pop("event", event["class"])
    when = stamp(event["timestamp"]) + ("" if event["clockSynced"] else " (clock not set)")
    return when, str(what), " ".join(f"{name}={value}" for name, value in data.items())


@click.command(cls=Command)
@_device
@click.pass_obj
def gaps(session: Session, device: str) -> None:
    """What came from a device and what never did, by class of records.

    Records are numbered where they are made. A number that was passed over is missing: the
    device dropped it (there: "iotctl outbox"), or it was lost with its disk.
    """
    uuid = find_device(session.cloud, device)
    reply = session.cloud.json("GET", f"/devices/{uuid}/records/gaps")

    def render(found: dict[str, Any]) -> None:
        classes = found["classes"]
        if not classes:
            session.out.message("no records have come from this device")
            return
        session.out.table(
            ("CLASS", "RECEIVED", "MISSING", "AGAIN", "REFUSED", "KEPT", "LAST"),
            [_sums(name, one, session.now_ms) for name, one in classes.items()],
        )
        if rows := [row for name, one in classes.items() for row in _gaps(name, one)]:
            session.out.line()
            session.out.table(("CLASS", "EPOCH", "FROM", "TO", "NUMBER", "NOTICED"), rows)

    session.out.show(reply, render)


def _sums(name: str, one: dict[str, Any], now_ms: int) -> tuple[CellLike, ...]:
    missing, rejected = one["missing"], one["rejected"]
    return (
        name,
        one["received"],
        Cell(str(missing), Style.CAUTION if missing else Style.PLAIN),
        one["duplicates"],
        Cell(str(rejected), Style.CAUTION if rejected else Style.PLAIN),
        one["stored"],
        ago(parse_iso(one["lastAt"]), now_ms),
    )


def _gaps(name: str, one: dict[str, Any]) -> Iterator[tuple[CellLike, ...]]:
    for epoch in one["epochs"]:
        for gap in epoch["gaps"]:
            count = gap["to"] - gap["from"] + 1
            noticed = short_iso(gap["noticedAt"])
            yield name, epoch["epoch"][:_EPOCH_SHOWN], gap["from"], gap["to"], count, noticed


def _time_query(session: Session, since: str | None) -> dict[str, str]:
    if since is None:
        return {}
    try:
        return {"from": str(max(0, parse_since(since, session.now_ms)))}
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            "expected 10m, 2h, or a date and time", param_hint="--since"
        ) from error
