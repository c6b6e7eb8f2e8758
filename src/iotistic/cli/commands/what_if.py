"""What would happen with a target that is not applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.cli.commands.target_source import question, read_target
from iotistic.cli.compose_file import places_in
from iotistic.cli.failure import ExitCode
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import span

TIMEOUT_S = 45.0
_MIB = 1024 * 1024
_NOT_SHOWN = ("verify", "commit", "take-locks", "release-locks")
"""Notes of the planner: they say nothing of what happens to a service."""


def what_if(
    session: Session, file: str, *, app: str | None, variables: Mapping[str, str]
) -> ExitCode:
    """Ask about the target in `file` and show the answer; DIFFERS if something would happen."""
    document = read_target(file)
    asked = question(session, file, document, app=app, variables=variables)
    with places_in(file, document):
        reply = session.device.json(
            "POST", "/v1/plan", asked, timeout_s=max(session.timeout_s, TIMEOUT_S)
        )
    found = session.out.show(reply, lambda found: _show(session.out, found))
    return ExitCode.OK if _is_nothing(found) else ExitCode.DIFFERS


def _is_nothing(found: dict[str, Any]) -> bool:
    trouble = found.get("refusal") or found.get("rejections") or found.get("waits")
    return found.get("steps") == 0 and not trouble


def _show(out: Output, found: dict[str, Any]) -> None:
    version = found["targetVersion"]
    out.line(f"With target version {version} (nothing of it is applied):" if version else "")
    out.line()
    if refusal := found["refusal"]:
        _told(out, f"it would not be accepted: {refusal['message']}", refusal["remedy"])
    for rejection in found["rejections"]:
        _told(out, f"app {rejection['appId']}: {rejection['message']}", rejection["remedy"])
    _show_steps(out, found)
    _show_interruptions(out, found["interruptions"])
    _show_room(out, found["pull"], found["disk"])
    for risk in found["risks"]:
        _told(out, f"app {risk['appId']}: {risk['message']} ({risk['code']})", risk["remedy"])
    for warning in found["warnings"]:
        out.line(f"warning: {warning}", Style.CAUTION)
    for wait in found["waits"]:
        about = wait["serviceName"] or f"app {wait['appId']}"
        _told(out, f"{about} would wait: {wait['reason']}: {wait['message']}", wait["remedy"])
    _show_end(out, found)


def _show_steps(out: Output, found: dict[str, Any]) -> None:
    rows: list[tuple[CellLike, ...]] = []
    number = 0
    for steps in found["rounds"]:
        shown = [step for step in steps if step["kind"] not in _NOT_SHOWN]
        number += bool(shown)
        for step in shown:
            fields = ", ".join(d["field"] for d in step["differences"][:5])
            why = step["reason"]
            why = f"{why} ({fields})" if fields and fields not in why else why
            about = step["serviceName"] or step["subject"].partition("/")[2].replace("/", " ", 1)
            rows.append((number, step["appId"] or None, about, Cell(step["kind"]), why))
    if rows:
        out.table(("ROUND", "APP", "SERVICE", "DOES", "WHY"), rows, wrap=True)
        if found["stepsLeftOut"]:
            out.line(f"and {found['stepsLeftOut']} more steps")
        out.line()


def _show_interruptions(out: Output, found: list[dict[str, Any]]) -> None:
    if not found:
        return
    rows: list[tuple[CellLike, ...]] = []
    for one in found:
        notes = "; ".join(one["notes"])
        rows.append((one["appId"], one["serviceName"], Cell(_down(one), Style.CAUTION), notes))
    out.table(("APP", "INTERRUPTED", "FOR ABOUT", "BESIDE"), rows, wrap=True)
    out.line()


def _down(one: dict[str, Any]) -> str:
    if one["forGood"]:
        return "good: it would not run"
    if one["lastsMs"] is None:
        return "unknown"
    times = "" if one["times"] == 1 else f" in {one['times']} times"
    known = "as measured before" if one["measured"] else "at most, by its stop grace"
    return f"{span(max(1.0, one['lastsMs'] / 1000))}{times}, {known}"


def _show_room(out: Output, pull: dict[str, Any], disk: dict[str, Any]) -> None:
    for image in pull["images"]:
        size = (
            "of unknown size"
            if image["bytes"] is None
            else f"about {_size(image['bytes'])}, as {image['like']} is"
        )
        out.line(f"downloads {image['image']} for {image['serviceName']}, {size}")
    if not pull["images"]:
        return
    verdict = {True: "enough", False: "TOO LITTLE", None: "not known whether enough"}
    style = Style.BAD if disk["enough"] is False else Style.PLAIN
    free = "unknown" if disk["freeBytes"] is None else _size(disk["freeBytes"])
    more = f" and {pull['unknown']} of unknown size" if pull["unknown"] else ""
    out.line(
        f"disk: {free} free, about {_size(disk['neededBytes'])} needed{more},"
        f" {_size(disk['keptFreeBytes'])} kept free: {verdict[disk['enough']]}",
        style,
    )


def _show_end(out: Output, found: dict[str, Any]) -> None:
    if _is_nothing(found):
        out.line("Nothing would happen: everything is as this target wants it.", Style.GOOD)
        return
    for app in found["apps"]:
        if app["goes"] and app["steps"]:
            out.line(f"app {app['appId']}: removed; its volumes stay")
            continue
        release = f", release {app['release']}" if app["release"] else ""
        was = app["releaseNow"]
        before = f" (was well last: {was})" if was and was != app["release"] else ""
        why = f": {app['reason']}" if app["reason"] else ""
        name = f"{app['appId']} {app['appName']}".strip()
        out.line(f"app {name} would be {app['verdict']}{release}{before}{why}")


def _told(out: Output, text: str, remedy: str | None) -> None:
    out.line(text, Style.CAUTION)
    if remedy:
        out.line(f"  next: {remedy}")


def _size(count: int) -> str:
    if count >= 1024 * _MIB:
        return f"{count / (1024 * _MIB):.1f} GiB"
    return f"{count / _MIB:.1f} MiB" if count < 10 * _MIB else f"{count // _MIB} MiB"
