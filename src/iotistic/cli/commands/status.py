"""How the device stands: one screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from iotistic.cli.failure import ExitCode
from iotistic.cli.lazy import Command
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, Style
from iotistic.cli.times import ago, span

_STATES = {
    "online": Style.GOOD,
    "degraded": Style.CAUTION,
    "offline": Style.BAD,
    "settled": Style.GOOD,
    "applying": Style.CAUTION,
    "waiting": Style.CAUTION,
    "rejected": Style.BAD,
    "aborted": Style.BAD,
    "interrupted": Style.CAUTION,
    "ok": Style.GOOD,
    "warning": Style.CAUTION,
    "failed": Style.BAD,
    "skipped": Style.FAINT,
}
_EXPLAINED = ("rejected", "aborted", "interrupted")
_PHASES = {
    "new": "not provisioned",
    "pending": "joining",
    "registered": "registered, not yet heard of the cloud since",
    "deprovisioned": "left the cloud",
}


def worded(word: str) -> Cell:
    """A verdict or state in the color of its meaning."""
    return Cell(word, _STATES.get(word, Style.PLAIN))


@click.command(cls=Command)
@click.pass_obj
def status(session: Session) -> ExitCode:
    """How this device stands, on one screen."""
    reply = session.device.json("GET", "/v1/status")
    session.out.show(reply, lambda found: _show_status(session.out, found, session.now_ms))
    return ExitCode.OK


def _show_status(out: Output, found: dict[str, Any], now_ms: int) -> None:
    device, agent = found["device"], found["agent"]
    clock = [("clock", "not synchronized")] if found.get("clockSynced") is False else []
    out.pairs(
        [
            ("device", Cell(f"{device['deviceName']} ({device['deviceType']})", Style.STRONG)),
            ("uuid", device["uuid"]),
            ("provisioned", _provisioned(found["provisioning"])),
            ("cloud", _cloud(found["cloud"], device["apiEndpoint"], now_ms)),
            ("engine", _engine(found["engine"])),
            ("target", _target(found["target"], now_ms)),
            ("agent", f"{agent['version']}, up {span(agent['uptime'])}, pid {agent['pid']}"),
            *clock,
            *_trouble(found.get("services") or []),
        ]
    )
    out.line()
    if found["apps"]:
        out.table(
            ("APP", "NAME", "STATE", "SERVICES", "WHY"),
            [verdict_row(app) for app in found["apps"]],
            wrap=True,
        )
    else:
        out.line("no apps")
    if found["warnings"]:
        out.line()
        for warning in found["warnings"]:
            out.line(f"warning: {warning['message']} ({warning['code']})", Style.CAUTION)
    if steps := list(_next_steps(found)):
        out.line()
        for step in steps:
            out.line(f"next: {step}")


def _trouble(services: list[dict[str, Any]]) -> Iterator[tuple[str, Cell]]:
    """The agent's own services that failed since its start."""
    for service in services:
        if not service["restarts"]:
            continue
        times = "once" if service["restarts"] == 1 else f"{service['restarts']} times"
        state = "is started again soon" if service["state"] == "backing-off" else "runs again"
        because = f": {service['error']['message']}" if service["error"] else ""
        bad = Style.BAD if service["state"] == "backing-off" else Style.CAUTION
        yield "trouble", Cell(f"{service['name']} failed {times}, {state}{because}", bad)


def verdict_row(app: dict[str, Any]) -> tuple[Cell | str | int | None, ...]:
    """One app in a table: id, name, verdict, services, why."""
    services = f"{app['servicesSettled']} of {app['servicesTotal']}"
    return (app["appId"], app["appName"], worded(app["verdict"]), services, why_of(app))


def why_of(app: dict[str, Any]) -> str:
    """The reason; of the verdicts that say little by themselves also what they mean."""
    reason, meaning = app["reason"] or "", app.get("meaning")
    if app["verdict"] not in _EXPLAINED or not meaning:
        return str(reason)
    return f"{reason} ({meaning})" if reason else str(meaning)


def _provisioned(found: dict[str, Any]) -> Cell:
    phase = found["phase"]
    if phase == "provisioned":
        return Cell(f"yes, as device {found['deviceId'] or '?'}", Style.GOOD)
    text = _PHASES.get(phase, phase)
    if error := found["error"]:
        return Cell(f"{text}: {error['message']}", Style.BAD)
    return Cell(text, Style.CAUTION)


def _cloud(found: dict[str, Any] | None, endpoint: str | None, now_ms: int) -> Cell:
    if found is None:
        return Cell(f"no word yet from {endpoint}" if endpoint else "none")
    since = "" if found["since"] is None else f" for {span((now_ms - found['since']) / 1000)}"
    text = f"{found['state']}{since}, {endpoint or '?'}"
    if found["state"] != "online":
        text += f", last heard {ago(found['lastContactAt'], now_ms)}"
        if error := found["error"]:
            text += f": {error['message']}"
    return Cell(text, _STATES.get(found["state"], Style.PLAIN))


def _engine(found: dict[str, Any]) -> Cell:
    text = f"{found['kind']} {found['version'] or ''}".strip()
    if found["available"]:
        return Cell(text)
    error = found["error"]
    return Cell(f"{text}: {error['message'] if error else 'not available'}", Style.BAD)


def _target(found: dict[str, Any] | None, now_ms: int) -> Cell:
    if found is None:
        return Cell("none yet")
    version = "without a version" if found["version"] is None else f"version {found['version']}"
    if refusal := found["refusal"]:
        offered = found["offeredVersion"]
        newest = "the newest" if offered is None else f"version {offered}"
        return Cell(f"{version}; {newest} was rejected: {refusal['message']}", Style.BAD)
    if found["appliedAt"] is not None:
        return Cell(f"{version}, reached {ago(found['appliedAt'], now_ms)}")
    return Cell(f"{version}, received {ago(found['receivedAt'], now_ms)}, not reached yet")


def _next_steps(found: dict[str, Any]) -> Iterator[str]:
    """What a technician would do now, most urgent first."""
    is_safe = (found.get("safeMode") or {}).get("active", False)
    if not found["engine"]["available"] and not is_safe:
        error = found["engine"]["error"]
        yield (error and error["remedy"]) or "start the container engine, then iotctl diagnostics"
    provisioning = found["provisioning"]
    if provisioning["error"] and (remedy := provisioning["error"]["remedy"]):
        yield remedy
    elif provisioning["phase"] in {"new", "deprovisioned"} and not provisioning["hasKey"]:
        yield "iotctl provision --key-file FILE --api URL"
    if found["cloud"] and found["cloud"]["state"] == "offline":
        error = found["cloud"]["error"]
        yield (error and error["remedy"]) or "iotctl diagnostics tells why the cloud is not heard"
    if found["target"] and (refusal := found["target"]["refusal"]):
        yield refusal["remedy"] or "correct the target: iotctl fleet target edit"
    yield from dict.fromkeys(w["remedy"] for w in found["warnings"] if w["remedy"])
    if not found["settled"] and found["engine"]["available"] and found["target"]:
        yield "iotctl plan shows what is being done, and what it waits for"
