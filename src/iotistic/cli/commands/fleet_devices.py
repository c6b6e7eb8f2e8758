"""The devices of the fleet."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import click

from iotistic.cli.commands.fleet_report import last_report, show_report
from iotistic.cli.commands.status import worded
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import HttpClient, Reply, unknown_form
from iotistic.cli.lazy import Group
from iotistic.cli.output import UNKNOWN_FORM
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import ago, parse_iso, short_iso

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PREFIX_MIN = 4
_PAGE = 1000
_PAGES_MAX = 100
_CANDIDATES_MAX = 10
_device = click.argument("device")


@click.group(cls=Group)
def devices() -> None:
    """The devices of the fleet.

    A DEVICE is named by its uuid, the beginning of it, its name, or its id.
    """


@devices.command("list")
@click.option("--fleet", "fleet_id", metavar="ID", help="Of this fleet only.")
@click.option("--removed", is_flag=True, help="Those that were removed too.")
@click.pass_obj
def list_(session: Session, fleet_id: str | None, removed: bool) -> None:
    """All devices, and whether each is heard of."""
    query = {"removed": "1"} if removed else {}
    if fleet_id is not None:
        query["fleetId"] = fleet_id
    reply = _all_pages(session.cloud, query)

    def render(found: dict[str, Any]) -> None:
        if not found["devices"]:
            session.out.message("no devices yet: iotctl fleet keys create lets one join")
            return
        session.out.table(
            ("ID", "NAME", "LINK", "TARGET", "HAS", "AGENT", "LAST SEEN", "UUID"),
            [_row(device, session.now_ms) for device in found["devices"]],
        )

    session.out.show(reply, render)


def _row(device: dict[str, Any], now_ms: int) -> tuple[CellLike, ...]:
    wanted, has = device["targetVersion"], device["currentVersion"]
    return (
        device["id"],
        device["deviceName"],
        _link(device),
        wanted,
        Cell("-" if has is None else str(has), Style.PLAIN if has == wanted else Style.CAUTION),
        device["agentVersion"],
        ago(parse_iso(device["lastSeenAt"]), now_ms),
        device["uuid"],
    )


def _link(device: dict[str, Any]) -> Cell:
    """How it stands, worst first."""
    if device["state"] != "registered":
        return Cell(device["state"], Style.FAINT)
    if not device["isActive"]:
        return Cell("switched off", Style.FAINT)
    if device["cloned"]:
        return Cell("cloned", Style.BAD)
    return worded(device["connection"])


@devices.command()
@_device
@click.pass_obj
def show(session: Session, device: str) -> None:
    """Everything about one device, and what it last reported."""
    cloud = session.cloud
    uuid = find_device(cloud, device)
    reply = cloud.json("GET", f"/devices/{uuid}")

    def render(found: dict[str, Any]) -> None:
        _show(session, found)
        session.out.line()
        if (report := last_report(cloud, uuid)) is None:
            session.out.line("has not reported yet")
        else:
            show_report(session.out, report.json(), session.now_ms)

    session.out.show(reply, render)


@devices.command()
@_device
@click.pass_obj
def report(session: Session, device: str) -> None:
    """What a device last reported: its apps and services."""
    cloud = session.cloud
    uuid = find_device(cloud, device)
    reply = cloud.json("GET", f"/devices/{uuid}/current-state")
    session.out.show(reply, lambda found: show_report(session.out, found, session.now_ms))


def _show(session: Session, found: dict[str, Any]) -> None:
    named = (
        ("uuid", "uuid"),
        ("id", "id"),
        ("name", "deviceName"),
        ("type", "deviceType"),
        ("fleet", "fleetId"),
        ("dialect", "dialect"),
        ("target version", "targetVersion"),
        ("version it has", "currentVersion"),
        ("agent", "agentVersion"),
        ("system", "osVersion"),
        ("architecture", "architecture"),
        ("mac address", "macAddress"),
    )
    pairs: list[tuple[str, CellLike]] = [("link", _link(found))]
    pairs += [(label, found[field]) for label, field in named if found[field] is not None]
    pairs += [
        ("last seen", ago(parse_iso(found["lastSeenAt"]), session.now_ms)),
        ("registered", short_iso(found["registeredAt"])),
    ]
    # An older cloud tells nothing of records.
    if missing := {of: one["missing"] for of, one in (found.get("records") or {}).items()}:
        count = sum(missing.values())
        text = f"{count} ({', '.join(of for of in missing if missing[of])})" if count else "none"
        pairs.append(("records missing", Cell(text, Style.CAUTION if count else Style.PLAIN)))
    if found["reprovisionUntil"]:
        pairs.append(("may register anew until", short_iso(found["reprovisionUntil"])))
    session.out.pairs(pairs)
    if found["cloned"]:
        session.out.line("next: two machines use this identity; on one: iotctl identity renew")


@devices.command()
@_device
@click.argument("name")
@click.pass_obj
def rename(session: Session, device: str, name: str) -> None:
    """Give a device another name."""
    cloud = session.cloud
    uuid = find_device(cloud, device)
    reply = cloud.json("PATCH", f"/devices/{uuid}", {"deviceName": name})
    session.out.show(reply, lambda found: session.out.line(f"{uuid}: {found['deviceName']}"))


@devices.command()
@_device
@click.pass_obj
def activate(session: Session, device: str) -> None:
    """Let a device in again that was switched off."""
    _switch(session, device, on=True)


@devices.command()
@_device
@click.pass_obj
def deactivate(session: Session, device: str) -> None:
    """Let a device in no more; its services go on. Asks first."""
    session.confirm(f"The cloud will no longer talk to {device}. Switch it off?")
    _switch(session, device, on=False)


def _switch(session: Session, device: str, *, on: bool) -> None:
    cloud = session.cloud
    uuid = find_device(cloud, device)
    reply = cloud.json("PATCH", f"/devices/{uuid}/active", {"isActive": on})
    word = "switched on" if on else "switched off"
    session.out.show(reply, lambda found: session.out.line(f"{found['deviceName']}: {word}"))


@devices.command()
@_device
@click.pass_obj
def delete(session: Session, device: str) -> None:
    """Take a device out of the fleet; its services go on. Asks first.

    It cannot come back by itself: see "iotctl fleet devices reprovision".
    """
    cloud = session.cloud
    uuid = find_device(cloud, device)
    session.confirm(f"Take {device} ({uuid}) out of the fleet?")
    cloud.json("DELETE", f"/devices/{uuid}")
    session.out.message(f"removed {uuid}")


@devices.command()
@_device
@click.pass_obj
def reprovision(session: Session, device: str) -> None:
    """Let a device register anew, once, within a day.

    For one that lost its keys or was removed: whoever has a provisioning key and this uuid gets
    in. Asks first.
    """
    cloud = session.cloud
    uuid = find_device(cloud, device)
    session.confirm(f"Let {uuid} register anew, without its former key?")
    reply = cloud.json("POST", f"/devices/{uuid}/reprovision", {})
    session.out.show(
        reply,
        lambda found: session.out.line(
            f"{uuid}: open until {short_iso(found['reprovisionUntil'])}"
        ),
    )


def find_device(cloud: HttpClient, named: str) -> str:
    """The uuid of the device that is meant. Raises Failure when none or several fit."""
    named = named.rstrip("…")  # as it stands in a table that had to be cut
    if _UUID.fullmatch(named.lower()):
        return named.lower()
    try:
        known = _all_pages(cloud, {"removed": "1"}).json()["devices"]
        exact = [one for one in known if named in {one["deviceName"], str(one["id"])}]
        fits = exact or [
            one
            for one in known
            if len(named) >= _PREFIX_MIN and one["uuid"].startswith(named.lower())
        ]
        found = [(str(one["uuid"]), str(one["deviceName"])) for one in fits]
    except UNKNOWN_FORM as error:
        raise unknown_form() from error
    if not found:
        raise Failure(
            f"there is no device {named}",
            ExitCode.NOT_FOUND,
            code="no-such-device",
            remedy="iotctl fleet devices list shows them",
        )
    if len(found) > 1:
        names = ", ".join(f"{uuid} ({name})" for uuid, name in found[:_CANDIDATES_MAX])
        raise Failure(
            f"several devices fit {named}: {names}",
            ExitCode.USAGE,
            code="ambiguous-device",
            remedy="name one of them by its uuid",
        )
    return found[0][0]


def _id_of(device: Any) -> int:
    found = device.get("id") if isinstance(device, dict) else None
    if not isinstance(found, int):
        raise unknown_form()
    return found


def _all_pages(cloud: HttpClient, query: dict[str, str]) -> Reply:
    """All devices as one document; as it came, if it came in one."""
    devices: list[Any] = []
    after = 0
    for _ in range(_PAGES_MAX):
        asked = urlencode({**query, "limit": _PAGE, "after": after})
        reply = cloud.json("GET", f"/devices?{asked}")
        page = reply.json().get("devices")
        if not isinstance(page, list):
            raise unknown_form()
        if not devices and len(page) < _PAGE:
            return reply
        devices += page
        if len(page) < _PAGE:
            break
        after = _id_of(page[-1])
    body = json.dumps({"count": len(devices), "devices": devices}, ensure_ascii=False)
    return Reply(200, {}, body.encode())
