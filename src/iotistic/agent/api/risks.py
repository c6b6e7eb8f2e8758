"""What may go wrong with a foreseen course, or cannot be taken back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from iotistic.model.release import OnFailure, StrategyKind
from iotistic.model.service import MountKind, ServiceSpec
from iotistic.planner import releases
from iotistic.planner.foresight import Foreseen
from iotistic.planner.step import Step
from iotistic.planner.wanted import Wanted, WantedApp, WantedService
from iotistic.planner.world import LockOwner, StepKind, World

_NAMED_MAX = 5
_Port = tuple[int, str]
"""A port of the host, and its protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One thing to know before a target is applied. `code` is stable, for programs."""

    code: str
    app_id: int
    message: str
    service_name: str = ""
    remedy: str = ""


def risks(world: World, wanted: Wanted, foreseen: Foreseen) -> tuple[Risk, ...]:
    """All of them, by app."""
    steps: dict[int, list[Step]] = {}
    for step in foreseen.steps:
        steps.setdefault(step.served.app_id, []).append(step)
    found: list[Risk] = []
    for app in wanted.apps:
        of_app = steps.get(app.app_id, [])
        found += _held_off(app, world)
        found += _of_volumes(app, foreseen)
        if of_app and app.rejection is None:
            found += _no_way_back(app, world, wanted)
            found += _by_strategy(app, of_app)
            found += _of_services(app, of_app)
    found += _ports_twice(wanted)
    found += _removed(wanted, steps)
    return tuple(found)


def _held_off(app: WantedApp, world: World) -> Iterator[Risk]:
    rejection = releases.rejection_of(world.releases, app)
    if rejection is not None and not releases.is_good(world.releases, app):
        yield Risk(
            code="rejected-before",
            app_id=app.app_id,
            message=f"release {app.release} was taken back before: {rejection.reason}",
            service_name=rejection.service_name,
            remedy=f"it is not tried again by itself: iotctl apps retry {app.app_id}",
        )
    for lock in world.locks:
        foreign = lock.owner is not LockOwner.AGENT
        in_force = lock.until_s is None or lock.until_s > world.now_s
        if lock.app_id == app.app_id and foreign and in_force:
            why = f", {lock.reason}" if lock.reason else ""
            yield Risk(
                code="locked",
                app_id=app.app_id,
                message=f"updates are held off by {lock.owner} {lock.holder}".rstrip() + why,
                remedy=f"iotctl apps unlock {app.app_id}, or lock: force in the target",
            )


def _of_volumes(app: WantedApp, foreseen: Foreseen) -> Iterator[Risk]:
    verdict = foreseen.last.verdicts.get(app.app_id)
    for text in verdict.warnings if verdict else ():
        yield Risk(code="not-changed", app_id=app.app_id, message=text)


def _no_way_back(app: WantedApp, world: World, wanted: Wanted) -> Iterator[Risk]:
    if releases.is_good(world.releases, app):
        return
    if app.verify.on_failure is OnFailure.KEEP:
        why = "the target says on_failure: keep"
    elif releases.good_of(world.releases, app.app_id) is None:
        why = "no release of this app has been well on this device yet"
    elif app.app_id not in wanted.good:
        why = "the release that was well before cannot be read any more"
    else:
        return
    yield Risk(
        code="no-way-back",
        app_id=app.app_id,
        message=f"if release {app.release} is not well, the device does not go back: {why}",
        remedy="have the release before at hand",
    )


def _by_strategy(app: WantedApp, steps: list[Step]) -> Iterator[Risk]:
    pulls = any(step.kind is StepKind.PULL for step in steps)
    kind = app.strategy.kind
    if kind is StrategyKind.DELETE_THEN_DOWNLOAD and pulls:
        yield Risk(
            code="old-image-removed",
            app_id=app.app_id,
            message="strategy delete-then-download removes the old image first: going back needs"
            " a download",
            remedy="download-then-kill, where there is room for both",
        )
    if kind in (StrategyKind.DELETE_THEN_DOWNLOAD, StrategyKind.KILL_THEN_DOWNLOAD) and pulls:
        yield Risk(
            code="down-while-downloading",
            app_id=app.app_id,
            message=f"strategy {kind} stops what runs before the new image is here",
            remedy="download-then-kill, where there is room for both",
        )


def _of_services(app: WantedApp, steps: list[Step]) -> Iterator[Risk]:
    made = {s.subject.name for s in steps if s.kind is StepKind.CREATE_CONTAINER}
    services = [service for service in app.services if service.key in made]
    for service in services:
        if reach := ", ".join(_reach(service.target.spec)):
            yield Risk(
                code="reaches-host",
                app_id=app.app_id,
                service_name=service.name,
                message=f"{service.name} reaches beyond its container: {reach}",
            )
    moving = _listed(service for service in services if service.target.spec.image.digest is None)
    if moving:
        yield Risk(
            code="image-without-digest",
            app_id=app.app_id,
            message=f"named by a tag alone, so the pull decides what they are: {moving}",
            remedy="name images by digest: web@sha256:…",
        )


def _reach(spec: ServiceSpec) -> Iterator[str]:
    if spec.privileged:
        yield "privileged"
    for name in ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"):
        if getattr(spec, name) == "host":
            yield f"{name}: host"
    if spec.cap_add:
        yield f"cap_add {' '.join(spec.cap_add[:_NAMED_MAX])}"
    if spec.devices or spec.device_requests or spec.device_cgroup_rules:
        yield "devices"
    binds = [mount.source for mount in spec.volumes if mount.kind is MountKind.BIND]
    if binds:
        yield f"folders of the host ({', '.join(binds[:_NAMED_MAX])})"


def _listed(services: Iterable[WantedService]) -> str:
    names = [f"{service.name} ({service.target.spec.image.familiar})" for service in services]
    more = len(names) - _NAMED_MAX
    shown = ", ".join(names[:_NAMED_MAX])
    return f"{shown} and {more} more" if more > 0 else shown


def _ports_twice(wanted: Wanted) -> Iterator[Risk]:
    holders: dict[_Port, tuple[WantedService, set[str]]] = {}
    for app in wanted.apps:
        for service in app.services:
            met: dict[tuple[int, str], list[_Port]] = {}
            for port, here in _published(service.target.spec).items():
                first, there = holders.setdefault(port, (service, here))
                if first is not service and _meet(here, there):
                    met.setdefault((first.app_id, first.name), []).append(port)
            for (app_id, name), ports in met.items():
                # A range is told once, and not port by port.
                more = f" and {len(ports) - 1} more" if len(ports) > 1 else ""
                verb = "are" if more else "is"
                yield Risk(
                    code="port-twice",
                    app_id=app.app_id,
                    service_name=service.name,
                    message=f"port {ports[0][0]}/{ports[0][1]}{more} {verb} published by"
                    f" {app_id}/{name} as well",
                    remedy="publish another port, or on another address",
                )


def _published(spec: ServiceSpec) -> dict[_Port, set[str]]:
    """The ports of the host that a service publishes, and on which addresses."""
    found: dict[_Port, set[str]] = {}
    for port in spec.ports:
        if port.host is not None:
            found.setdefault((port.host, port.protocol), set()).add(port.host_ip)
    return found


def _meet(here: set[str], there: set[str]) -> bool:
    return bool(here & there) or any(_is_everywhere(address) for address in here | there)


def _is_everywhere(address: str) -> bool:
    return not address or ip_address(address.strip("[]")).is_unspecified


def _removed(wanted: Wanted, steps: dict[int, list[Step]]) -> Iterator[Risk]:
    known = {(app.app_id, service.key) for app in wanted.apps for service in app.services}
    for app_id, of_app in sorted(steps.items()):
        gone = sorted(
            {
                step.service_name or step.subject.name
                for step in of_app
                if step.kind is StepKind.REMOVE and (app_id, step.subject.name) not in known
            }
        )
        if gone:
            more = f" and {len(gone) - _NAMED_MAX} more" if len(gone) > _NAMED_MAX else ""
            yield Risk(
                code="services-removed",
                app_id=app_id,
                message=f"not in the target, and removed: {', '.join(gone[:_NAMED_MAX])}{more};"
                " their volumes stay",
            )
