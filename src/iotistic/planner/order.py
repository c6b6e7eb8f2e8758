"""What has to be up before a service starts, and what has to be down before it stops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from iotistic.model.observation import Container
from iotistic.model.service import Condition, Dependency, RestartName
from iotistic.model.words import ContainerState, WaitReason
from iotistic.planner.step import Step, Wait
from iotistic.planner.wanted import WantedApp, WantedService
from iotistic.planner.world import StepKind

KILLED = (137, 143, 255)
"""Codes of programs that were killed: by SIGKILL, by SIGTERM, while the engine was away."""
ACTIVE = (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A service as those that depend on it see it.

    `current` is its container if that is the one now wanted. `stopped_by` says who wants it
    stopped: "" nobody, else "the target" or "a person".
    """

    service: WantedService
    current: Container | None
    completed: bool = False
    stopped_by: str = ""


def in_order(app: WantedApp) -> tuple[WantedService, ...]:
    """The services, each after those that it depends on; by id among equals.

    Cycles are refused where a target is read; what is left of one here comes last.
    """
    placed: list[WantedService] = []
    names: set[str] = set()
    known = {service.name for service in app.services}
    left = list(app.services)
    while left:
        ready = [s for s in left if {d.service for d in s.depends_on} & known <= names] or left
        placed += ready
        names |= {service.name for service in ready}
        left = [service for service in left if service.name not in names]
    return tuple(placed)


def is_one_shot(service: WantedService) -> bool:
    """Whether it may end and be done."""
    return service.target.spec.restart.name in (RestartName.NO, RestartName.ON_FAILURE)


def is_done(service: WantedService, container: Container) -> bool:
    """Whether it is a one-shot that ended well."""
    ended_well = container.state is ContainerState.EXITED and container.exit_code == 0
    return ended_well and is_one_shot(service)


def rests_failed(service: WantedService, container: Container) -> bool:
    """Whether it ended badly and its restart policy lets it rest.

    One that was killed (by a stop, or with the power) has said nothing of how its work goes.
    """
    policy = service.target.spec.restart
    return (
        container.state is ContainerState.EXITED
        and is_one_shot(service)
        and container.exit_code not in (0, *KILLED)
        and (policy.name is RestartName.NO or policy.retries_max > 0)
    )


def start_gate(
    service: WantedService,
    peers: Mapping[str, Peer],
    wait: Callable[[WaitReason, str], Wait],
) -> Wait | None:
    """Why a service may not be started yet; None when all it depends on is as it has to be."""
    for dependency in service.depends_on:
        peer = peers.get(dependency.service)
        if peer is None:
            continue  # not required, or the target would have been refused
        lack = _lack(dependency, peer)
        if lack is None:
            continue
        never, why = lack
        if (never or peer.stopped_by) and not dependency.required:
            continue
        return wait(WaitReason.DEPENDENCY_FAILED if never else WaitReason.DEPENDENCY, why)
    return None


def _lack(dependency: Dependency, peer: Peer) -> tuple[bool, str] | None:
    """Why it does not hold, and whether it never will; None when it holds."""
    name, current, condition = dependency.service, peer.current, dependency.condition
    ended_well = peer.completed or (current is not None and is_done(peer.service, current))
    if ended_well and condition is not Condition.HEALTHY:
        return None
    if condition is Condition.COMPLETED:
        return _not_completed(name, peer)
    if peer.stopped_by:
        return _stopped(name, peer)
    if ended_well:
        return True, f"{name} has ended, so it can never be healthy"
    if current is not None and rests_failed(peer.service, current):
        return True, f"{name} ended with code {current.exit_code} and stays so"
    if current is None or current.state not in ACTIVE:
        return False, f"waits for {name} to start"
    if condition is Condition.STARTED or current.health == "healthy":
        return None
    if current.state is ContainerState.RUNNING and current.health is None:
        return True, f"{name} has no health check, so it can never be healthy"
    return False, f"waits for {name} to be healthy, it is {current.health or current.state}"


def _not_completed(name: str, peer: Peer) -> tuple[bool, str]:
    current = peer.current
    if current is not None and rests_failed(peer.service, current):
        return True, f"{name} ended with code {current.exit_code}, and was to succeed"
    if peer.stopped_by:
        return _stopped(name, peer)
    if not is_one_shot(peer.service):
        policy = peer.service.target.spec.restart.name
        return True, f"{name} can never complete, since restart: {policy} starts it again"
    return False, f"waits for {name} to complete"


def _stopped(name: str, peer: Peer) -> tuple[bool, str]:
    return peer.stopped_by == "the target", f"{name} is stopped by {peer.stopped_by}"


def stops_in_order(
    app: WantedApp,
    found: dict[str, Step | Wait | None],
    active: frozenset[str],
    replaced: AbstractSet[str],
    wait: Callable[[WantedService, WaitReason, str], Wait],
) -> None:
    """Let a service that has to go wait until what depends on it has gone, in place.

    One that stops waits for those that stop. One whose container is `replaced` (by name) keeps it
    until those that are made anew with it have gone: as long as it is there, every round sees why
    they have to. `found` by service key; `active` are the names of services that have an active
    container.
    """
    dependents: dict[str, set[str]] = defaultdict(set)
    followers: dict[str, set[str]] = defaultdict(set)
    for service in app.services:
        stops = _may_stop(found.get(service.key)) and service.name in active
        goes = stops or _is(found.get(service.key), StepKind.REMOVE)
        for dependency in service.depends_on if goes else ():
            if stops:
                dependents[dependency.service].add(service.name)
            if follows(service, dependency):
                followers[dependency.service].add(service.name)
    for service in app.services:
        first: set[str] = set()
        if _is(found.get(service.key), StepKind.STOP):
            first = dependents.get(service.name, first)
        elif _is(found.get(service.key), StepKind.REMOVE) and service.name in replaced:
            first = followers.get(service.name, first)
        if first:
            found[service.key] = wait(
                service, WaitReason.DEPENDENTS_FIRST, f"goes after {', '.join(sorted(first)[:5])}"
            )


def follows(service: WantedService, dependency: Dependency) -> bool:
    """Whether the service is made anew when the one it depends on is."""
    return dependency.restart or dependency.service == service.shares_network_of


def _may_stop(found: Step | Wait | None) -> bool:
    under_way = isinstance(found, Wait) and found.reason is WaitReason.STEP_IN_FLIGHT
    return under_way or _is(found, StepKind.STOP)


def _is(found: Step | Wait | None, kind: StepKind) -> bool:
    return isinstance(found, Step) and found.kind is kind
