"""Services as the report shows them. Pure; nothing in a row changes by time passing alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from iotistic.model.observation import Container
from iotistic.model.service import Mount, PortBinding, ServiceSpec
from iotistic.model.target import AppTarget, ServiceId, ServiceTarget
from iotistic.model.words import ContainerState, Dialect, RunState
from iotistic.planner.attempts import STABLE_S, retry_delay_s
from iotistic.planner.world import Attempt, StepKind, Subject

CRASH_LOOP_AT = 3
MESSAGE_LENGTH_MAX = 300
_AT_REST = (ContainerState.PAUSED, ContainerState.EXITED, ContainerState.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The attempts of a snapshot, to be looked up. Times as `ReportFacts` has them."""

    by_subject: Mapping[Subject, Sequence[Attempt]]
    now_s: float
    boot_wall_ms: int

    @classmethod
    def among(cls, attempts: Iterable[Attempt], *, now_s: float, boot_wall_ms: int) -> Failures:
        """Sort them by what they are about."""
        by_subject: dict[Subject, list[Attempt]] = defaultdict(list)
        for attempt in attempts:
            by_subject[attempt.subject].append(attempt)
        return cls(by_subject=by_subject, now_s=now_s, boot_wall_ms=boot_wall_ms)

    def of(self, app_id: int, service: ServiceTarget) -> Attempt | None:
        """The failure that matters most for a service: of the newest date."""
        image = Subject(app_id=0, kind="image", name=service.spec.image.canonical)
        itself = Subject(app_id=app_id, kind="service", name=service.key)
        found = [
            attempt
            for subject in (itself, image)
            for attempt in self.by_subject.get(subject, ())
            if self._counts(attempt)
        ]
        return max(found, key=lambda attempt: attempt.not_before_s, default=None)

    def crashes_of(self, app_id: int, service: ServiceTarget) -> int:
        """How often in a row a service ended by itself and was made again; 0 when it is stable."""
        itself = Subject(app_id=app_id, kind="service", name=service.key)
        found = crash_loop(self.by_subject.get(itself, ()), now_s=self.now_s)
        return 0 if found is None else found.count

    def _counts(self, attempt: Attempt) -> bool:
        if attempt.step is not StepKind.HEAL:
            return True
        # Made again once or twice is an accident, and long ago is over.
        return attempt.count >= CRASH_LOOP_AT and _is_recent(attempt, self.now_s)

    def row(self, attempt: Attempt) -> dict[str, Any]:
        """The error as the report shows it."""
        return {
            "type": error_type(attempt),
            "code": attempt.code,
            "message": attempt.message[:MESSAGE_LENGTH_MAX],
            "timestamp": self._failed_at(attempt),
            "retryCount": attempt.count,
            "nextRetry": self._iso(attempt.not_before_s),
        }

    def _failed_at(self, attempt: Attempt) -> str:
        if attempt.failed_at_ms:
            return iso(attempt.failed_at_ms)
        # Noted by an older agent, which kept when it may be repeated: the one follows from the
        # other, unless a registry asked for more time (then this date is too late by that).
        return self._iso(attempt.not_before_s - retry_delay_s(attempt.count))

    def _iso(self, at_s: float) -> str:
        return iso(self.boot_wall_ms + at_s * 1000)


