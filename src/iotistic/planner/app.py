"""One app of the target in one round: its services, what they hang on, its release, its locks."""

from __future__ import annotations

from iotistic.model.observation import Container
from iotistic.model.words import ContainerState, RunState, WaitReason
from iotistic.planner import gates, images, order, pairing, releases, resources, service
from iotistic.planner.clearing import PURGE, clear, clear_app
from iotistic.planner.compare import NeedsInspection, is_made_for, speaks_another_version
from iotistic.planner.order import ACTIVE, Peer
from iotistic.planner.part import Part
from iotistic.planner.sight import NeedsResources, Sight
from iotistic.planner.step import Step, Wait
from iotistic.planner.steps import Maker, clear_away
from iotistic.planner.wanted import WantedApp, WantedService
from iotistic.planner.world import StepKind


def plan_app(app: WantedApp, good: WantedApp | None, sight: Sight, *, may_remove: bool) -> Part:
    """Plan an app, as it is aimed at; `good` is its release that was well last."""
    part = Part(app_id=app.app_id, app=app, wanted=frozenset(s.key for s in app.services))
    if app.rejection is not None:
        part.rejection = str(app.rejection)
        part.unsettled.update(part.wanted)
        return part
    if sight.is_purged(app.app_id):
        clear_app(part, sight, PURGE, app=app, lockless=True)
        part.unsettled.update(part.wanted)
        return part
    try:
        _AppRound(app, good, sight, part).plan(may_remove=may_remove)
    except NeedsResources:
        part.needs_resources = True
    return part


