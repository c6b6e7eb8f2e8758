"""Apps and services as JSON. Pure: what is known goes in, what the API says comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iotistic.agent.api.rows import AppRow, Facts, ServiceRow, app_rows, container_name
from iotistic.model.errors import IotisticError
from iotistic.model.service import Mount, PortBinding, RestartPolicy, ServiceSpec
from iotistic.model.words import ContainerState, RunState, Verdict, WaitReason
from iotistic.planner.normalize import attachments
from iotistic.planner.service import intent_for
from iotistic.planner.step import AppVerdict, Step, Wait
from iotistic.planner.world import Attempt, Intent, IntentKind, StepKind

Json = dict[str, Any]

_NOT_LOOKED = "the engine has not been looked at yet"
_ENDED = (ContainerState.EXITED, ContainerState.DEAD)


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
    found = _verdict(app, facts)
    return {
        "appId": app.app_id,
        "appName": app.app_name,
        "verdict": str(found.verdict),
        "reason": found.reason,
        "servicesSettled": found.services_settled,
        "servicesTotal": found.services_total,
    }


def _verdict(app: AppRow, facts: Facts) -> AppVerdict:
    found = facts.snapshot.plan.verdicts.get(app.app_id)
    if found is not None:
        return found
    if app.wanted is None:
        # Not in the target, and the target is not explicit about what goes: left alone.
        return AppVerdict(verdict=Verdict.SETTLED)
    error = facts.snapshot.engine_error
    return AppVerdict(
        verdict=Verdict.WAITING,
        reason=error.message if error else _NOT_LOOKED,
        services_total=len(app.wanted.services),
    )


def is_settled(row: ServiceRow, facts: Facts) -> bool:
    """Whether this service is as it is wanted, by the last look."""
    return _next(row, facts)[0] is None and _unsettled_because(row, facts) is None


def _unsettled_because(row: ServiceRow, facts: Facts) -> str | None:
    """What keeps a service from being settled though nothing is planned for it."""
    snapshot = facts.snapshot
    if snapshot.rounds == 0:
        return snapshot.engine_error.message if snapshot.engine_error else _NOT_LOOKED
    app = next((app for app in facts.wanted.apps if app.app_id == row.app_id), None)
    if app is not None and app.rejection is not None:
        return app.rejection.message
    if any(i.kind is IntentKind.PURGE and i.app_id == row.app_id for i in snapshot.intents):
        return "the app is being purged"
    return None


def _next(row: ServiceRow, facts: Facts) -> tuple[str | None, str, int | None]:
    """(what is next, why, for how long it waits in ms)."""
    step = step_of(row, facts)
    if step is not None:
        return str(step.kind), step.reason, None
    wait = wait_of(row, facts)
    if wait is not None:
        return "wait", wait.message, facts.until_ms(wait.until_s)
    because = _unsettled_because(row, facts)
    if because is not None:
        return None, because, None
    if row.wanted is None:
        return None, "not in the target, which does not say that it goes", None
    if stop_of(row, facts) is not None:
        return None, "stopped by hand", None
    return None, "as wanted", None


def step_of(row: ServiceRow, facts: Facts) -> Step | None:
    """The step planned for a service."""
    return next((s for s in facts.snapshot.plan.steps if s.served == row.subject), None)


def wait_of(row: ServiceRow, facts: Facts) -> Wait | None:
    """The wait of a service."""
    return next((w for w in facts.snapshot.plan.waits if w.subject == row.subject), None)


def stop_of(row: ServiceRow, facts: Facts) -> Intent | None:
    """The stop by hand that is in force."""
    if row.wanted is None:
        return None
    return intent_for(facts.snapshot.intents, IntentKind.STOP, row.wanted)


def service_json(row: ServiceRow, facts: Facts) -> Json:
    """One service, all of it."""
    container = row.container
    planned, why, retry_in_ms = _next(row, facts)
    error = _failure(row, facts)
    stop = stop_of(row, facts)
    spec = row.wanted.target.spec if row.wanted else None
    return {
        "appId": row.app_id,
        "appName": row.app_name,
        "serviceId": row.service_id,
        "serviceName": row.service_name,
        "imageName": spec.image.familiar if spec else container.image if container else "",
        "state": str(row.wanted.target.state) if row.wanted else None,
        "status": str(container.state) if container else None,
        "serviceStatus": _service_status(row, facts, failed=error is not None),
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
        "error": error,
        "config": _config(spec, container.image if container else ""),
    }


def _service_status(row: ServiceRow, facts: Facts, *, failed: bool) -> str:
    state = row.container.state if row.container else None
    if state is ContainerState.RUNNING:
        return "running"
    if state is ContainerState.PAUSED:
        return "stopped"
    if state is ContainerState.RESTARTING or failed:
        return "error"
    if state in _ENDED or state is None:
        if _wants_stopped(row, facts):
            return "stopped"
        wait = wait_of(row, facts)
        if wait is not None and wait.reason is WaitReason.ENDED:
            return "error"
        if state in _ENDED and step_of(row, facts) is None and wait is None:
            return "stopped"  # one that ran to its end
    return "pending"


def _wants_stopped(row: ServiceRow, facts: Facts) -> bool:
    return (
        row.wanted is None
        or row.wanted.target.state is RunState.STOPPED
        or stop_of(row, facts) is not None
    )


def _failure(row: ServiceRow, facts: Facts) -> Json | None:
    """What went wrong lately with a service that is not as wanted."""
    attempt = _attempt(row, facts)
    if attempt is None:
        return None
    return {
        "type": _failure_type(attempt, facts),
        "code": attempt.code,
        "message": attempt.message,
        "retryCount": attempt.count,
        "nextRetryAt": facts.wall_at_ms(attempt.not_before_s),
    }


def _attempt(row: ServiceRow, facts: Facts) -> Attempt | None:
    if row.wanted is None or is_settled(row, facts):
        return None
    wanted = row.wanted
    for attempt in facts.snapshot.attempts:
        if attempt.step is StepKind.PULL:
            concerns = attempt.subject.name == wanted.image
        else:
            concerns = attempt.subject == row.subject
            concerns = concerns and attempt.purpose in ("", wanted.spec_hash)
        # Made again once is healing; the second time in a row it is a crash loop.
        if concerns and (attempt.step is not StepKind.HEAL or attempt.count > 1):
            return attempt
    return None


def _failure_type(attempt: Attempt, facts: Facts) -> str:
    if attempt.step is StepKind.PULL:
        return "ImagePullBackOff" if attempt.not_before_s > facts.now_s else "ErrImagePull"
    return "CrashLoopBackOff" if attempt.step is StepKind.HEAL else "StartFailure"


def _config(spec: ServiceSpec | None, image: str) -> Json:
    if spec is None:
        spec_part: Json = {"image": image, "networkMode": None, "restart": None}
        return spec_part | {name: [] for name in _LISTS} | {"labels": {}}
    return {
        "image": spec.image.familiar,
        "ports": [_port(port) for port in spec.ports],
        "volumes": [_mount(mount) for mount in spec.volumes],
        "networks": [network.name for network in attachments(spec)],
        "networkMode": spec.network_mode,
        "restart": _restart(spec.restart),
        "environment": [name for name, _ in spec.environment],
        "labels": dict(spec.labels),
    }


_LISTS = ("ports", "volumes", "networks", "environment")


def _port(port: PortBinding) -> str:
    host_ip = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    parts = [host_ip, "" if port.host is None else str(port.host), str(port.container)]
    if not port.host_ip:
        parts = [part for part in parts if part]
    return f"{':'.join(parts)}/{port.protocol}"


def _mount(mount: Mount) -> str:
    return f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"


def _restart(policy: RestartPolicy) -> str:
    return f"{policy.name}:{policy.retries_max}" if policy.retries_max else str(policy.name)


def all_services(facts: Facts) -> Sequence[ServiceRow]:
    """Every service of every app."""
    return [row for app in app_rows(facts) for row in app.services]
