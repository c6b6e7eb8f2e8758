"""Containers that are not wanted go: those of an app, of a service; for a purge its volumes too."""

from __future__ import annotations

from collections.abc import Sequence

from iotistic.model.observation import Container
from iotistic.model.words import WaitReason
from iotistic.planner import gates, resources
from iotistic.planner.order import ACTIVE
from iotistic.planner.part import Part
from iotistic.planner.sight import NeedsResources, Sight
from iotistic.planner.step import Step, Wait
from iotistic.planner.steps import clear_away, subject_of
from iotistic.planner.wanted import WantedApp
from iotistic.planner.world import StepKind

PURGE = "purge asked for by a person"


def clear_app(
    part: Part, sight: Sight, reason: str, *, app: WantedApp | None, lockless: bool = False
) -> None:
    """Plan all containers of an app away, and its volumes if a purge was asked for."""
    containers = sight.of_app(part.app_id)
    clear(part, containers, sight, reason, app=app, lockless=lockless)
    if containers or not sight.is_purged(part.app_id):
        return
    try:
        volumes = sight.resources.volumes
    except NeedsResources:
        part.needs_resources = True
        return
    for step in resources.purge_volumes(part.app_id, volumes):
        if step.subject not in sight.world.in_flight:
            part.take(gates.unless_failed(step, sight))


def clear(
    part: Part,
    containers: Sequence[Container],
    sight: Sight,
    reason: str,
    *,
    app: WantedApp | None,
    lockless: bool = False,
) -> None:
    """Plan containers away: one step for each service and round.

    `app` says what depends on what, if that is known: what depends on a service stops before it.
    """
    active = {c.service_name for c in containers if c.state in ACTIVE}
    for container in containers:
        part.unsettled.add(container.service_id)
        subject = subject_of(container.app_id, container.service_id)
        if subject in sight.world.in_flight:
            part.take(gates.in_flight(subject, container.service_name))
        elif not any(step.subject == subject for step in part.steps):
            found = clear_away(container, reason, now_s=sight.now_s, lockless=lockless)
            found = _in_order(found, container, app, active)
            part.take(gates.unless_failed(found, sight))


def _in_order(
    found: Step | Wait, container: Container, app: WantedApp | None, active: set[str]
) -> Step | Wait:
    if app is None or not isinstance(found, Step) or found.kind is not StepKind.STOP:
        return found
    first = sorted(
        service.name
        for service in app.services
        if service.name in active
        and any(d.service == container.service_name for d in service.depends_on)
    )
    if not first:
        return found
    return gates.wait_for(found, WaitReason.DEPENDENTS_FIRST, f"goes after {', '.join(first[:5])}")
