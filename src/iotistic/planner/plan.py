"""`plan`: what is safe to do now, why the rest waits, and how each app stands.

    for each app of the target, on its own:
        rejected by policy       nothing; what runs is left alone
        each service             at most one step (iotistic.planner.service)
        networks and volumes     made when a service of this round needs them
        services not wanted      stopped, then removed, if the target is explicit about it
    apps not in the target       likewise
    then for all                 failed steps wait for their time, pulls are capped, order is fixed

One app never changes what is planned for another, but for the cap on pulls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from iotistic.model.observation import Container
from iotistic.model.words import RunState, Verdict, WaitReason
from iotistic.planner import attempts, resources, service
from iotistic.planner.policy import Policy
from iotistic.planner.step import AppVerdict, Plan, Step, Wait
from iotistic.planner.wanted import NOTHING_WANTED, Wanted, WantedApp, WantedService
from iotistic.planner.world import Intent, IntentKind, StepKind, Subject, World

_NO_POLICY = Policy()
_ORDER = {kind: rank for rank, kind in enumerate(StepKind)}
_BUSY = (WaitReason.STEP_IN_FLIGHT, WaitReason.IMAGE_PULLING)


def plan(world: World, wanted: Wanted, policy: Policy = _NO_POLICY) -> Plan:
    """One round's answer. Pure: equal inputs, equal plan; the order of inputs does not matter."""
    round_ = _Round(world, wanted)
    for app in wanted.apps:
        round_.plan_app(app)
    if wanted.may_remove:
        round_.plan_removals()
    if round_.needs_resources:
        return Plan(needs_resources=True)
    steps, waits = _hold_back(round_.steps, round_.waits, world, policy)
    return Plan(
        steps=tuple(sorted(steps, key=lambda s: (_ORDER[s.kind], s.subject, s.target))),
        waits=tuple(sorted(waits, key=lambda w: (w.subject, w.reason))),
        verdicts={
            app_id: _verdict(app_id, part, steps, waits)
            for app_id, part in sorted(round_.parts.items())
        },
        ask_again_s=min((w.until_s for w in waits if w.until_s is not None), default=None),
    )


def fulfilled(world: World, wanted: Wanted) -> tuple[Intent, ...]:
    """Wishes that are done, or that ended because the target now wants something else.

    Without a target (it may come again: the stored one could not be read) nothing says that a
    service is not wanted any more, and what a person asked of it stays.
    """
    services = {(s.app_id, s.key): s for app in wanted.apps for s in app.services}
    containers = {c.id for c in world.containers}
    done = []
    for intent in world.intents:
        wanted_service = services.get((intent.app_id, intent.service_id))
        gone = wanted_service is None and wanted != NOTHING_WANTED
        if intent.kind is IntentKind.RESTART:
            ended = gone or intent.container_id not in containers
        elif intent.kind is IntentKind.STOP:
            ended = gone or (
                wanted_service is not None
                and intent.until_release
                and intent.purpose != wanted_service.spec_hash
            )
        else:
            ended = (
                world.resources is not None
                and not any(c.app_id == intent.app_id for c in world.containers)
                and not any(v.app_id == intent.app_id for v in world.resources.volumes)
            )
        if ended:
            done.append(intent)
    return tuple(done)


@dataclass(slots=True)
class _Part:
    """What a round found out about one app."""

    wanted: frozenset[str] = frozenset()
    unsettled: set[str] = field(default_factory=set)
    rejection: str = ""

    @property
    def services_total(self) -> int:
        return len(self.wanted)