def iso(at_ms: float) -> str:
    """A wall-clock time in ms as the report writes it, to the second."""
    wall_s = max(0.0, at_ms // 1000)
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def crash_loop(attempts: Iterable[Attempt], *, now_s: float) -> Attempt | None:
    """The account of a service that keeps ending; None when it ran long enough since."""
    return next((a for a in attempts if a.step is StepKind.HEAL and _is_recent(a, now_s)), None)


def _is_recent(attempt: Attempt, now_s: float) -> bool:
    return now_s < attempt.not_before_s + STABLE_S


def wanted_row(
    app: AppTarget,
    service: ServiceTarget,
    container: Container | None,
    failures: Failures,
    dialect: Dialect,
) -> dict[str, Any]:
    """A service of the target, with its container if there is one."""
    failure = failures.of(app.app_id, service)
    row: dict[str, Any] = {
        "appId": app.app_id,
        "appName": app.app_name,
        "serviceId": service.service_id,
        "serviceName": service.service_name,
        "imageName": service.spec.image.familiar,
        "state": str(service.state),
        "serviceStatus": service_status(service.state, container, failure),
        "config": _config(service.spec, dialect),
    }
    crashes = failures.crashes_of(app.app_id, service)
    if crashes and dialect is not Dialect.O1:
        row["crashes"] = crashes
    if failure is not None:
        row["error"] = failures.row(failure)
    elif container is not None and container.state is ContainerState.RESTARTING:
        row["error"] = {
            "type": "CrashLoopBackOff",
            "code": "engine-restarting",
            "message": "it ended, and the engine starts it again",
            "retryCount": 0,
        }
    return row | _container_fields(container)


def unwanted_row(container: Container, app_name: str, dialect: Dialect) -> dict[str, Any]:
    """A container of ours that the target no longer has."""
    return {
        "appId": container.app_id,
        "appName": app_name,
        "serviceId": _received_type(container.service_id, dialect),
        "serviceName": container.service_name,
        "imageName": container.image,
        "serviceStatus": service_status(None, container, None),
        "config": {"image": container.image},
    } | _container_fields(container)


def _received_type(service_id: str, dialect: Dialect) -> ServiceId:
    # A label holds text; the older dialect knows numbers only.
    return int(service_id) if dialect is Dialect.O1 and service_id.isdecimal() else service_id


def _container_fields(container: Container | None) -> dict[str, Any]:
    if container is None:
        return {}
    fields: dict[str, Any] = {"containerId": container.id, "status": str(container.state)}
    if container.spec_hash is not None:
        fields["specHash"] = container.spec_hash
    if container.health is not None:
        fields["health"] = container.health
    if container.exit_code is not None and container.state is not ContainerState.RUNNING:
        fields["exitCode"] = container.exit_code
    return fields


def service_status(
    wanted: RunState | None, container: Container | None, failure: Attempt | None
) -> str:
    """`pending`, `running`, `stopped` or `error`, as the report and the Device API say it."""
    state = container.state if container is not None else None
    if state is ContainerState.RESTARTING:
        return "error"
    # While it runs, that it kept ending before is a warning; anything else that fails is not.
    if failure is not None and not (
        failure.step is StepKind.HEAL and state is ContainerState.RUNNING
    ):
        return "error"
    if state is ContainerState.RUNNING:
        return "running"
    if state in _AT_REST or (state is None and wanted is RunState.STOPPED):
        return "stopped"
    return "pending"


def error_type(attempt: Attempt) -> str:
    """The kind of a failure, in the words of the report."""
    match attempt.step:
        case StepKind.PULL:
            return "ErrImagePull" if attempt.count == 1 else "ImagePullBackOff"
        case StepKind.HEAL:
            return "CrashLoopBackOff"
        case _:
            return "StartFailure"


def _config(spec: ServiceSpec, dialect: Dialect) -> dict[str, Any]:
    config: dict[str, Any] = {
        "image": spec.image.familiar,
        "ports": [port_text(port) for port in spec.ports],
        "volumes": [mount_text(mount) for mount in spec.volumes],
        "networks": [network.name for network in spec.networks],
        "restart": restart_text(spec),
    }
    if spec.network_mode is not None:
        config["networkMode"] = spec.network_mode
    if dialect is not Dialect.O1:  # there it is a map with the values, which are nobody's business
        config["environment"] = [name for name, _ in spec.environment]
    return config


def port_text(port: PortBinding) -> str:
    """A published port as compose writes it."""
    host = "" if port.host is None else str(port.host)
    host_ip = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    address = f"{host_ip}:" if host_ip else ""
    published = f"{address}{host}:" if host or address else ""
    return f"{published}{port.container}/{port.protocol}"


def mount_text(mount: Mount) -> str:
    """A volume or bind mount as compose writes it."""
    return f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"


def restart_text(spec: ServiceSpec) -> str:
    """A restart policy as compose writes it."""
    retries = spec.restart.retries_max
    return f"{spec.restart.name}:{retries}" if retries else str(spec.restart.name)
