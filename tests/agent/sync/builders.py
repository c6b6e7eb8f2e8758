"""Short words for this room's nouns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from iotistic.agent.outbox import Batch, ClassLedger
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync.report import ReportFacts
from iotistic.agent.telemetry import Details, HostFacts, Metrics
from iotistic.model.observation import Container
from iotistic.model.records import RecordClass
from iotistic.model.target import TargetState, parse_target
from iotistic.model.words import ContainerState

HOST = HostFacts(os_version="Debian", architecture="x86_64", local_ip="192.0.2.7")
FACTS = ReportFacts(
    host=HOST,
    agent_version="0.1.0",
    boot_id="boot-1",
    machine_hash="m1",
    next_report_within_ms=300_000,
    now_s=100.0,
    boot_wall_ms=1_760_000_000_000,
)
METRICS = Metrics(
    cpu_percent=20.0,
    cpu_cores=4,
    load_1=0.5,
    memory_used_mib=400,
    memory_total_mib=1000,
    storage_used_mib=500,
    storage_total_mib=1000,
    temperature_c=50.0,
    uptime_s=3600,
)


def service(service_id: int | str = 1, state: str = "running", **config: Any) -> dict[str, Any]:
    """One service as the wire has it."""
    return {
        "serviceId": service_id,
        "serviceName": "web",
        "imageName": "web:1",
        "state": state,
        "config": config,
    }


def document(*services: dict[str, Any], version: int | None = 1, **more: Any) -> dict[str, Any]:
    """A target of one app as the wire has it."""
    app = {"appId": 1001, "appName": "shop", "services": list(services)}
    return {"apps": {"1001": app}, "config": {}, "version": version, **more}


def target(*services: dict[str, Any], version: int | None = 1, **more: Any) -> TargetState:
    """A target of one app."""
    return parse_target(document(*services, version=version, **more))


def container(
    service_id: str,
    *,
    id: str = "c1",  # noqa: A002 - the field's own name
    name: str = "web",
    app_id: int = 1001,
    state: ContainerState = ContainerState.RUNNING,
    created_s: float = 1.0,
) -> Container:
    """What the engine says of one service."""
    return Container(
        id=id,
        name=f"shop_{name}",
        app_id=app_id,
        service_id=service_id,
        service_name=name,
        state=state,
        image="web:1",
        image_id="sha256:1",
        spec_hash="1:abc",
        created_s=created_s,
    )


def snapshot(state: TargetState | None = None, *containers: Container) -> Snapshot:
    """What the reconciler knows."""
    return Snapshot(target=state, containers=containers)


class FixedMetrics:
    """A host whose figures a test sets."""

    def __init__(self) -> None:
        self.metrics = METRICS
        self.details = Details()
        self.broken = False

    async def read(self) -> Metrics:
        if self.broken:
            raise OSError("no /proc here")
        return self.metrics

    async def read_details(self) -> Details:
        return self.details


class NoRecords:
    """An outbox in which nothing ever waits."""

    async def take(self, *_: object, **__: object) -> Batch | None:
        return None

    async def acknowledge(self, *_: object) -> None:
        raise AssertionError("nothing was sent")

    async def reject(self, *_: object) -> None:
        raise AssertionError("nothing was sent")

    def ledger(self) -> Mapping[RecordClass, ClassLedger]:
        return dict.fromkeys(RecordClass, ClassLedger())

    async def wait(self) -> None:
        await asyncio.Event().wait()
