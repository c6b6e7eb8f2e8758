"""What the agent will do next."""

from __future__ import annotations

from typing import Any

import click

from iotistic.cli.compose_file import variables_of, with_variables
from iotistic.cli.failure import ExitCode
from iotistic.cli.lazy import Command
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import span

_Row = tuple[CellLike, ...]
_EXPLAINED = ("rejected", "aborted", "interrupted")


@click.command(cls=Command)
@click.option(
    "--target",
    "file",
    metavar="FILE",
    help="What would happen with this target: YAML, JSON, or a compose file (- for stdin).",
)
@click.option(
    "--app",
    "app",
    metavar="APP",
    help="Which app a compose file is (else that of its name, or a new one).",
)
@with_variables
@click.pass_obj
def plan(
    session: Session,
    file: str | None,
    app: str | None,
    env: tuple[str, ...],
    env_files: tuple[str, ...],
) -> ExitCode:
    """What the agent will do next, and why it waits.

    Exit code 7 until the device has settled; with --target, 7 if something would happen. Nothing
    is changed by asking. Apps that a compose file does not have are taken to stay as they are.
    """
    if file is not None:
        from iotistic.cli.commands.what_if import what_if

        return what_if(session, file, app=app, variables=variables_of(env, env_files))
    reply = session.device.json("GET", "/v1/plan")
    found = session.out.show(reply, lambda found: _show(session.out, found))
    return ExitCode.OK if found.get("settled") is True else ExitCode.DIFFERS


def _show(out: Output, found: dict[str, Any]) -> None:
    rows = _rows(found)
    if rows:
        out.table(("APP", "SERVICE", "NEXT", "WHY"), rows, wrap=True)
    for app in found["apps"]:
        for warning in app.get("warnings", ()):
            out.line(f"app {app['appId']}: {warning}", Style.CAUTION)
        if app["verdict"] in _EXPLAINED:
            out.line(f"app {app['appId']} is {app['verdict']}: {app['meaning']}", Style.BAD)
            if app["remedy"]:
                out.line(f"next: {app['remedy']}")
    for key, about in (("engineError", "the engine"), ("refusal", "the newest target")):
        if error := found[key]:
            out.line(f"{about}: {error['message']}", Style.BAD)
            if error["remedy"]:
                out.line(f"next: {error['remedy']}")
    services = [service for app in found["apps"] for service in app["services"]]
    if found["targetVersion"] is None and not services:
        out.line("No target yet: nothing to do.")
        return
    settled = sum(service["settled"] for service in services)
    version = found["targetVersion"]
    target = "" if version is None else f" with target version {version}"
    ended = "" if found["askAgainInMs"] is None else f" Looks again {_when(found['askAgainInMs'])}."
    if any(wait["reason"] == "step-in-flight" for wait in found["waits"]):
        ended = " Looks again when the step is done."
    out.line(f"{settled} of {len(services)} services settled{target}.{ended}")
    unsettled = [app["appId"] for app in found["apps"] if app["verdict"] != "settled"]
    if unsettled:
        out.message(f"more: iotctl explain {unsettled[0]}")


def _rows(found: dict[str, Any]) -> list[_Row]:
    """One row a service, and one for each network or volume with something to do."""
    about: dict[tuple[int, str | None], list[tuple[Cell, str]]] = {}
    things: list[_Row] = []
    for step in found["steps"]:
        entry = (Cell(step["kind"], Style.STRONG), _why_step(step))
        if step["serviceId"] is None:
            things.append((step["appId"] or None, _thing(step["subject"]), *entry))
        else:
            about.setdefault((step["appId"], str(step["serviceId"])), []).append(entry)
    for wait in found["waits"]:
        entry = (Cell("wait", Style.CAUTION), _why_wait(wait))
        if wait["serviceId"] is None:
            things.append((wait["appId"] or None, _thing(wait["subject"]), *entry))
        else:
            about.setdefault((wait["appId"], str(wait["serviceId"])), []).append(entry)
    rows: list[_Row] = []
    for app in found["apps"]:
        for service in app["services"]:
            entries = about.pop((app["appId"], str(service["serviceId"])), None)
            if entries is None:
                why = "as wanted" if service["settled"] else app["reason"] or app["verdict"]
                entries = [(Cell("-"), why)]
            rows += [(app["appId"], service["serviceName"], *entry) for entry in entries]
    # What is left belongs to services that the target no longer has.
    rows += [(app, service, *entry) for (app, service), left in about.items() for entry in left]
    return rows + things


def _why_step(step: dict[str, Any]) -> str:
    changed = ", ".join(difference["field"] for difference in step["differences"][:5])
    reason: str = step["reason"]
    return f"{reason} ({changed})" if changed and changed not in reason else reason


def _why_wait(wait: dict[str, Any]) -> str:
    again = "" if wait["inMs"] is None else f", looks again {_when(wait['inMs'])}"
    reason, message = str(wait["reason"]), str(wait["message"])
    # `ended: ended with code 3` would say it twice.
    about = message if message.startswith(reason) else f"{reason}: {message}"
    return f"{about}{again}"


def _when(in_ms: int) -> str:
    return "now" if in_ms < 1000 else f"in {span(in_ms / 1000)}"


def _thing(subject: str) -> str:
    """`1001/volume/data` is shown as `volume data`."""
    _, _, rest = subject.partition("/")
    return rest.replace("/", " ", 1).strip() or subject
