"""The apps of this device."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from iotistic.cli.commands.acts import act, by_force
from iotistic.cli.commands.locks import lock, locks, retry, unlock
from iotistic.cli.commands.services import service_row
from iotistic.cli.commands.status import verdict_row, why_of, worded
from iotistic.cli.failure import ExitCode
from iotistic.cli.lazy import Group
from iotistic.cli.output import Output
from iotistic.cli.session import Session

_app = click.argument("app")
_no_wait = click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
_service = click.option("--service", metavar="NAME", help="Only this service of the app.")


@click.group(cls=Group)
def apps() -> None:
    """The apps of this device.

    An APP is named by its id or its name.
    """


@apps.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """All apps, and how each stands."""
    reply = session.device.json("GET", "/v1/apps")

    def render(found: dict[str, Any]) -> None:
        if not found["apps"]:
            session.out.message("no apps: the target has none")
            return
        rows = [verdict_row(app) for app in found["apps"]]
        session.out.table(("APP", "NAME", "STATE", "SERVICES", "WHY"), rows, wrap=True)

    session.out.show(reply, render)


@apps.command()
@_app
@click.pass_obj
def info(session: Session, app: str) -> None:
    """One app and its services."""
    reply = session.device.json("GET", _path(app))
    session.out.show(reply, lambda found: _show_app(session.out, found))


def _show_app(out: Output, found: dict[str, Any]) -> None:
    out.pairs(
        [
            ("app", found["appId"]),
            ("name", found["appName"]),
            ("state", worded(found["verdict"])),
            ("why", why_of(found)),
        ]
    )
    out.line()
    out.table(
        ("ID", "SERVICE", "WANTED", "IS", "IMAGE", "NEXT", "WHY"),
        [service_row(service) for service in found["services"]],
    )


@apps.command()
@_app
@_service
@_no_wait
@by_force
@click.pass_obj
def start(session: Session, app: str, service: str | None, no_wait: bool, force: bool) -> ExitCode:
    """Start an app again that was stopped by hand."""
    return act(session, _path(app, "start"), _body(service), wait=not no_wait, force=force)


@apps.command()
@_app
@_service
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
    session: Session, app: str, service: str | None, until: str, no_wait: bool, force: bool
) -> ExitCode:
    """Stop an app, and keep it stopped."""
    body = {**_body(service), "until": until}
    return act(session, _path(app, "stop"), body, wait=not no_wait, force=force)


@apps.command()
@_app
@_service
@_no_wait
@by_force
@click.pass_obj
def restart(
    session: Session, app: str, service: str | None, no_wait: bool, force: bool
) -> ExitCode:
    """Restart an app now, whatever backoff it is in."""
    return act(session, _path(app, "restart"), _body(service), wait=not no_wait, force=force)


@apps.command()
@_app
@_no_wait
@by_force
@click.pass_obj
def purge(session: Session, app: str, no_wait: bool, force: bool) -> ExitCode:
    """Remove an app's containers and volumes, and make them anew.

    The data in its volumes is lost. Asks first.
    """
    session.confirm(f"All data in the volumes of app {app} will be lost. Purge it?")
    return act(session, _path(app, "purge"), {}, wait=not no_wait, force=force)


for command in (retry, lock, unlock, locks):
    apps.add_command(command)


def _path(app: str, act: str | None = None) -> str:
    return f"/v1/apps/{quote(app, safe='')}" + (f"/{act}" if act else "")


def _body(service: str | None) -> dict[str, Any]:
    return {"serviceName": service} if service else {}
