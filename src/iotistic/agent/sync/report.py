"""The state report as a document: from what the reconciler knows and what the host is. Pure.

Equal facts give an equal document, so that a difference is always worth a report. No secret gets
in: of environments only the names, of the config what does not sound secret.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iotistic.agent.config import Judgement, Outcome, OutcomeKind
from iotistic.agent.logs.redaction import masked
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync.release_fields import app_warnings, release_fields, steady_reason
from iotistic.agent.sync.service_rows import (
    MESSAGE_LENGTH_MAX,
    Failures,
    unwanted_row,
    wanted_row,
)
from iotistic.agent.telemetry.host import HostFacts
from iotistic.model.errors import InvalidField, IotisticError
from iotistic.model.observation import Container
from iotistic.model.target import AppTarget
from iotistic.model.words import ContainerState, Dialect, Verdict
from iotistic.planner.step import Wait

WARNINGS_MAX = 50
STEADY_MS = 2000
_SHOWN_REASONS = (Verdict.REJECTED, Verdict.DEGRADED, Verdict.ABORTED, Verdict.INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """What the report says beside the reconciler's snapshot.

    `now_s` is on the boot clock, whose zero is at `boot_wall_ms` of the wall clock.
    """

    host: HostFacts
    agent_version: str
    boot_id: str
    machine_hash: str
    next_report_within_ms: int
    now_s: float
    boot_wall_ms: int
    config: Judgement = field(default_factory=Judgement)
    warnings: Sequence[IotisticError] = ()
    dialect: Dialect = Dialect.V2
    dropped_reports: int = 0
    clock_synced: bool = False


def steady_boot_wall_ms(held_ms: int | None, measured_ms: int) -> int:
    """Where the boot clock's zero is on the wall clock, without the trembling of two readings.

    Else a date made of it would differ by a second now and then, and each time be reported.
    """
    if held_ms is None or abs(measured_ms - held_ms) >= STEADY_MS:
        return measured_ms
    return held_ms


def build_report(snapshot: Snapshot, facts: ReportFacts) -> dict[str, Any]:
    """The whole document but for the host's metrics. No value of an object in it is null."""
    target = snapshot.target
    document: dict[str, Any] = {
        "apps": _apps(snapshot, facts),
        "config": masked(without_nulls(facts.config.applied)),
        "is_online": True,
        "agent_version": facts.agent_version,
        "os_version": facts.host.os_version,
        "architecture": facts.host.architecture,
        "boot_id": facts.boot_id,
        "clock_synced": facts.clock_synced,
        "machine_hash": facts.machine_hash,
        "next_report_within_ms": facts.next_report_within_ms,
        "warnings": _warnings(snapshot, facts),
    }
    version = target.version if target is not None else None
    if version is None and facts.dialect is Dialect.O1:
        version = 1  # a cloud of that time drops a report that has none
    if facts.dialect is Dialect.V2 and facts.config.outcomes:
        document["config_outcomes"] = {o.path: _outcome(o) for o in facts.config.outcomes}
    if facts.dialect is Dialect.V2:
        document |= release_fields(snapshot, boot_wall_ms=facts.boot_wall_ms)
    optional = {
        "version": version,
        "received_version": snapshot.offered_version,
        "local_ip": facts.host.local_ip,
        "dropped": {"reports": facts.dropped_reports} if facts.dropped_reports else None,
    }
    return document | {name: value for name, value in optional.items() if value is not None}


def _apps(snapshot: Snapshot, facts: ReportFacts) -> dict[str, Any]:
    containers: dict[int, dict[str, Container]] = defaultdict(dict)
    for container in sorted(snapshot.containers, key=_relevance):
        containers[container.app_id][container.service_id] = container
    waits: dict[int, list[Wait]] = defaultdict(list)
    for wait in snapshot.plan.waits:
        waits[wait.subject.app_id].append(wait)
    failures = Failures.among(snapshot.attempts, now_s=facts.now_s, boot_wall_ms=facts.boot_wall_ms)
    targets = {app.app_id: app for app in snapshot.target.apps} if snapshot.target else {}
    return {
        str(app_id): _app(
            app_id,
            targets.get(app_id),
            containers.get(app_id, {}),
            failures,
            snapshot,
            waits.get(app_id, ()),
            facts.dialect,
        )
        for app_id in sorted(targets.keys() | containers.keys())
    }


