"""What operators ask of records: logs, metrics, events, gaps."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response, Stream

from iotistic.cloud.access import Access
from iotistic.cloud.clock import SECOND_MS
from iotistic.cloud.devices.fleet import Fleet
from iotistic.cloud.records.metrics import MetricQuery, Metrics
from iotistic.cloud.records.query import PAGE_MAX, log_query, query_span, query_text
from iotistic.cloud.records.shelf import Shelf
from iotistic.cloud.records.stream import LogStream
from iotistic.cloud.requests import AnyRequest, query_flag, query_integer
from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import InvalidField
from iotistic.model.records import RecordClass

STEPS_MAX = 2000
_STEPS = 200
_STEP_S_MAX = 366 * 24 * 3600
_NAMES_MAX = 50
_EPOCHS = 20
_SHOWN = (RecordClass.EVENT, RecordClass.ANOMALY, RecordClass.READING)


@get("/devices/{uuid:str}/logs", access=Access.VIEWER)
async def show_logs(
    uuid: FromPath[str],
    request: AnyRequest,
    fleet: NamedDependency[Fleet],
    shelf: NamedDependency[Shelf],
    log_stream: NamedDependency[LogStream],
) -> Response[Any]:
    """The newest log lines, oldest first: `{count, logs}`. Query: `service`, `level` (and worse),
    `limit`, `offset` (from the newest), `from`, `to` (Unix ms or ISO 8601).

    `follow=1`: the same as server-sent events, then what comes; `Last-Event-ID`, or `after` with
    a line's `cursor`, goes on behind it. It ends after a quarter of an hour: go on then.
    """
    query = log_query(request)
    device_id = (await fleet.find(uuid)).id
    if not query_flag(request, "follow"):
        lines = await shelf.logs(device_id, query)
        return Response({"count": len(lines), "logs": lines}, media_type="application/json")
    log_stream.check()
    return Stream(
        log_stream.events(device_id, query, after=_after(request)),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


@get("/devices/{uuid:str}/logs/services", access=Access.VIEWER)
async def list_services(
    uuid: FromPath[str], fleet: NamedDependency[Fleet], shelf: NamedDependency[Shelf]
) -> dict[str, Any]:
    """Whose lines are kept of a device, how many, and of when."""
    found = await shelf.services((await fleet.find(uuid)).id)
    return {"count": len(found), "services": found}


@get("/devices/{uuid:str}/metrics", access=Access.VIEWER)
async def show_metrics(
    uuid: FromPath[str],
    request: AnyRequest,
    fleet: NamedDependency[Fleet],
    metrics: NamedDependency[Metrics],
) -> dict[str, Any]:
    """Curves of a device's figures, of the last hour by default: `{fromMs, toMs, stepMs, points,
    truncated, series: {name: [{atMs, avg, min, max, count}]}}`. A service's figures are named
    `1001/web/cpu_usage_percent`. Query: `from`, `to`, `step` (s), `names` (with commas; `1001/*`
    is a beginning), `limit` (steps).
    """
    limit = max(1, query_integer(request, "limit", default=_STEPS, high=STEPS_MAX))
    step_s = query_integer(request, "step", default=0, high=_STEP_S_MAX)
    query = MetricQuery(
        span=query_span(request),
        steps_max=limit,
        step_ms=step_s * SECOND_MS or None,
        names=_names(request),
    )
    return await metrics.curves((await fleet.find(uuid)).id, query)


@get("/devices/{uuid:str}/events", access=Access.VIEWER)
async def show_events(
    uuid: FromPath[str],
    request: AnyRequest,
    fleet: NamedDependency[Fleet],
    shelf: NamedDependency[Shelf],
) -> dict[str, Any]:
    """The newest events, oldest first: `{count, events}`. Query: `class` (event, anomaly or
    reading), `limit`, `offset` (from the newest), `from`, `to`.
    """
    events = await shelf.events(
        (await fleet.find(uuid)).id,
        _class(request),
        query_span(request),
        limit=query_integer(request, "limit", default=100, high=PAGE_MAX),
        offset=query_integer(request, "offset", default=0, high=INTEGER_MAX),
    )
    return {"count": len(events), "events": events}


@get("/devices/{uuid:str}/records/gaps", access=Access.VIEWER)
async def show_gaps(
    uuid: FromPath[str],
    request: AnyRequest,
    fleet: NamedDependency[Fleet],
    shelf: NamedDependency[Shelf],
) -> dict[str, Any]:
    """For each class what was received, came again, was refused, is missing; and for its newest
    epochs the same with their gaps. Query: `limit` (epochs a class).
    """
    limit = query_integer(request, "limit", default=_EPOCHS, high=PAGE_MAX)
    return await shelf.gaps((await fleet.find(uuid)).id, epochs_max=limit)


def _after(request: AnyRequest) -> int | None:
    text = request.headers.get("last-event-id") or request.query_params.get("after")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidField("after", expected="the cursor of a line", found=text)
    return int(text)


def _class(request: AnyRequest) -> RecordClass:
    text = query_text(request, "class") or RecordClass.EVENT
    if text not in _SHOWN:
        raise InvalidField("class", expected=f"one of {', '.join(_SHOWN)}", found=text)
    return RecordClass(text)


def _names(request: AnyRequest) -> tuple[str, ...]:
    text = request.query_params.get("names") or ""
    names = tuple(name for name in text.split(",") if name)
    if len(names) > _NAMES_MAX:
        raise InvalidField("names", expected=f"at most {_NAMES_MAX} names", found=len(names))
    return names


HANDLERS = (show_logs, list_services, show_metrics, show_events, show_gaps)
