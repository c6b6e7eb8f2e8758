"""The planner's laws, as what watches a device: each sees every plan, every step, and the end."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from iotistic.model.release import LockMode, StrategyKind
from iotistic.model.words import RunState, Verdict, WaitReason
from iotistic.planner.order import ACTIVE
from iotistic.planner.plan import plan
from iotistic.planner.step import Plan, Step, Wait
from iotistic.planner.wanted import WantedApp
from iotistic.planner.world import IntentKind, StepKind, World
from tests.planner import oracle
from tests.planner.device import Device, shown

DISRUPTIVE = (StepKind.STOP, StepKind.RESTART, StepKind.PAUSE)
_TOUCHES = (*DISRUPTIVE, StepKind.REMOVE, StepKind.HEAL)
_SECOND = "a second container"
_RESTING = (Verdict.SETTLED, Verdict.INTERRUPTED, Verdict.REJECTED)
_TIDIES = (StepKind.REMOVE_NETWORK, StepKind.REMOVE_IMAGE)
_SOMEBODY_ELSE = (
    WaitReason.LOCKED, WaitReason.ENDED, WaitReason.IMAGE_NOT_ALLOWED, WaitReason.UNHEALTHY,
    WaitReason.EXTERNAL_MISSING, WaitReason.DEPENDENCY_FAILED, WaitReason.HEALTH_STARTING,
)  # fmt: skip
"""What ends by something that wakes the agent: a person, an event of the engine."""


class Moment(NamedTuple):
    """A device, what of it the planner saw, and the plan."""

    device: Device
    seen: World
    decided: Plan


class Law:
    """Watches a device. `possible`: it holds at the end of days on which all can become well."""

    possible = False

    def planned(self, now: Moment) -> None:
        """A plan was made."""

    def ended(self, device: Device) -> None:
        """The day is over: from now on all goes well."""


class AtTheTarget(Law):
    """Where everything is as wanted, there is nothing to do and nothing to wait for."""

    possible = True

    def planned(self, now: Moment) -> None:
        if not oracle.unmet(now.device):
            assert not now.decided.waits, shown(now.decided)
            assert all(step.kind in _TIDIES for step in now.decided.steps), shown(now.decided)

    def ended(self, device: Device) -> None:
        device.play_fair()
        assert not (left := oracle.unmet(device)), left
        _is_at_rest(device.decide()[1])


class Convergence(Law):
    """From anywhere the target is reached, in as many rounds as there is to do."""

    possible = True

    def ended(self, device: Device) -> None:
        objects = len(device.world.containers) + sum(
            len(app.services) + len(app.networks) + len(app.volumes)
            for app in (*device.want.apps, *device.want.good.values())
        )
        known = len(device.refused)
        rounds = device.play_fair()
        assert not (left := oracle.unmet(device)), left
        assert rounds <= 30 + 12 * objects
        assert not device.refused[known:], device.refused


class NoFlapping(Law):
    """Once there, nothing is ever done again."""

    possible = True

    def ended(self, device: Device) -> None:
        device.play_fair()
        for span_s in (0.0, 1.0, 700.0, 100_000.0):
            device.pass_time(span_s)
            _is_at_rest(device.decide()[1])
            device.lose_agent(lambda _: True)
            _is_at_rest(device.decide()[1])


class Purity(Law):
    """Equal facts, equal plan; the order of facts is no fact."""

    def planned(self, now: Moment) -> None:
        rng = random.Random(len(repr(now.seen)))
        mixed = _shuffled(now.seen, rng)
        if now.seen.resources is not None:
            mixed = replace(mixed, resources=_shuffled(now.seen.resources, rng))
        mixed = replace(mixed, releases=_shuffled(now.seen.releases, rng))
        want = replace(now.device.want, apps=_mixed(now.device.want.apps, rng))
        assert repr(plan(mixed, want, now.device.policy)) == repr(now.decided)


class Bystanders(Law):
    """No container is touched without a reason of its own."""

    def planned(self, now: Moment) -> None:
        for step in now.decided.steps:
            if step.kind in _TOUCHES:
                container = next(c for c in now.seen.containers if c.id == step.target)
                assert oracle.why_touched(now.device, now.seen, container), shown(now.decided)


class Volumes(Law):
    """People's data goes when a person says so."""

    def planned(self, now: Moment) -> None:
        purged = {i.app_id for i in now.seen.intents if i.kind is IntentKind.PURGE}
        owners = {
            v.name: v.app_id for v in (now.seen.resources.volumes if now.seen.resources else ())
        }
        for step in now.decided.steps:
            if step.kind is StepKind.REMOVE_VOLUME:
                assert owners[step.target] in purged


