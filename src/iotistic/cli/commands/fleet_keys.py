"""Keys with which devices join the fleet."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import click

from iotistic.cli.lazy import Group
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, Style
from iotistic.cli.times import short_iso

_STATES = {"active": Style.GOOD, "revoked": Style.BAD, "expired": Style.FAINT}


@click.group(cls=Group)
def keys() -> None:
    """Keys with which devices join the fleet."""


@keys.command()
@click.option("--label", "-l", default="", help="What it is for.")
@click.option("--fleet", "fleet_id", metavar="ID", help="Fleet that its devices join.")
@click.option(
    "--devices",
    type=click.IntRange(1, 10_000),
    metavar="NUMBER",
    default=100,
    show_default=True,
    help="How many may join with it.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    metavar="NUMBER",
    default=365,
    show_default=True,
    help="How long it is good.",
)
@click.pass_obj
def create(session: Session, label: str, fleet_id: str | None, devices: int, days: int) -> None:
    """Make a key. It is shown once, with the command for a device."""
    body: dict[str, Any] = {"maxDevices": devices, "expiresInDays": days, "description": label}
    if fleet_id is not None:
        body["fleetId"] = fleet_id
    reply = session.cloud.json("POST", "/provisioning-keys", body)

    def render(found: dict[str, Any]) -> None:
        session.out.pairs(
            [
                ("key", Cell(found["key"], Style.STRONG)),
                ("id", found["id"]),
                ("label", found["description"]),
                ("fleet", found["fleetId"]),
                ("devices", found["maxDevices"]),
                ("until", short_iso(found["expiresAt"])),
            ]
        )
        session.out.message("The key is shown this once. On a device, with the key on stdin:")
        session.out.message(f"  {found['command']}")

    session.out.show(reply, render)


@keys.command("list")
@click.option("--fleet", "fleet_id", metavar="ID", help="Of this fleet only.")
@click.pass_obj
def list_(session: Session, fleet_id: str | None) -> None:
    """All keys, without the keys themselves."""
    query = "" if fleet_id is None else f"?{urlencode({'fleetId': fleet_id})}"
    reply = session.cloud.json("GET", f"/provisioning-keys{query}")

    def render(found: dict[str, Any]) -> None:
        rows = [
            (
                one["id"],
                one["description"],
                Cell(one["state"], _STATES.get(one["state"], Style.PLAIN)),
                f"{one['usedDevices']} of {one['maxDevices']}",
                one["fleetId"],
                short_iso(one["expiresAt"]),
            )
            for one in found["keys"]
        ]
        session.out.table(("ID", "LABEL", "STATE", "DEVICES", "FLEET", "UNTIL"), rows)

    session.out.show(reply, render)


@keys.command()
@click.argument("key_id")
@click.option("--reason", default="", help="Why, for the audit log.")
@click.pass_obj
def revoke(session: Session, key_id: str, reason: str) -> None:
    """End a key. Devices that joined with it stay. Asks first."""
    session.confirm(f"No device will be able to join with key {key_id} any more. Revoke it?")
    path = f"/provisioning-keys/{quote(key_id, safe='')}"
    reply = session.cloud.json("DELETE", path, {"reason": reason})
    if reply.body:
        session.out.show(reply, lambda found: session.out.line(f"{found['id']}: {found['state']}"))
    session.out.message(f"revoked key {key_id}")
