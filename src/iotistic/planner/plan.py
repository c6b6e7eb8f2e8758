"""`plan`: what is safe to do now, why the rest waits, and how each app stands.

    for each app of the target, on its own (iotistic.planner.app):
        rejected by policy       nothing; what runs is left alone
        aimed at                 the target's release, or the last good one if that was rejected
        each service             at most one step (iotistic.planner.service)
        networks and volumes     made when a service of this round needs them
        services not wanted      stopped, then removed, if the target is explicit about it
        the release              watched, then good or taken back (iotistic.planner.releases)
        locks                    of others: wait; ours: taken before the first stop
    apps not in the target       stopped and removed likewise
    then for all                 images nobody needs go, pulls are capped, order is fixed

One app never changes what is planned for another, but for the cap on pulls and for room.
"""

from __future__ import annotations

from collections.abc import Iterable

from iotistic.planner import gates, images, releases, resources
from iotistic.planner.app import plan_app
from iotistic.planner.clearing import clear_app
from iotistic.planner.part import Part
from iotistic.planner.policy import Policy
from iotistic.planner.sight import NeedsResources, Sight
from iotistic.planner.step import Plan, Step, Wait
from iotistic.planner.verdict import verdict_of
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import IntentKind, LockOwner, StepKind, World

_NO_POLICY = Policy()
_ORDER = {kind: rank for rank, kind in enumerate(StepKind)}


def plan(world: World, wanted: Wanted, policy: Policy = _NO_POLICY) -> Plan:
    """One round's answer. Pure: equal inputs, equal plan; the order of inputs does not matter."""
    aimed = releases.aimed(wanted, world.releases)
    known = (*aimed.apps, *wanted.apps, *wanted.good.values())
    sight = Sight(world, known)
    parts = {
        app.app_id: plan_app(app, wanted.good.get(app.app_id), sight, may_remove=wanted.may_remove)
        for app in aimed.apps
    }
    if wanted.may_remove:
        for part in _leftovers(aimed, sight):
            parts[part.app_id] = part
    for app_id, part in parts.items():
        _release_locks(app_id, part, sight)
    if any(part.needs_resources for part in parts.values()):
        return Plan(needs_resources=True, needs_inspection=frozenset(sight.inspections))
    steps = [step for part in parts.values() for step in part.steps]
    waits = [wait for part in parts.values() for wait in part.waits]
    for step in _of_no_app(aimed, wanted, sight, policy, parts.keys()):
        found = gates.unless_failed(step, sight)
        if isinstance(found, Step):
            steps.append(found)
    steps, waits = _cap_pulls(steps, waits, sight, policy)
    waits.sort(key=lambda w: (w.subject, w.reason))
    steps.sort(key=lambda s: (_ORDER[s.kind], s.subject, s.target))
    targets = {app.app_id: app for app in wanted.apps}
    return Plan(
        steps=tuple(steps),
        waits=tuple(waits),
        verdicts={
            app_id: verdict_of(part, targets.get(app_id), steps, waits, world.releases)
            for app_id, part in sorted(parts.items())
        },
        needs_inspection=frozenset(sight.inspections),
        ask_again_s=min((w.until_s for w in waits if w.until_s is not None), default=None),
    )


def _leftovers(aimed: Wanted, sight: Sight) -> Iterable[Part]:
    """Apps that are there and not in the target."""
    wanted_ids = {app.app_id for app in aimed.apps}
    purged = {i.app_id for i in sight.world.intents if i.kind is IntentKind.PURGE}
    for app_id in sorted((sight.app_ids | purged) - wanted_ids):
        part = Part(app_id=app_id)
        reason, app = "its app is not in the target", aimed.good.get(app_id)
        clear_app(part, sight, reason, app=app, lockless=app_id in purged)
        gates.lock_for_clearing(part.steps, part.waits, app_id, sight)
        yield part


def _release_locks(app_id: int, part: Part, sight: Sight) -> None:
    """Let go of our lock when nothing of the app is being changed any more."""
    if not sight.own_lock(app_id) or part.needs_resources:
        return
    known = sight.world.releases
    watched = part.app is not None and not (
        releases.is_good(known, part.app) or part.overdue or part.rejection
    )
    if part.steps or watched or any(s.app_id == app_id for s in sight.world.in_flight):
        return
    if part.waits and not part.overdue:
        return
    part.take(gates.release_locks(app_id, "nothing of the app is being changed any more"))


def _of_no_app(
    aimed: Wanted, wanted: Wanted, sight: Sight, policy: Policy, known: Iterable[int]
) -> Iterable[Step]:
    """What is done for none of the apps: leftovers of locks, networks and images."""
    for lock in sight.world.locks:
        if lock.owner is LockOwner.AGENT and lock.app_id not in known:
            yield gates.release_locks(lock.app_id, "there is no such app any more")
    if wanted.may_remove:
        try:
            kept = (*aimed.apps, *wanted.apps, *wanted.good.values())
            found = [
                *resources.remove_networks(aimed.apps, sight.resources, sight.containers),
                *images.collect(kept, sight, policy),
            ]
        except NeedsResources:
            return
        yield from (step for step in found if step.subject not in sight.world.in_flight)


def _cap_pulls(
    steps: Iterable[Step], waits: Iterable[Wait], sight: Sight, policy: Policy
) -> tuple[list[Step], list[Wait]]:
    """Turn pulls beyond the cap, and those there is no room for, into waits."""
    kept: list[Step] = []
    held = list(waits)
    pulls = {*sight.world.pulling}
    for step in sorted(steps, key=lambda s: (s.subject, s.served, s.target)):
        wait = None
        if step.kind is StepKind.PULL:
            wait = gates.pull_gate(step, pulls, sight, policy)
            if wait is None:
                pulls.add(step.target)
        if wait is None:
            kept.append(step)
        else:
            held.append(wait)
    return kept, held
