"""Apps and services as JSON. Pure: what is known goes in, what the API says comes out."""

from __future__ import annotations

from typing import Any

from iotistic.agent.api.rows import AppRow, Facts, ServiceRow, container_name
from iotistic.agent.sync.service_rows import (
    error_type,
    mount_text,
    port_text,
    restart_text,
    service_status,
)
from iotistic.model.errors import IotisticError
from iotistic.model.meanings import meaning, remedy_of
from iotistic.model.release import ReleasePhase
from iotistic.model.service import ServiceSpec
from iotistic.model.words import RunState, Verdict
from iotistic.planner import releases
from iotistic.planner.normalize import attachments
from iotistic.planner.sight import stop_in_force
from iotistic.planner.step import AppVerdict
from iotistic.planner.world import Attempt, Intent, Lock

Json = dict[str, Any]

_NOT_LOOKED = "the engine has not been looked at yet"


def error_json(error: IotisticError | None) -> Json | None:
    """An error told inside of a reply."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "remedy": error.remedy}


def app_json(app: AppRow, facts: Facts) -> Json:
    """An app with its services."""
    return {
        **verdict_json(app, facts),
        "services": [service_json(row, facts) for row in app.services],
    }


def verdict_json(app: AppRow, facts: Facts) -> Json:
    """How an app stands."""
    found = verdict_of(app, facts)
    return {
        "appId": app.app_id,
        "appName": app.app_name,
        "verdict": str(found.verdict),
        "meaning": meaning(found.verdict, found.phase),
        "reason": found.reason,
        "remedy": remedy_of(found.verdict, found.phase, app.app_id),
        "release": found.release or None,
        "phase": str(found.phase),
        "servicesSettled": found.services_settled,
        "servicesTotal": found.services_total,
    }


def verdict_of(app: AppRow, facts: Facts) -> AppVerdict:
    """How an app stands by the last round, or until there was one."""
    found = facts.snapshot.plan.verdicts.get(app.app_id)
    if found is not None:
        return found
    if app.wanted is None:
        # Not in the target, and the target is not explicit about what goes: left alone.
        return AppVerdict(verdict=Verdict.SETTLED, phase=ReleasePhase.DONE)
    error = facts.snapshot.engine_error
    return AppVerdict(
        verdict=Verdict.WAITING,
        reason=error.message if error else _NOT_LOOKED,
        services_total=len(app.wanted.services),
        release=app.wanted.release,
    )


def lock_json(lock: Lock, facts: Facts) -> Json:
    """Who holds changes of an app off, why, and for how long still."""
    return {
        "appId": lock.app_id,
        "owner": str(lock.owner),
        "holder": lock.holder,
        "reason": lock.reason,
        "at": lock.at_ms or None,
        "untilAt": None if lock.until_s is None else facts.wall_at_ms(lock.until_s),
        "remainingMs": facts.until_ms(lock.until_s),
    }


def is_settled(row: ServiceRow, facts: Facts) -> bool:
    """Whether this service is as it is wanted, by the last look."""
    verdict = facts.snapshot.plan.verdicts.get(row.app_id)
    planned = row.subject in facts.steps or row.subject in facts.waits
    unsettled = verdict is not None and str(row.service_id) in verdict.unsettled
    return not (planned or unsettled) and _unsettled_because(row, facts) is None


def _unsettled_because(row: ServiceRow, facts: Facts) -> str | None:
    """What keeps a service from being settled though nothing is planned for it."""
    snapshot = facts.snapshot
    if snapshot.rounds == 0:
        return snapshot.engine_error.message if snapshot.engine_error else _NOT_LOOKED
    return facts.held_back.get(row.app_id)


def next_of(row: ServiceRow, facts: Facts) -> tuple[str | None, str, int | None]:
    """(what is next, why, for how long it waits in ms)."""
    if (step := facts.steps.get(row.subject)) is not None:
        return str(step.kind), step.reason, None
    if (wait := facts.waits.get(row.subject)) is not None:
        return "wait", wait.message, facts.until_ms(wait.until_s)
    if (because := _unsettled_because(row, facts)) is not None:
        return None, because, None
    if not is_settled(row, facts) and (step := facts.steps.get(releases.subject_of(row.app_id))):
        return str(step.kind), step.reason, None  # comes before what is done about the service
    if row.wanted is None:
        return None, "not in the target, which does not say that it goes", None
    return None, "as wanted" if stop_of(row, facts) is None else "stopped by hand", None


def stop_of(row: ServiceRow, facts: Facts) -> Intent | None:
    """The stop by hand that is in force."""
    if row.wanted is None:
        return None
    return stop_in_force(facts.snapshot.intents, row.wanted)


def service_json(row: ServiceRow, facts: Facts) -> Json:
    """One service, all of it."""
    container = row.container
    planned, why, retry_in_ms = next_of(row, facts)
    target = row.wanted.target if row.wanted else None
    failure = facts.failures.of(row.app_id, target) if target else None
    stop = stop_of(row, facts)
    wants = RunState.STOPPED if stop else target.state if target else None
    spec = target.spec if target else None
    return {
        "appId": row.app_id,
        "appName": row.app_name,
        "serviceId": row.service_id,
        "serviceName": row.service_name,
        "imageName": spec.image.familiar if spec else container.image if container else "",
        "state": str(target.state) if target else None,
        "status": str(container.state) if container else None,
        "serviceStatus": service_status(wants, container, failure),
        "containerId": row.container_id,
        "containerName": container_name(row),
        "health": container.health if container else None,
        "exitCode": container.exit_code if container else None,
        "createdAt": round(container.created_s * 1000) if container else None,
        "settled": is_settled(row, facts),
        "next": planned,
        "why": why,
        "retryInMs": retry_in_ms,
        "override": None
        if stop is None
        else {
            "kind": "stop",
            "until": "release" if stop.until_release else "forever",
            "at": stop.at_ms,
        },
        "error": _failure_json(failure, facts) if failure else None,
        "config": _config(spec, container.image if container else ""),
    }


def _failure_json(failure: Attempt, facts: Facts) -> Json:
    return {
        "type": error_type(failure),
        "code": failure.code,
        "message": failure.message,
        "retryCount": failure.count,
        "failedAt": failure.failed_at_ms or None,
        "nextRetryAt": facts.wall_at_ms(failure.not_before_s),
    }


def _config(spec: ServiceSpec | None, image: str) -> Json:
    if spec is None:
        spec_part: Json = {"image": image, "networkMode": None, "restart": None}
        return spec_part | {name: [] for name in _LISTS} | {"labels": {}}
    return {
        "image": spec.image.familiar,
        "ports": [port_text(port) for port in spec.ports],
        "volumes": [mount_text(mount) for mount in spec.volumes],
        "networks": [network.name for network in attachments(spec)],
        "networkMode": spec.network_mode,
        "restart": restart_text(spec),
        "environment": [name for name, _ in spec.environment],
        "labels": dict(spec.labels),
    }


_LISTS = ("ports", "volumes", "networks", "environment")
