"""What a device last reported, as an operator sees it."""

from __future__ import annotations

from typing import Any

from iotistic.cli.commands.status import verdict_row
from iotistic.cli.failure import Failure
from iotistic.cli.http_client import HttpClient, Reply
from iotistic.cli.output import Output
from iotistic.cli.table import Cell, CellLike, Style
from iotistic.cli.times import ago, parse_iso

_RELEASE_SHOWN = 16
_PHASES = {
    "done": Style.GOOD,
    "rejected": Style.BAD,
    "rolled-back": Style.BAD,
    "blocked": Style.BAD,
}


def last_report(cloud: HttpClient, uuid: str) -> Reply | None:
    """What the device last told the cloud; None while it has told nothing."""
    try:
        return cloud.json("GET", f"/devices/{uuid}/current-state")
    except Failure as failure:
        if failure.code == "no-report-yet":
            return None
        raise


def show_report(out: Output, found: dict[str, Any], now_ms: int) -> None:
    """Its apps, their services, their releases, what is done or waited for, what it warns of."""
    out.line(f"reported {ago(parse_iso(found['reported_at']), now_ms)}")
    apps = list(found["apps"].values())
    if not apps:
        out.line("no apps")
    # Older agents tell of services only.
    plans = found.get("plan") or {}
    judged = [_app(app, plans.get(str(app["appId"])) or {}) for app in apps if "verdict" in app]
    if judged:
        out.line()
        out.table(("APP", "NAME", "STATE", "SERVICES", "WHY"), judged, wrap=True)
    if services := [_service(app, service) for app in apps for service in app["services"]]:
        out.line()
        out.table(("APP", "SERVICE", "WANTED", "IS", "ERROR"), services, wrap=True)
    _show_releases(out, found.get("release") or {}, now_ms)
    if planned := [row for app in plans.items() for row in _plan(*app)]:
        out.line()
        out.table(("APP", "SERVICE", "NEXT", "WHY"), planned, wrap=True)
    if warnings := found["system_info"].get("warnings"):
        out.line()
        for warning in warnings:
            out.line(f"warning: {warning['message']} ({warning['code']})", Style.CAUTION)


def _app(app: dict[str, Any], plan: dict[str, Any]) -> tuple[CellLike, ...]:
    # What is null is left out of a report.
    return verdict_row({"reason": None, "meaning": plan.get("meaning"), **app})


def _show_releases(out: Output, releases: dict[str, Any], now_ms: int) -> None:
    # Older agents tell nothing of them.
    if not releases:
        return
    out.line()
    out.table(
        ("APP", "RELEASE", "PHASE", "SINCE", "WHY"),
        [_release(app_id, release, now_ms) for app_id, release in sorted(releases.items())],
        wrap=True,
    )
    for app_id, release in sorted(releases.items()):
        if rejected := release.get("rejected"):
            out.line()
            out.line(f"last words of {rejected['service'] or 'it'} in app {app_id}:")
            for words in rejected["lastWords"]:
                out.line(f"  {words}", Style.FAINT)


def _release(app_id: str, release: dict[str, Any], now_ms: int) -> tuple[CellLike, ...]:
    phase, since = str(release["phase"]), release.get("since")
    return (
        app_id,
        str(release["id"])[:_RELEASE_SHOWN],
        Cell(phase, _PHASES.get(phase, Style.CAUTION)),
        None if since is None else ago(parse_iso(since), now_ms),
        release.get("reason"),
    )


def _plan(app_id: str, plan: dict[str, Any]) -> list[tuple[CellLike, ...]]:
    """What the device does next with an app, and what it waits for, one line each."""
    steps: list[tuple[CellLike, ...]] = [
        (app_id, step["service"], Cell(step["step"], Style.STRONG), step.get("reason"))
        for step in plan.get("next") or ()
    ]
    return steps + [
        (
            app_id,
            wait["service"],
            Cell("wait", Style.CAUTION),
            f"{wait['reason']}: {wait['message']}" if wait.get("message") else wait["reason"],
        )
        for wait in plan.get("waiting") or ()
    ]


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