class Images(Law):
    """No image goes that somebody needs, or that somebody else brought."""

    def planned(self, now: Moment) -> None:
        for step in now.decided.steps:
            if step.kind is StepKind.REMOVE_IMAGE:
                self._check(now.device, now.seen, step)

    @staticmethod
    def _check(device: Device, seen: World, step: Step) -> None:
        assert seen.resources is not None
        image = next(i for i in seen.resources.images if i.id == step.target)
        names = set(image.references)
        assert image.id in {p.image_id for p in seen.pulled}
        assert image.id not in {c.image_id for c in seen.containers}
        assert image.id not in seen.resources.images_in_use
        assert not names & seen.pulling.keys()
        assert not names & _images_of((*device.want.apps, *device.aimed_apps()))
        makes_room = {
            app.app_id
            for app in device.aimed_apps()
            if app.strategy.kind is StrategyKind.DELETE_THEN_DOWNLOAD
        }
        good = [app for app in device.want.good.values() if app.app_id not in makes_room]
        assert not names & _images_of(good)


class Downtime(Law):
    """Nothing that runs is stopped before the images of its whole release are here."""

    def planned(self, now: Moment) -> None:
        for step in now.decided.steps:
            app = _app_of(now.device, step)
            if step.kind is not StepKind.STOP or app is None or step.lockless:
                continue
            service = next((s for s in app.services if s.key == step.subject.name), None)
            successor = service is not None and any(
                c.spec_hash == service.spec_hash and c.id != step.target
                for c in oracle.containers_of(now.seen, service)
            )
            stays = service is None or service.target.state is not RunState.STOPPED
            if oracle.downloads_first(app) and stays and not successor:
                assert not oracle.images_to_come(now.device, now.device.world, app), shown(
                    now.decided
                )


class Memory(Law):
    """One container of a service runs; two only in a hand-over."""

    def planned(self, now: Moment) -> None:
        for step in now.decided.steps:
            app = _app_of(now.device, step)
            if step.kind not in (StepKind.START, StepKind.CREATE_CONTAINER) or app is None:
                continue
            at = (step.subject.app_id, step.subject.name)
            others = [
                c
                for c in now.seen.containers
                if (c.app_id, c.service_id) == at and c.id != step.target and c.state in ACTIVE
            ]
            both = app.strategy.kind is StrategyKind.HAND_OVER
            assert len(others) <= (1 if both else 0), shown(now.decided)


class Locks(Law):
    """Nothing is disturbed under somebody else's lock, nor without our own; ours ends."""

    possible = True

    def planned(self, now: Moment) -> None:
        for step in now.decided.steps:
            app_id, app = step.subject.app_id, _app_of(now.device, step)
            forced = app is not None and app.lock is LockMode.FORCE
            if step.kind is StepKind.TAKE_LOCKS:
                assert forced or oracle.foreign_lock(now.seen, app_id) is None
            if step.kind not in DISRUPTIVE:
                continue
            if step.lockless:
                containers = [c for c in now.seen.containers if c.service_id == step.subject.name]
                assert len(containers) > 1 or any(i.app_id == app_id for i in now.seen.intents)
            else:
                assert oracle.own_lock(now.seen, app_id), shown(now.decided)

    def ended(self, device: Device) -> None:
        device.play_fair()
        assert not [
            lock for lock in device.world.locks if oracle.own_lock(device.world, lock.app_id)
        ]


