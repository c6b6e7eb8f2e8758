"""Who this device is, and a new identity for a cloned card."""

from __future__ import annotations

from typing import Any

import click

from iotistic.cli.lazy import Group
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, Style
from iotistic.cli.times import stamp


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def identity(context: click.Context) -> None:
    """Who this device is.

    Alone it shows the identity.
    """
    if context.invoked_subcommand is None:
        _show(context.ensure_object(Session))


def _show(session: Session) -> None:
    reply = session.device.json("GET", "/v1/identity")

    def render(found: dict[str, Any]) -> None:
        moved = "no: this disk was made on another machine"
        registered = found["registeredAt"]
        session.out.pairs(
            [
                ("uuid", found["uuid"]),
                ("device id", found["deviceId"]),
                ("phase", found["phase"]),
                ("dialect", found["dialect"]),
                ("created", stamp(found["createdAt"])),
                ("registered", None if registered is None else stamp(registered)),
                ("same machine", "yes" if found["machineMatches"] else Cell(moved, Style.BAD)),
            ]
        )
        if not found["machineMatches"]:
            session.out.line("next: if this card is a copy: iotctl identity renew")

    session.out.show(reply, render)


@identity.command()
@click.pass_obj
def renew(session: Session) -> None:
    """Make a new uuid and new keys, for a device that was cloned.

    It is another device to the cloud afterwards and must be provisioned again. Asks first.
    """
    uuid = session.device.json("GET", "/v1/identity").json().get("uuid")
    session.confirm(f"This device will no longer be {uuid}. Give it a new identity?")
    reply = session.device.json("POST", "/v1/identity/renew", {"confirm": uuid})
    session.out.show(reply, lambda found: session.out.line(f"{found['status']}: {found['uuid']}"))
    session.out.message("the agent restarts with a new identity; then: iotctl provision")