class _AppRound:
    """One round of one app."""

    def __init__(self, app: WantedApp, good: WantedApp | None, sight: Sight, part: Part) -> None:
        self._good = good
        self._kept_alive = frozenset(s.spec_hash for s in good.services) if good else frozenset()
        self._app = app
        self._sight = sight
        self._part = part
        self._remake = resources.to_remake(app, sight.seen_resources)
        self._pairs = {
            s.key: pairing.pair(
                s, sight.of_service(s), app.strategy, images.to_be_made_of(s, app, sight)
            )
            for s in app.services
        }
        self._found: dict[str, Step | Wait | None] = {}
        self._peers: dict[str, Peer] = {}
        self._replaced: set[str] = set()
        self._to_pull: dict[str, WantedService] | None = None
        self._missing_images = frozenset[str]()

    def plan(self, *, may_remove: bool) -> None:
        part, app, sight = self._part, self._app, self._sight
        for wanted in order.in_order(app):
            self._plan_service(wanted)
        active = frozenset(
            s.name for s in app.services
            if (current := self._pairs[s.key].current) is not None and current.state in ACTIVE
        )  # fmt: skip
        order.stops_in_order(
            app,
            self._found,
            active,
            self._replaced,
            lambda s, reason, message: Maker(s, sight.now_s).wait(reason, message),
        )
        for wanted in app.services:
            self._found[wanted.key] = gates.unless_failed(self._found[wanted.key], sight)
            part.take(self._found[wanted.key])
            if self._found[wanted.key] is not None:
                part.unsettled.add(wanted.key)
        self._plan_objects()
        if may_remove:
            self._clear_leftovers()
        if not part.steps and not part.waits:
            self._rename()
        part.warnings = resources.warnings(app, sight.seen_resources)
        self._judge()

    # -- services

    def _clear_leftovers(self) -> None:
        """What is not in the target goes, not before what comes in its place can be made."""
        part, sight = self._part, self._sight
        leftovers = [c for c in sight.of_app(part.app_id) if c.service_id not in part.wanted]
        downloads_first = self._app.strategy.kind not in service.KILL_FIRST
        if downloads_first and any(c.state in ACTIVE for c in leftovers) and self._pulls():
            for container in leftovers:
                part.unsettled.add(container.service_id)
                part.take(gates.runs_on(container, min(self._missing_images)))
            return
        clear(part, leftovers, sight, "its service is not in the target", app=self._good)

    def _plan_service(self, wanted: WantedService) -> None:
        key, sight = wanted.key, self._sight
        maker = Maker(wanted, sight.now_s)
        pair = self._pairs[key]
        stop = sight.stop_of(wanted)
        if stop is not None and wanted.target.state is not RunState.STOPPED:
            self._part.held_back.append(wanted.name)
        self._peers[wanted.name] = Peer(
            service=wanted,
            current=pair.current if pair.is_wanted_one else None,
            completed=sight.is_completed(wanted),
            stopped_by=_stopped_by(wanted, asked=stop is not None),
        )
        if maker.subject in sight.world.in_flight:
            self._found[key] = gates.in_flight(maker.subject, wanted.name)
            return
        if pair.duplicates:
            self._found[key] = clear_away(
                pair.duplicates[0], "a second container of the service", now_s=sight.now_s,
                lockless=True,
            )  # fmt: skip
            return
        situation = self._situation(wanted, maker, pair.current, asked=stop is not None)
        found = self._next_step(wanted, maker, pair, situation)
        if _replaces(found, pair.current, situation):
            self._replaced.add(wanted.name)
        self._found[key] = found

    def _next_step(
        self,
        wanted: WantedService,
        maker: Maker,
        pair: pairing.Pair,
        situation: service.Situation,
    ) -> Step | Wait | None:
        try:
            if (pull := self._refresh(wanted, pair, situation)) is not None:
                return pull
            return service.next_step(
                maker,
                pair.current,
                pair.old,
                situation,
                lambda: self._prerequisites(wanted, maker),
            )
        except NeedsInspection as needs:
            self._sight.inspections.add(needs.container_id)
            return maker.wait(WaitReason.STEP_IN_FLIGHT, "its container is looked at closely")

    def _refresh(
        self, wanted: WantedService, pair: pairing.Pair, situation: service.Situation
    ) -> Step | None:
        """The pull for a service that is as wanted but for a tag that may have moved."""
        if situation.want is RunState.STOPPED or pair.current is None or not pair.is_wanted_one:
            return None
        if not images.may_refresh(wanted, self._app, self._sight):
            return None
        return images.pull(wanted, self._app, self._sight)

    def _situation(
        self, wanted: WantedService, maker: Maker, current: Container | None, *, asked: bool
    ) -> service.Situation:
        sight, app = self._sight, self._app
        return service.Situation(
            want=RunState.STOPPED if asked else wanted.target.state,
            asked=asked,
            restart=sight.restart_of(wanted),
            strategy=app.strategy,
            start_wait=order.start_gate(wanted, self._peers, maker.wait),
            network_mode=self._network_mode(wanted),
            look=sight.world.inspected.get(current.id) if current is not None else None,
            image_id=images.to_be_made_of(wanted, app, sight),
            leaves=self._leaves(current),
            shakes=self._shakes(wanted, current),
            completed=sight.is_completed(wanted),
            name_taken=wanted.request.name in sight.names,
            handed_over=current is not None and current.id in sight.world.handed_over,
        )

    def _network_mode(self, wanted: WantedService) -> str | None:
        if wanted.shares_network_of is None:
            return ""
        peer = self._peers.get(wanted.shares_network_of)
        if peer is None or peer.current is None:
            return None
        return f"container:{peer.current.id}"

    def _leaves(self, current: Container | None) -> str:
        """Which network the container has to leave, since it is made anew."""
        if current is None or not self._remake:
            return ""
        remade = {n.name: n.short_name for n in self._app.networks if n.short_name in self._remake}
        return next((remade[name] for name in sorted(remade.keys() & set(current.networks))), "")

    def _shakes(self, wanted: WantedService, current: Container | None) -> str:
        """Why the service's container has to go though it is as wanted itself."""
        if current is None:
            return ""
        if network := self._leaves(current):
            return f"network {network} is made anew"
        if current.state is ContainerState.CREATED or order.is_done(wanted, current):
            return ""
        for dependency in wanted.depends_on:
            if dependency.service in self._replaced and order.follows(wanted, dependency):
                return f"{dependency.service} is made anew"
        return ""

    # -- what containers are made of

    def _prerequisites(self, wanted: WantedService, maker: Maker) -> service.Prerequisites:
        seen = self._sight.resources
        to_pull = self._pulls()
        first: Step | Wait | None = None
        if wanted.key in to_pull or images.must_pull(wanted, self._app, self._sight):
            first = images.first_for(wanted, self._app, self._sight)
        elif wanted.image not in self._sight.images:
            first = maker.wait(
                WaitReason.IMAGE_NOT_ALLOWED,
                f"{wanted.image} is not here, and pull_policy: never forbids to pull it",
            )
        return service.Prerequisites(
            first=first,
            missing_images=self._missing_images,
            missing_objects=resources.missing_objects(wanted, self._app, seen),
            remade_objects=tuple(f"network {n}" for n in wanted.networks if n in self._remake),
            missing_externals=resources.missing_externals(wanted, self._app, seen),
            image_id=images.made_by_id(wanted, self._app, self._sight),
        )

    def _pulls(self) -> dict[str, WantedService]:
        """Services whose images have to come before they are made, by key.

        Those which are wanted stopped, or whose container is there already, do not count: nobody
        would ever pull them, and what waits for them would wait for ever.
        """
        if self._to_pull is None:
            self._to_pull = {
                s.key: s
                for s in self._app.services
                if self._is_to_be_made(s) and images.must_pull(s, self._app, self._sight)
            }
            self._missing_images = frozenset(s.image for s in self._to_pull.values())
        return self._to_pull

    def _is_to_be_made(self, wanted: WantedService) -> bool:
        if self._sight.stop_of(wanted) or wanted.target.state is RunState.STOPPED:
            return False
        current = self._pairs[wanted.key].current
        if current is None:
            return not self._sight.is_completed(wanted)
        look = self._sight.world.inspected.get(current.id)
        if look is not None and look.compared_with == wanted.spec_hash and look.differences:
            return True
        return not (is_made_for(wanted, current) or speaks_another_version(current))

    def _plan_objects(self) -> None:
        app, sight, part = self._app, self._sight, self._part
        to_make = [
            s
            for s in app.services
            if isinstance(found := self._found[s.key], Wait)
            and found.reason is WaitReason.RESOURCES_MISSING
        ]
        steps: list[Step] = []
        if to_make:
            steps += resources.create_missing(app, to_make, sight.resources)
        if self._remake:
            steps += resources.remake(app, self._remake, sight.containers)
        for step in steps:
            if step.subject not in sight.world.in_flight:
                part.take(gates.unless_failed(step, sight))

    def _rename(self) -> None:
        for wanted in self._app.services:
            current = self._pairs[wanted.key].current
            if current is None or current.name == wanted.request.name:
                continue
            if wanted.request.name in self._sight.names:
                continue
            step = Maker(wanted, self._sight.now_s).rename(current)
            if isinstance(gates.unless_failed(step, self._sight), Step):
                self._part.take(step)  # a name is for people: without it the app is as wanted

    # -- the release

    def _judge(self) -> None:
        part, app, sight = self._part, self._app, self._sight
        known = sight.world.releases
        candidate = releases.candidate_of(known, app)
        standings = [
            releases.standing(
                s,
                self._pairs[s.key].current,
                self._found[s.key],
                want=RunState.STOPPED if sight.stop_of(s) else s.target.state,
                healthy_s=app.verify.healthy_s,
                last_failure=self._last_failure(s),
            )
            for s in app.services
        ]
        busy = any(w.reason is WaitReason.IMAGE_PULLING for w in part.waits)
        others = any(s.kind is not StepKind.RENAME for s in part.steps) or part.waits
        waits_for_someone = any(w.reason is WaitReason.DEPENDENCY for w in part.waits)
        held = ""
        if part.held_back and waits_for_someone:
            held = f"a person stopped {', '.join(part.held_back[:5])}"
        verdict = releases.judge(app, standings, known, now_s=sight.now_s, busy=busy, held=held)
        if isinstance(verdict, Step) and verdict.kind is StepKind.COMMIT and others:
            verdict = None  # something of the old release is still there
        if isinstance(verdict, Step) and verdict.kind is StepKind.REJECT:
            part.steps, part.waits = [], []
        elif candidate is not None and sight.now_s >= candidate.deadline_s and not verdict:
            part.overdue = f"not well within {app.verify.timeout_s:g} s"
        part.take(verdict)
        gates.begin_and_lock(part.steps, part.waits, app, sight, kept_alive=self._kept_alive)

    def _last_failure(self, wanted: WantedService) -> str:
        found = self._found[wanted.key]
        failed = self._sight.attempt(found.subject, found.kind) if isinstance(found, Step) else None
        return "" if failed is None else failed.message


def _stopped_by(wanted: WantedService, *, asked: bool) -> str:
    if asked:
        return "a person"
    return "the target" if wanted.target.state is RunState.STOPPED else ""


def _replaces(
    found: Step | Wait | None, current: Container | None, situation: service.Situation
) -> bool:
    """Whether the step takes away the container for another one of the same service."""
    return (
        isinstance(found, Step)
        and found.kind in (StepKind.STOP, StepKind.REMOVE)
        and current is not None
        and found.target == current.id
        and situation.want is not RunState.STOPPED
    )
