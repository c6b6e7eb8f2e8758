"""The planner on a device: it looks, plans, and the engine does what it does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from iotistic.model.observation import Container, Resources
from iotistic.model.words import WaitReason
from iotistic.planner import attempts
from iotistic.planner.foresight import after
from iotistic.planner.plan import plan
from iotistic.planner.policy import Policy
from iotistic.planner.step import Plan, Step
from iotistic.planner.wanted import Wanted, WantedApp
from iotistic.planner.wishes import completed, fulfilled
from iotistic.planner.world import (
    Attempt,
    CloseLook,
    Difference,
    IntentKind,
    LockOwner,
    StepKind,
    World,
)
from tests.planner.strict_engine import Refusal, StrictEngine

NOTES_A_ROUND = 8
LOOKS_A_ROUND = 4
FULL_LOOK_EVERY_S = 600.0
_MAKES_STALE = (
    StepKind.PULL, StepKind.CREATE_NETWORK, StepKind.REMOVE_NETWORK, StepKind.CREATE_VOLUME,
    StepKind.REMOVE_VOLUME, StepKind.REMOVE_IMAGE, StepKind.REMOVE,
)  # fmt: skip
FINAL = (
    WaitReason.ENDED, WaitReason.DEPENDENCY_FAILED, WaitReason.IMAGE_NOT_ALLOWED,
    WaitReason.EXTERNAL_MISSING, WaitReason.LOCKED, WaitReason.UNHEALTHY,
)  # fmt: skip
"""What is waited for that does not come by itself."""


class Fate(StrEnum):
    """What becomes of a step."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    """It is done, and its reply gets lost."""
    HALF_DONE = "half-done"
    DELAYED = "delayed"
    """It is under way for longer than a round."""


@dataclass(slots=True, repr=False)
class Device:
    """Everything that is true, and what the agent knows of it.

    `world` is what engine, store and folders hold: it outlives the agent. `truly_for` says for
    which specification containers were made whose label does not say it. `drifted` are containers
    that somebody changed from outside. `under_way`, `_seen` and `_looks` are gone with the agent.
    """

    world: World
    want: Wanted
    engine: StrictEngine
    policy: Policy = field(default_factory=Policy)
    truly_for: dict[str, str] = field(default_factory=dict)
    drifted: set[str] = field(default_factory=set)
    under_way: list[Step] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    watch: Callable[[World, Plan], None] = lambda _world, _decided: None
    _seen: Resources | None = None
    _looks: dict[str, CloseLook] = field(default_factory=dict)
    _to_inspect: set[str] | None = None
    _stale: bool = True
    _full_at_s: float = 0.0

    def __repr__(self) -> str:
        world, seen = self.world, self.world.resources or Resources()
        lines = [
            f"a device at {world.now_s:g}",
            *(
                f"{c.id} {c.app_id}/{c.service_id} {c.state} {c.exit_code} {c.health} {c.name}"
                f" {c.spec_hash} {self.truly_for.get(c.id, '')} {c.image_id} {c.networks}"
                f" {c.network_mode} up {c.up_s} {'drifted' if c.id in self.drifted else ''}"
                for c in world.containers
            ),
            *(f"{i.id} {i.references}" for i in seen.images),
            *(f"{n.name} {n.spec_hash}" for n in seen.networks),
            *(f"{a.step} {a.subject} {a.count} until {a.not_before_s}" for a in world.attempts),
            *map(str, (*world.locks, *world.intents, *world.pulled, *world.completed)),
            f"{world.releases} {world.host} {self.policy.pulls_max} {world.handed_over}",
            *(f"under way: {s.kind} {s.subject}" for s in self.under_way),
            *(
                f"wanted: {s.app_id}/{s.key} {s.target.state} {s.image} {s.spec_hash}"
                for app in self.want.apps
                for s in app.services
            ),
            *(f"release {a.app_id}: {a.release_hash}" for a in self.want.apps),
            *(f"good release {a.app_id}: {a.release_hash}" for a in self.want.good.values()),
        ]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))

    def decide(self) -> tuple[World, Plan]:
        """Look, as closely as the planner asks for, and plan; `watch` sees it as well."""
        is_due = self.world.now_s >= self._full_at_s
        return self._closer(self._look(full=self._stale or is_due))

    def round(self, fate: Callable[[Step], Fate] = lambda _: Fate.DONE) -> Plan:
        """One round as the agent does it: notes first, then the steps, then what is remembered."""
        seen, decided = self.decide()
        for _ in range(NOTES_A_ROUND):
            notes = [step for step in decided.steps if step.kind.is_journal]
            if not notes or any(fate(step) is not Fate.DONE for step in notes):
                break
            for step in notes:
                self._note(step)
            self._stale |= any(step.kind is StepKind.COMMIT for step in notes)
            world = self.world
            seen, decided = self._closer(replace(seen, locks=world.locks, releases=world.releases))
        gone = fulfilled(seen, self.want)
        one_shots = completed(seen, self.want)
        for step in decided.steps:
            if not step.kind.is_journal:
                self.carry_out(step, fate(step))
        self.world = replace(
            self.world,
            intents=tuple(i for i in self.world.intents if i not in gone),
            completed=one_shots,
        )
        return decided

    def _closer(self, seen: World) -> tuple[World, Plan]:
        decided = plan(seen, self.want, self.policy)
        for _ in range(LOOKS_A_ROUND):
            if decided.needs_resources:
                seen = self._look(full=True)
            elif decided.needs_inspection:
                self._look_closely(decided.needs_inspection)
                seen = replace(seen, inspected=dict(self._looks))
            else:
                break
            decided = plan(seen, self.want, self.policy)
        assert not decided.needs_resources
        assert not decided.needs_inspection
        self.watch(seen, decided)
        return seen, decided

    def carry_out(self, step: Step, fate: Fate) -> None:
        """Let the engine do a step, well or not."""
        if fate is Fate.DELAYED:
            self.under_way.append(step)
            return
        before = self.world
        failure = "" if fate is Fate.DONE else fate.value
        try:
            match fate:
                case Fate.DONE:
                    self.world = self.engine.do(before, step)
                case Fate.LOST:
                    pulled = before.pulled
                    self.world = replace(self.engine.do(before, step), pulled=pulled)
                case Fate.HALF_DONE:
                    self.world = self.engine.half_do(before, step)
                case _:
                    pass
        except Refusal as refusal:
            failure = str(refusal)
            self.refused.append((f"{step.kind} {step.subject}", failure))
        self._account(step, failure)
        self._stale |= step.kind in _MAKES_STALE

    def end_of(self, place: int, fate: Fate) -> None:
        """A step that was under way ends."""
        self.carry_out(self.under_way.pop(place), fate)

    def lose_agent(self, done: Callable[[Step], bool]) -> None:
        """The agent is gone between two of its own lines, and started again.

        `done` says which of the steps under way the engine has done all the same.
        """
        for step in self.under_way:
            if done(step):
                with suppress(Refusal):
                    self.world = replace(self.engine.do(self.world, step), pulled=self.world.pulled)
        self.under_way.clear()
        self._seen, self._looks, self._to_inspect, self._stale = None, {}, None, True

    def take_target(self, want: Wanted) -> None:
        """Another target; every failure has a new chance."""
        self.want = replace(want, good=self.want.good)
        hashes = {app.app_id: app.release_hash for app in want.apps}
        known = self.world.releases
        watched = tuple(c for c in known.candidates if hashes.get(c.app_id) == c.release_hash)
        self.world = replace(self.world, attempts=(), releases=replace(known, candidates=watched))
        self._stale = True

    def copy(self) -> Device:
        """Another device in the very same state, that nobody watches."""
        engine = StrictEngine(dict(self.engine.requests), dict(self.engine.moves))
        return Device(
            self.world,
            self.want,
            engine,
            self.policy,
            truly_for=dict(self.truly_for),
            drifted=set(self.drifted),
            under_way=list(self.under_way),
            _seen=self._seen,
            _looks=dict(self._looks),
            _to_inspect=None if self._to_inspect is None else set(self._to_inspect),
            _stale=self._stale,
            _full_at_s=self._full_at_s,
        )

    @property
    def looks(self) -> Mapping[str, CloseLook]:
        """What was found by close looks."""
        return dict(self._looks)

    def pass_time(self, span_s: float) -> None:
        """Let time pass."""
        self.world = self.engine.time_passes(self.world, span_s)

    def play_fair(self, rounds_max: int = 150) -> int:
        """Let all go well from now on until nothing changes; how many rounds did anything."""
        busy = quiet = 0
        while quiet < 3:
            while self.under_way:
                self.end_of(0, Fate.DONE)
            before = self.world
            decided = self.round()
            acted = bool(decided.steps) or replace(before, now_s=0) != replace(self.world, now_s=0)
            busy += acted
            ends = not (acted or decided.needs_inspection) and all(
                w.reason in FINAL or w.until_s is None for w in decided.waits
            )
            quiet = quiet + 1 if ends else 0
            assert busy < rounds_max, f"still {shown(decided)}, refused {self.refused[-3:]}"
            span_s = 1.0 if acted else (decided.ask_again_s or 0.0) - self.world.now_s
            self.pass_time(1000.0 if ends else max(1.0, span_s))
        return busy

    def container(self, container_id: str) -> Container | None:
        """A container by its id."""
        return next((c for c in self.world.containers if c.id == container_id), None)

    # -- looking

    def _look(self, *, full: bool) -> World:
        if full or self._seen is None:
            used = frozenset(c.image_id for c in self.world.containers)
            self._seen = replace(self.world.resources or Resources(), images_in_use=used)
            self._stale, self._full_at_s = False, self.world.now_s + FULL_LOOK_EVERY_S
            full = True
        ids = {c.id for c in self.world.containers}
        self._looks = {key: look for key, look in self._looks.items() if key in ids}
        # Once after a start, and whatever the engine says was changed.
        if self._to_inspect is None:
            self._to_inspect = ids
        hashes = self._hashes()
        due = {
            c.id
            for c in self.world.containers
            if c.id in self._to_inspect and hashes.get((c.app_id, c.service_id)) == c.spec_hash
        }
        self._to_inspect -= due
        self._look_closely(due)
        return replace(
            self.world,
            resources=self._seen,
            resources_fresh=full,
            in_flight=frozenset(step.subject for step in self.under_way),
            pulling={s.target: 0.5 for s in self.under_way if s.kind is StepKind.PULL},
            inspected=dict(self._looks),
        )

    def _look_closely(self, ids: Collection[str]) -> None:
        hashes = {(s.app_id, s.key): s.spec_hash for app in self.aimed_apps() for s in app.services}
        for container in self.world.containers:
            key = (container.app_id, container.service_id)
            if container.id in ids and key in hashes:
                self._looks[container.id] = self._close_look(container, hashes[key])

    def _hashes(self) -> dict[tuple[int, str], str]:
        return {(s.app_id, s.key): s.spec_hash for app in self.aimed_apps() for s in app.services}

    def _close_look(self, container: Container, wanted_hash: str) -> CloseLook:
        made_for = self.truly_for.get(container.id, container.spec_hash)
        differs = made_for != wanted_hash or container.id in self.drifted
        found = (Difference(field="user", wanted="1", found="2"),) if differs else ()
        return CloseLook(compared_with=wanted_hash, differences=found)

    def notice_drift(self, container_id: str) -> None:
        """Somebody changed a container, and the engine said so: it is looked at closely."""
        self.drifted.add(container_id)
        self._looks.pop(container_id, None)
        if self._to_inspect is not None:
            self._to_inspect.add(container_id)

    def aimed_apps(self) -> tuple[WantedApp, ...]:
        """The apps as they are wanted, the last good release in the place of a rejected one."""
        rejected = {(r.app_id, r.release_hash) for r in self.world.releases.rejected}
        good = {g.app_id: g.release_hash for g in self.world.releases.good}
        return tuple(
            self.want.good[app.app_id]
            if (app.app_id, app.release_hash) in rejected
            and app.app_id in self.want.good
            and good.get(app.app_id) != app.release_hash
            else app
            for app in self.want.apps
        )

    # -- keeping account

    def _note(self, step: Step) -> None:
        self.world = after(self.world, step)
        if step.kind is StepKind.TAKE_LOCKS:
            # One lock an app and owner, as the store has it.
            self.world = replace(self.world, locks=tuple(dict.fromkeys(self.world.locks)))
        if step.kind is StepKind.COMMIT:
            app = next(a for a in self.want.apps if a.app_id == step.subject.app_id)
            self.want = replace(self.want, good={**self.want.good, app.app_id: app})

    def _account(self, step: Step, failure: str) -> None:
        now_s, world = self.world.now_s, self.world
        held = attempts.find(world, step.subject, step.kind)
        record: Attempt | None = None
        if failure:
            record = attempts.failed(
                step, held, now_s=now_s, now_ms=0, code="x", message=failure, wait_s=None
            )
        elif step.kind is StepKind.HEAL:
            record = attempts.healed(step, held, now_s=now_s, now_ms=0)
        kept = tuple(a for a in world.attempts if (a.subject, a.step) != (step.subject, step.kind))
        intents = world.intents
        if step.kind is StepKind.RESTART and not failure:
            intents = tuple(
                i for i in intents if (i.kind, i.container_id) != (IntentKind.RESTART, step.target)
            )
        self.world = replace(world, attempts=(*kept, record) if record else kept, intents=intents)

    def without_foreign_locks(self) -> None:
        """Whoever held changes off lets go."""
        mine = tuple(lock for lock in self.world.locks if lock.owner is LockOwner.AGENT)
        self.world = replace(self.world, locks=mine)


def shown(decided: Plan) -> str:
    """A plan as one line."""
    steps = [f"{s.kind} {s.subject} {s.target}: {s.reason}" for s in decided.steps]
    return "; ".join([*steps, *(f"{w.subject} {w.reason}: {w.message}" for w in decided.waits)])