class _Round:
    """Collects the steps and waits of one round. Lives for one call of `plan`."""

    def __init__(self, world: World, wanted: Wanted) -> None:
        # In one order, so that it does not matter in which an engine lists them.
        self._containers = sorted(world.containers, key=lambda c: c.id)
        self._world = world
        self._wanted = wanted
        self._images = resources.present_images(world.resources) if world.resources else frozenset()
        self._by_service: dict[tuple[int, str], list[Container]] = defaultdict(list)
        for container in self._containers:
            self._by_service[container.app_id, container.service_id].append(container)
        self.steps: list[Step] = []
        self.waits: list[Wait] = []
        self.parts: dict[int, _Part] = {}
        self.needs_resources = False

    def plan_app(self, app: WantedApp) -> None:
        """Plan an app of the target."""
        part = self.parts.setdefault(
            app.app_id, _Part(wanted=frozenset(s.key for s in app.services))
        )
        if app.rejection is not None:
            part.rejection = str(app.rejection)
            part.unsettled.update(s.key for s in app.services)
            return
        if self._purged(app.app_id):
            self._clear_app(app.app_id, "purge asked for by a person")
            part.unsettled.update(s.key for s in app.services)
            return
        missing_images = self._missing_images(app)
        to_make: list[WantedService] = []
        for wanted_service in app.services:
            found = self._plan_service(wanted_service, missing_images)
            if found is not None:
                part.unsettled.add(wanted_service.key)
                self._take(found)
            if isinstance(found, Wait) and found.reason is WaitReason.RESOURCES_MISSING:
                to_make.append(wanted_service)
        if to_make and self._world.resources is not None:
            for step in resources.create_missing(app, to_make, self._world.resources):
                self._take(self._unless_in_flight(step))
        if self._wanted.may_remove:
            self._remove_services_not_in(app)

    def plan_removals(self) -> None:
        """Plan away what belongs to no app of the target, and networks nobody needs."""
        wanted_ids = {app.app_id for app in self._wanted.apps}
        left = {c.app_id for c in self._containers}
        left |= {i.app_id for i in self._world.intents if i.kind is IntentKind.PURGE}
        for app_id in sorted(left - wanted_ids):
            self._clear_app(app_id, "its app is not in the target")
        if self._world.resources is not None:
            for step in resources.remove_networks(
                self._wanted.apps, self._world.resources, self._containers
            ):
                self._take(self._unless_in_flight(step))

    def _missing_images(self, app: WantedApp) -> frozenset[str]:
        """Images that services of the app are still to be made of, and that are not here.

        Those of services which are wanted stopped, or whose container is there already, do not
        count: nobody would ever pull them, and what waits for them would wait for ever.
        """
        return frozenset(s.image for s in app.services if self._is_to_be_made(s)) - self._images

    def _is_to_be_made(self, wanted: WantedService) -> bool:
        if self._wanted_state(wanted) is RunState.STOPPED:
            return False
        current, _ = service.choose_current(wanted, self._containers_of(wanted))
        return current is None or current.spec_hash != wanted.spec_hash

    def _containers_of(self, wanted: WantedService) -> list[Container]:
        return self._by_service.get((wanted.app_id, wanted.key), [])

    def _wanted_state(self, wanted: WantedService) -> RunState:
        stop = service.intent_for(self._world.intents, IntentKind.STOP, wanted)
        return service.wanted_state(wanted, stop)

    def _plan_service(
        self, wanted: WantedService, missing_images: frozenset[str]
    ) -> Step | Wait | None:
        subject = service.subject_of(wanted.app_id, wanted.key)
        if subject in self._world.in_flight:
            return _in_flight(subject, wanted.name)
        current, duplicates = service.choose_current(wanted, self._containers_of(wanted))
        if duplicates:
            return service.clear_away(
                duplicates[0], "a second container of the service", now_s=self._world.now_s
            )
        known = self._world.resources
        try:
            return service.next_step(
                wanted,
                current,
                now_s=self._world.now_s,
                want=self._wanted_state(wanted),
                restart=service.intent_for(self._world.intents, IntentKind.RESTART, wanted),
                prerequisites=None
                if known is None
                else resources.prerequisites(
                    wanted,
                    missing_images=missing_images,
                    resources=known,
                ),
            )
        except service.NeedsResources:
            self.needs_resources = True
            return None

    def _remove_services_not_in(self, app: WantedApp) -> None:
        wanted = {s.key for s in app.services}
        for container in self._containers:
            if container.app_id == app.app_id and container.service_id not in wanted:
                self._clear(container, "its service is not in the target")

    def _purged(self, app_id: int) -> bool:
        return any(
            intent.kind is IntentKind.PURGE and intent.app_id == app_id
            for intent in self._world.intents
        )

    def _clear_app(self, app_id: int, reason: str) -> None:
        containers = [c for c in self._containers if c.app_id == app_id]
        for container in containers:
            self._clear(container, reason)
        if containers or not self._purged(app_id):
            return
        if self._world.resources is None:
            self.needs_resources = True
            return
        for step in resources.purge_volumes(app_id, self._world.resources):
            self._take(self._unless_in_flight(step))

    def _clear(self, container: Container, reason: str) -> None:
        part = self.parts.setdefault(container.app_id, _Part())
        part.unsettled.add(container.service_id)
        subject = service.subject_of(container.app_id, container.service_id)
        if subject in self._world.in_flight:
            self._take(_in_flight(subject, container.service_name))
            return
        # Two containers of one service go one after the other: one step a subject and round.
        if any(s.subject == subject for s in self.steps):
            return
        self._take(service.clear_away(container, reason, now_s=self._world.now_s))

    def _unless_in_flight(self, step: Step) -> Step | None:
        return None if step.subject in self._world.in_flight else step

    def _take(self, found: Step | Wait | None) -> None:
        if isinstance(found, Step):
            self.steps.append(found)
        elif found is not None:
            self.waits.append(found)