def _relevance(container: Container) -> tuple[bool, float, str]:
    # During a change there may be two of a service: the one that runs, else the newest, is told.
    return (container.state is ContainerState.RUNNING, container.created_s, container.id)


def _app(
    app_id: int,
    target: AppTarget | None,
    containers: Mapping[str, Container],
    failures: Failures,
    snapshot: Snapshot,
    waits: Sequence[Wait],
    dialect: Dialect,
) -> dict[str, Any]:
    name = target.app_name if target is not None else str(app_id)
    wanted = target.services if target is not None else ()
    rows = [
        wanted_row(target, service, containers.get(service.key), failures, dialect)
        for service in wanted
        if target is not None
    ]
    keys = {service.key for service in wanted}
    rows.extend(
        unwanted_row(container, name, dialect)
        for service_id, container in sorted(containers.items())
        if service_id not in keys
    )
    app: dict[str, Any] = {"appId": app_id, "appName": name, "services": rows}
    verdict = snapshot.plan.verdicts.get(app_id)
    if verdict is not None:
        app["verdict"] = str(verdict.verdict)
        app["servicesSettled"] = verdict.services_settled
        app["servicesTotal"] = verdict.services_total
        reason = steady_reason(verdict, waits)
        if verdict.verdict in _SHOWN_REASONS and reason:
            app["reason"] = reason
    # Only reasons: the messages of waits hold how far a pull is, and would be new all the time.
    if waits:
        app["waits"] = [
            {"reason": str(wait.reason), "service": wait.service_name or wait.subject.name}
            for wait in waits
        ]
    return app


def without_nulls(value: Any) -> Any:
    """Nulls in objects mean "gone" to whoever merges a report: the two sides would not agree."""
    if isinstance(value, Mapping):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(item) for item in value]
    return value


def _outcome(outcome: Outcome) -> dict[str, Any]:
    # Why, in words, stands in the warnings.
    reason = {"reason": str(outcome.reason)} if outcome.reason is not None else {}
    return {"outcome": str(outcome.kind), **reason}


def _warnings(snapshot: Snapshot, facts: ReportFacts) -> list[dict[str, Any]]:
    warnings = [_warning(error) for error in facts.warnings]
    if snapshot.refusal is not None:
        warnings.append(_warning(snapshot.refusal, version=snapshot.offered_version))
    if snapshot.engine_error is not None:
        warnings.append(_warning(snapshot.engine_error))
    if snapshot.look_error is not None:
        warnings.append(_warning(snapshot.look_error))
    warnings.extend(_config_warning(outcome) for outcome in facts.config.troubles)
    warnings.extend(app_warnings(snapshot))
    if snapshot.target is not None:
        warnings.extend(
            {"code": "unknown-field", "message": text[:MESSAGE_LENGTH_MAX]}
            for text in snapshot.target.warnings
        )
    return warnings[:WARNINGS_MAX]


def _config_warning(outcome: Outcome) -> dict[str, Any]:
    codes = {OutcomeKind.UNKNOWN: "unknown-field", OutcomeKind.UNSUPPORTED: "unsupported"}
    return {
        "code": str(outcome.reason or codes[outcome.kind]),
        "message": f"config.{outcome.path}: {outcome.message}"[:MESSAGE_LENGTH_MAX],
        "path": f"config.{outcome.path}",
    }


def _warning(error: IotisticError, *, version: int | None = None) -> dict[str, Any]:
    optional = {
        "path": error.path if isinstance(error, InvalidField) else None,
        "remedy": error.remedy,
        "version": version,
    }
    return {"code": error.code, "message": error.message[:MESSAGE_LENGTH_MAX]} | {
        name: value for name, value in optional.items() if value is not None
    }
