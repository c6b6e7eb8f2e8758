"""What a device last reported, as an operator sees it."""

from __future__ import annotations

from typing import Any

from iotistic.cli.commands.status import verdict_row
from iotistic.cli.failure import Failure
from iotistic.cli.http_client import HttpClient, Reply
from iotistic.cli.output import Output
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import ago, parse_iso


def last_report(cloud: HttpClient, uuid: str) -> Reply | None:
    """What the device last told the cloud; None while it has told nothing."""
    try:
        return cloud.json("GET", f"/devices/{uuid}/current-state")
    except Failure as failure:
        if failure.code == "no-report-yet":
            return None
        raise


def show_report(out: Output, found: dict[str, Any], now_ms: int) -> None:
    """Its apps, their services, and what it warns of."""
    out.line(f"reported {ago(parse_iso(found['reported_at']), now_ms)}")
    apps = list(found["apps"].values())
    if not apps:
        out.line("no apps")
    # Older agents tell of services only.
    if judged := [_app(app) for app in apps if "verdict" in app]:
        out.line()
        out.table(("APP", "NAME", "STATE", "SERVICES", "WHY"), judged, wrap=True)
    if services := [_service(app, service) for app in apps for service in app["services"]]:
        out.line()
        out.table(("APP", "SERVICE", "WANTED", "IS", "ERROR"), services, wrap=True)
    if warnings := found["system_info"].get("warnings"):
        out.line()
        for warning in warnings:
            out.line(f"warning: {warning['message']} ({warning['code']})", Style.CAUTION)


def _app(app: dict[str, Any]) -> tuple[CellLike, ...]:
    # What is null is left out of a report.
    return verdict_row({"reason": None, **app})


def _service(app: dict[str, Any], service: dict[str, Any]) -> tuple[CellLike, ...]:
    error = service.get("error")
    wanted, found = service.get("state"), service.get("status") or "none"
    style = Style.GOOD if found == wanted else Style.BAD if error else Style.CAUTION
    return (
        app["appId"],
        service["serviceName"],
        wanted or "gone",
        Cell(found, style),
        error["message"] if error else None,
    )
