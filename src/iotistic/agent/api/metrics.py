"""The agent's figures in Prometheus' text format."""

from __future__ import annotations

from collections import Counter

from iotistic.agent.api.rooms import Rooms
from iotistic.agent.telemetry.metrics import Details, Metrics
from iotistic.agent.telemetry.points import HOST_UNITS, SERVICE_UNITS, host_point, service_point
from iotistic.model.words import ConnectionState, ContainerState

Samples = list[tuple[str, float]]
Families = list[tuple[str, str, Samples]]


def metrics_text(rooms: Rooms, metrics: Metrics | None = None) -> str:
    """All figures; of the host with `metrics`, as just read.

    Source of the form: Prometheus, "Exposition formats", text 0.0.4.
    """
    facts = rooms.facts()
    snapshot = facts.snapshot
    cloud = rooms.cloud.status()
    cloud_up = cloud is not None and cloud.state is ConnectionState.ONLINE
    states = Counter(
        str(row.container.state) if row.container else "absent"
        for app in facts.apps
        for row in app.services
    )
    families: Families = [
        ("iotistic_agent_info", "gauge", [(f'version="{_escaped(rooms.agent.version)}"', 1)]),
        ("iotistic_uptime_seconds", "gauge", [("", round(facts.now_s - rooms.agent.started_s, 3))]),
        ("iotistic_cloud_up", "gauge", [("", int(cloud_up))]),
        ("iotistic_clock_synced", "gauge", [("", int(rooms.wall_clock.synced))]),
        ("iotistic_engine_up", "gauge", [("", int(snapshot.engine_answers))]),
        (
            "iotistic_services",
            "gauge",
            [(f'state="{state}"', states[state]) for state in ("absent", *ContainerState)],
        ),
        ("iotistic_reconcile_rounds_total", "counter", [("", snapshot.rounds)]),
        (
            "iotistic_service_restarts_total",
            "counter",
            [
                (f'name="{_escaped(s.name)}"', s.restarts)
                for s in rooms.supervision.services.values()
            ],
        ),
    ]
    details = rooms.readings.details
    if metrics is not None:
        families += _host(metrics, details, cloud.latency_ms if cloud is not None else None)
    families += _services(details)
    lines: list[str] = []
    for name, kind, samples in families:
        lines.append(f"# TYPE {name} {kind}")
        lines.extend(
            f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"
            for labels, value in samples
        )
    return "\n".join(lines) + "\n"


def _host(metrics: Metrics, details: Details, latency_ms: float | None) -> Families:
    point = host_point(metrics, details, latency_ms)
    return [
        (f"iotistic_host_{name}", "gauge", [("", point[name])])
        for name in HOST_UNITS
        if name in point
    ]


def _services(details: Details) -> Families:
    points = [
        (
            f'app="{usage.app_id}",service="{_escaped(usage.service_name)}"',
            service_point(usage),
        )
        for usage in details.containers
    ]
    families = [
        (
            f"iotistic_service_{name}",
            "gauge",
            [(labels, point[name]) for labels, point in points if name in point],
        )
        for name in SERVICE_UNITS
    ]
    return [family for family in families if family[2]]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
