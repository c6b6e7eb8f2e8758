"""The agent's figures in Prometheus' text format."""

from __future__ import annotations

from collections import Counter

from iotistic.agent.api.rooms import Rooms
from iotistic.model.words import ConnectionState, ContainerState


def metrics_text(rooms: Rooms) -> str:
    """All figures. Source of the form: Prometheus, "Exposition formats", text 0.0.4."""
    facts = rooms.facts()
    snapshot = facts.snapshot
    cloud = rooms.cloud.status()
    cloud_up = cloud is not None and cloud.state is ConnectionState.ONLINE
    states = Counter(
        str(row.container.state) if row.container else "absent"
        for app in facts.apps
        for row in app.services
    )
    families: list[tuple[str, str, list[tuple[str, float]]]] = [
        ("iotistic_agent_info", "gauge", [(f'version="{_escaped(rooms.agent.version)}"', 1)]),
        ("iotistic_uptime_seconds", "gauge", [("", round(facts.now_s - rooms.agent.started_s, 3))]),
        ("iotistic_cloud_up", "gauge", [("", int(cloud_up))]),
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
    lines: list[str] = []
    for name, kind, samples in families:
        lines.append(f"# TYPE {name} {kind}")
        lines.extend(
            f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"
            for labels, value in samples
        )
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