class Waits(Law):
    """Every wait ends: by a time, by a step, or by what somebody else does."""

    def planned(self, now: Moment) -> None:
        for verdict in now.decided.verdicts.values():
            assert verdict.reason or verdict.verdict is Verdict.SETTLED
        if now.decided.steps or now.seen.in_flight or now.decided.settled:
            return
        assert now.decided.waits or all(
            v.verdict in (Verdict.REJECTED, Verdict.INTERRUPTED, Verdict.SETTLED)
            for v in now.decided.verdicts.values()
        )
        roots = [w for w in now.decided.waits if self._ends(w, now.seen)]
        for wait in now.decided.waits:
            # What waits for another service of its app, or for its turn, waits for the same.
            assert any(r.subject.app_id == wait.subject.app_id for r in roots) or (
                wait.reason is WaitReason.PULL_SLOTS_TAKEN and roots
            ), shown(now.decided)

    @staticmethod
    def _ends(wait: Wait, seen: World) -> bool:
        if wait.until_s is not None:
            return wait.until_s > seen.now_s
        stopped = wait.reason is WaitReason.DEPENDENCY and wait.message.endswith("by a person")
        return wait.reason in _SOMEBODY_ELSE or stopped


class Order(Law):
    """Nothing starts before what it depends on, nothing stops before what depends on it."""

    def planned(self, now: Moment) -> None:
        # A second container that goes leaves the first one where it is.
        stops = [
            s for s in now.decided.steps if s.kind is StepKind.STOP and _SECOND not in s.reason
        ]
        stopping = {s.subject for s in stops} | now.seen.in_flight
        for step in now.decided.steps:
            app = _app_of(now.device, step)
            service = app.service(step.service_name) if app is not None else None
            if app is None or service is None:
                continue
            if step.kind is StepKind.START:
                assert not oracle.condition_holds(now.device, now.seen, app, service), shown(
                    now.decided
                )
            if step in stops:
                for other in app.services:
                    if any(d.service == service.name for d in other.depends_on):
                        dependent = replace(step.subject, name=other.key)
                        running = any(
                            c.state in ACTIVE for c in oracle.containers_of(now.seen, other)
                        )
                        assert not (dependent in stopping and running), shown(now.decided)


class Crash(Law):
    """Without its memory the agent decides the same, and gets to the same place."""

    possible = True

    def planned(self, now: Moment) -> None:
        if now.device.under_way:
            return
        another = now.device.copy()
        another.lose_agent(lambda _: True)
        _, then = another.decide()
        if another.looks != now.device.looks:
            return  # a drift that this round did not look for, and the next one will
        # What nobody needs is noticed at a full look, and the agent's first look is one.
        steps, steps_then = (
            [repr(s) for s in one.steps if s.kind not in _TIDIES] for one in (now.decided, then)
        )
        assert steps_then == steps, (shown(then), shown(now.decided))

    def ended(self, device: Device) -> None:
        another = device.copy()
        another.lose_agent(lambda step: step.kind is StepKind.STOP)
        device.play_fair()
        another.play_fair()
        assert _shape(another) == _shape(device), (_shape(another), _shape(device))


def _is_at_rest(decided: Plan) -> None:
    assert not decided.steps, shown(decided)
    assert not decided.waits, shown(decided)
    for verdict in decided.verdicts.values():
        assert verdict.verdict in _RESTING, verdict


def _app_of(device: Device, step: Step) -> WantedApp | None:
    return next((a for a in device.aimed_apps() if a.app_id == step.subject.app_id), None)


def _images_of(apps: Iterable[WantedApp]) -> set[str]:
    return {service.image for app in apps for service in app.services}


def _shape(device: Device) -> list[tuple[Any, ...]]:
    return sorted(
        (c.app_id, c.service_id, str(c.spec_hash), str(c.state))
        for c in device.world.containers
        if c.state in ACTIVE
    )


def _mixed(items: tuple[Any, ...], rng: random.Random) -> tuple[Any, ...]:
    return tuple(rng.sample(items, len(items)))


def _shuffled(facts: Any, rng: random.Random) -> Any:
    """The same facts, every tuple of them in another order."""
    tuples = {
        name: _mixed(value, rng)
        for name in facts.__dataclass_fields__
        if isinstance(value := getattr(facts, name), tuple)
    }
    return replace(facts, **tuples)
