"""The services of the apps."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import click

from iotistic.cli.commands.acts import act, by_force
from iotistic.cli.commands.streams import show_stream
from iotistic.cli.failure import ExitCode
from iotistic.cli.lazy import Group
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import ago, parse_since, span

_HEADERS = ("APP", "ID", "SERVICE", "WANTED", "IS", "IMAGE", "NEXT", "WHY")
_STYLES = {
    "running": Style.GOOD,
    "pending": Style.CAUTION,
    "stopped": Style.FAINT,
    "error": Style.BAD,
}
_no_wait = click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
_app = click.option("--app", "app", metavar="APP", help="Look in this app only: its id or name.")


def service_row(service: dict[str, Any]) -> tuple[CellLike, ...]:
    """One service in a table: id, name, wanted, found, image, next, why."""
    stopped_by_hand = service["override"]
    wanted = f"stopped (until {stopped_by_hand['until']})" if stopped_by_hand else service["state"]
    error = service["error"]
    return (
        service["serviceId"],
        service["serviceName"],
        wanted or "gone",
        Cell(service["status"] or "none", _STYLES.get(service["serviceStatus"], Style.PLAIN)),
        service["imageName"],
        service["next"],
        error["message"] if error else service["why"],
    )


@click.group(cls=Group)
def services() -> None:
    """The services of the apps: one container each.

    A SERVICE is named by its id, its name, its container's name, or NAME-ID.
    """


@services.command("list")
@click.argument("app", required=False)
@click.pass_obj
def list_(session: Session, app: str | None) -> None:
    """All services, or those of one app."""
    query = "" if app is None else f"?appId={quote(app, safe='')}"
    reply = session.device.json("GET", f"/v1/services{query}")

    def render(found: dict[str, Any]) -> None:
        if not found["services"]:
            session.out.message("no services")
            return
        rows = [(service["appId"], *service_row(service)) for service in found["services"]]
        session.out.table(_HEADERS, rows)

    session.out.show(reply, render)


@services.command()
@click.argument("service")
@_app
@click.pass_obj
def info(session: Session, service: str, app: str | None) -> None:
    """Everything about one service."""
    reply = session.device.json("GET", _path(service, app=app))
    session.out.show(reply, lambda found: _show_service(session.out, found, session.now_ms))


def _show_service(out: Output, found: dict[str, Any], now_ms: int) -> None:
    config, override, error = found["config"], found["override"], found["error"]
    pairs: list[tuple[str, CellLike]] = [
        ("service", Cell(found["serviceName"], Style.STRONG)),
        ("id", found["serviceId"]),
        ("app", f"{found['appId']} {found['appName'] or ''}".strip()),
        ("image", found["imageName"]),
        ("wanted", found["state"] or "gone"),
        ("is", Cell(found["status"] or "none", _STYLES.get(found["serviceStatus"], Style.PLAIN))),
        ("health", found["health"]),
        ("exit code", found["exitCode"]),
        ("next", found["next"]),
        ("why", found["why"]),
        ("container", found["containerName"]),
        ("container id", found["containerId"]),
        ("created", None if found["createdAt"] is None else ago(found["createdAt"], now_ms)),
    ]
    if found["retryInMs"] is not None:
        pairs.append(("tries again", f"in {span(found['retryInMs'] / 1000)}"))
    if override:
        stopped = f"{ago(override['at'], now_ms)}, until {override['until']}"
        pairs.append(("stopped by hand", stopped))
    if error:
        pairs.append(("error", Cell(f"{error['type']}: {error['message']}", Style.BAD)))
        pairs.append(("failures", error["retryCount"]))
    pairs += [
        (name, ", ".join(config[name]))
        for name in ("ports", "volumes", "networks", "environment")
        if config[name]
    ]
    pairs += [
        (label, config[name])
        for label, name in (("network mode", "networkMode"), ("restart", "restart"))
        if config[name]
    ]
    out.pairs([(name, value) for name, value in pairs if value is not None])
    if last_words := found.get("lastWords"):
        out.line()
        out.line("what it wrote before it ended last:")
        for line in last_words:
            out.line(f"  {line}")


@services.command()
@click.argument("service")
@_app
@_no_wait
@by_force
@click.pass_obj
def start(session: Session, service: str, app: str | None, no_wait: bool, force: bool) -> ExitCode:
    """Start a service again that was stopped by hand."""
    return act(session, _path(service, "/start", app=app), {}, wait=not no_wait, force=force)


@services.command()
@click.argument("service")
@_app
@click.option(
    "--until",
    type=click.Choice(["release", "forever"]),
    default="release",
    show_default=True,
    help="How long it stays stopped: until the target brings another version, or a start.",
)
@_no_wait
@by_force
@click.pass_obj
def stop(
    session: Session, service: str, app: str | None, until: str, no_wait: bool, force: bool
) -> ExitCode:
    """Stop a service, and keep it stopped."""
    path = _path(service, "/stop", app=app)
    return act(session, path, {"until": until}, wait=not no_wait, force=force)


@services.command()
@click.argument("service")
@_app
@_no_wait
@by_force
@click.pass_obj
def restart(
    session: Session, service: str, app: str | None, no_wait: bool, force: bool
) -> ExitCode:
    """Restart a service now, whatever backoff it is in."""
    return act(session, _path(service, "/restart", app=app), {}, wait=not no_wait, force=force)


@services.command()
@click.argument("service")
@_app
@click.option("--follow", "-f", is_flag=True, help="Go on as more is written, until Ctrl-C.")
@click.option(
    "--tail",
    "-n",
    metavar="LINES",
    default="100",
    show_default=True,
    help="Lines to begin with, or all.",
)
@click.option("--since", metavar="WHEN", help="Only from then on: 10m, 2h, or a date and time.")
@click.pass_obj
def logs(
    session: Session,
    service: str,
    app: str | None,
    follow: bool,
    tail: str,
    since: str | None,
) -> ExitCode:
    """What a service writes."""
    query = {"tail": _tail(tail), "follow": str(follow).lower()}
    if since is not None:
        try:
            query["since"] = str(parse_since(since, session.now_ms))
        except (ValueError, OverflowError) as error:
            raise click.BadParameter(
                "expected 10m, 2h, or a date and time", param_hint="--since"
            ) from error
    if app is not None:
        query["appId"] = app
    path = f"{_path(service, '/logs')}?{urlencode(query)}"
    return show_stream(session, path, following=follow, render=_log_line)


def _log_line(out: Output, line: dict[str, Any]) -> str:
    message = str(line["message"])
    return out.styled(message, Style.CAUTION) if line.get("isStdErr") else message


def _tail(text: str) -> str:
    if text == "all" or (text.isascii() and text.isdigit() and int(text) <= 10_000):
        return text
    raise click.BadParameter("expected a number up to 10000, or all", param_hint="--tail")


def _path(service: str, act_path: str = "", *, app: str | None = None) -> str:
    query = "" if app is None else f"?appId={quote(app, safe='')}"
    return f"/v1/services/{quote(service, safe='')}{act_path}{query}"