def _in_flight(subject: Subject, service_name: str) -> Wait:
    return Wait(
        reason=WaitReason.STEP_IN_FLIGHT,
        subject=subject,
        message="a step is under way",
        service_name=service_name,
    )


def _hold_back(
    steps: Iterable[Step], waits: Iterable[Wait], world: World, policy: Policy
) -> tuple[list[Step], list[Wait]]:
    """Turn steps that must not be taken yet into waits: failed ones, pulls beyond the cap."""
    kept: list[Step] = []
    held = list(waits)
    pulls = {*world.pulling}
    for step in sorted(steps, key=lambda s: (s.subject, s.served, s.target)):
        wait = _backoff(step, world)
        if wait is None and step.kind is StepKind.PULL:
            wait = _pull_wait(step, world.pulling, pulls, policy)
            if wait is None:
                pulls.add(step.target)
        if wait is None:
            kept.append(step)
        else:
            held.append(wait)
    return kept, held


def _pull_wait(
    step: Step, pulling: Mapping[str, float], pulls: set[str], policy: Policy
) -> Wait | None:
    if step.target in pulls:
        return _wait(
            step, WaitReason.IMAGE_PULLING, f"{step.target}, {pulling.get(step.target, 0):.0%}"
        )
    if len(pulls) >= policy.pulls_max:
        return _wait(
            step, WaitReason.PULL_SLOTS_TAKEN, f"{policy.pulls_max} other images are being pulled"
        )
    return None


def _backoff(step: Step, world: World) -> Wait | None:
    failed = attempts.find(world, step.subject, step.kind)
    if failed is None or failed.purpose != step.purpose or world.now_s >= failed.not_before_s:
        return None
    return _wait(
        step,
        WaitReason.BACKOFF,
        f"{failed.message} ({failed.count} times)" if failed.count > 1 else failed.message,
        until_s=failed.not_before_s,
    )


def _wait(step: Step, reason: WaitReason, message: str, until_s: float | None = None) -> Wait:
    return Wait(
        reason=reason,
        subject=step.served,
        message=message,
        service_name=step.service_name,
        until_s=until_s,
    )


def _verdict(app_id: int, part: _Part, steps: Sequence[Step], waits: Sequence[Wait]) -> AppVerdict:
    done = part.services_total - len(part.unsettled & part.wanted)
    stands, reason = _stands(app_id, part, steps, waits)
    return AppVerdict(
        verdict=stands, reason=reason, services_settled=done, services_total=part.services_total
    )


def _stands(
    app_id: int, part: _Part, steps: Sequence[Step], waits: Sequence[Wait]
) -> tuple[Verdict, str]:
    if part.rejection:
        return Verdict.REJECTED, part.rejection
    first = next((s for s in steps if s.served.app_id == app_id), None)
    if first is not None:
        return Verdict.APPLYING, f"{first.kind}: {first.reason}"
    ours = [w for w in waits if w.subject.app_id == app_id]
    for stands, reasons in (
        (Verdict.APPLYING, _BUSY),
        (Verdict.WAITING, tuple(r for r in WaitReason if r not in (*_BUSY, WaitReason.ENDED))),
        (Verdict.DEGRADED, (WaitReason.ENDED,)),
    ):
        for wait in ours:
            if wait.reason in reasons:
                return stands, f"{wait.service_name or wait.subject.name}: {wait.message}"
    return Verdict.SETTLED, ""
