"""Settings of the agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from iotistic.cli.lazy import Group
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style

_STYLES = {"applied": Style.GOOD, "needs-restart": Style.CAUTION, "unsupported": Style.CAUTION}


@click.group(cls=Group)
def config() -> None:
    """Settings of the agent, and where each comes from.

    They are named as their environment variables, such as POLL_INTERVAL_MS.
    """


@config.command()
@click.pass_obj
def show(session: Session) -> None:
    """All settings, with value and source, and what came of those that the cloud sent."""
    reply = session.device.json("GET", "/v1/config")

    def render(found: dict[str, Any]) -> None:
        session.out.table(
            ("SETTING", "VALUE", "SOURCE", "DEFAULT"),
            [
                (one["name"], one["value"], one["source"], one["default"])
                for one in found["settings"]
            ],
        )
        session.out.line()
        # An older agent knows nothing of it.
        if sent := found.get("cloud"):
            rows = [_outcome(one) for one in sent]
            session.out.table(("FROM THE CLOUD", "OUTCOME", "WHY"), rows, wrap=True)
            session.out.line()
        _show_endpoints(session, found)

    session.out.show(reply, render)


@config.command()
@click.argument("name")
@click.pass_obj
def get(session: Session, name: str) -> None:
    """The value of one setting."""
    reply = session.device.json("GET", f"/v1/config/{quote(name, safe='')}")

    def render(found: dict[str, Any]) -> None:
        session.out.line("" if found["value"] is None else found["value"])

    session.out.show(reply, render)


@config.command("set")
@click.argument("name")
@click.argument("value")
@click.pass_obj
def set_(session: Session, name: str, value: str) -> None:
    """Set a setting on this device; it wins over the environment."""
    _change(session, name, value)


@config.command()
@click.argument("name")
@click.pass_obj
def reset(session: Session, name: str) -> None:
    """Take back what was set on this device."""
    _change(session, name, None)


def _outcome(sent: dict[str, Any]) -> tuple[CellLike, ...]:
    style = _STYLES.get(sent["outcome"], Style.BAD)
    return sent["key"], Cell(sent["outcome"], style), sent["message"]


def _change(session: Session, name: str, value: str | None) -> None:
    reply = session.device.json("PATCH", "/v1/config", {"settings": {name: value}})

    def render(found: dict[str, Any]) -> None:
        for one in found["settings"]:
            session.out.line(f"{one['name']}={one['value'] or ''}  ({one['source']})")
            if one["restart"]:
                session.out.message("it counts from the next start: iotctl restart")

    session.out.show(reply, render)


@config.command("get-api")
@click.pass_obj
def get_api(session: Session) -> None:
    """The address of the cloud."""
    reply = session.device.json("GET", "/v1/config")
    session.out.show(reply, lambda found: _show_endpoints(session, found))


@config.command("set-api")
@click.argument("url")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificate (PEM) of a private authority.",
)
@click.pass_obj
def set_api(session: Session, url: str, ca_file: str | None) -> None:
    """Move to another address of the cloud.

    It is tried first, and the old one is kept until the new one has let this device in.
    """
    body = {"apiEndpoint": url}
    if ca_file is not None:
        body["caCert"] = Path(ca_file).read_text("utf-8")
    reply = session.device.json("PUT", "/v1/config/api-endpoint", body)
    session.out.show(reply, lambda found: _show_endpoints(session, found))


def _show_endpoints(session: Session, found: dict[str, Any]) -> None:
    pairs = [("cloud", found["apiEndpoint"])]
    if found["pendingApiEndpoint"]:
        pairs.append(("on trial", found["pendingApiEndpoint"]))
    if found["previousApiEndpoint"]:
        pairs.append(("before", found["previousApiEndpoint"]))
    session.out.pairs(pairs)
    if not found["apiEndpoint"]:
        session.out.line("next: iotctl provision --key-file FILE --api URL", Style.FAINT)
