"""A device on a bad day: steps fail, get lost and last; people and programs do as they like."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from iotistic.model.observation import Resources
from iotistic.model.words import ContainerState
from iotistic.planner.order import ACTIVE
from iotistic.planner.step import Plan
from iotistic.planner.world import Intent, IntentKind, Lock, LockOwner, Releases, World
from tests.planner.device import Device, Fate, shown
from tests.planner.laws import Law, Moment
from tests.planner.random_targets import BAD, FINE, LAN, Document, app_documents, variants
from tests.planner.random_worlds import PLENTY, devices, host_rooms, wishes, worked_out
from tests.planner.strict_engine import changed, with_state

FATES = st.sampled_from((Fate.DONE, Fate.DONE, *Fate))


class RoughDay(RuleBasedStateMachine):
    """Any device, and whatever may happen to it, under the eyes of one law."""

    def __init__(self, law: Law) -> None:
        super().__init__()
        self._law = law
        self._images = FINE if law.possible else FINE + BAD
        self.device: Device
        self.apps: dict[int, Document] = {}

    @initialize(data=st.data(), rested=st.booleans())
    def begins(self, data: st.DataObject, *, rested: bool) -> None:
        self.device, self.apps = data.draw(devices(possible=self._law.possible))
        self.device.watch = self._planned
        if rested:
            self.has_a_good_hour()

    def _planned(self, seen: World, decided: Plan) -> None:
        note(f"at {seen.now_s:g}: {shown(decided)}")
        self._law.planned(Moment(self.device, seen, decided))

    # -- the agent

    @rule(fates=st.lists(FATES, max_size=5))
    def plans_and_acts(self, fates: list[Fate]) -> None:
        told = chain(fates, repeat(Fate.DONE))
        self.device.round(lambda _: next(told))

    @rule()
    def has_a_good_hour(self) -> None:
        self.device.without_foreign_locks()
        for _ in range(12):
            self.device.round()
            self.device.pass_time(20.0)

    @precondition(lambda self: self.device.under_way)
    @rule(place=st.integers(0, 9), fate=FATES.filter(lambda fate: fate is not Fate.DELAYED))
    def hears_of_a_step(self, place: int, fate: Fate) -> None:
        self.device.end_of(place % len(self.device.under_way), fate)

    @rule(done=st.booleans())
    def is_lost_and_started_again(self, *, done: bool) -> None:
        self.device.lose_agent(lambda _: done)

    @rule(span_s=st.sampled_from((1.0, 20.0, 400.0)))
    def time_passes(self, span_s: float) -> None:
        self.device.pass_time(span_s)

    @rule(data=st.data())
    def gets_a_new_release(self, data: st.DataObject) -> None:
        for app_id, app in self.apps.items():
            self.apps = {**self.apps, app_id: data.draw(variants(app, images=self._images))}
        self.device.take_target(worked_out(self.apps, version=2))

    @rule(data=st.data(), app_id=st.sampled_from((1, 2)))
    def gets_another_app(self, data: st.DataObject, app_id: int) -> None:
        self.apps = {i: app for i, app in self.apps.items() if i != app_id}
        if data.draw(st.booleans()):
            fresh = app_documents(app_id, images=self._images, possible=self._law.possible)
            self.apps = {**self.apps, app_id: data.draw(fresh)}
        self.device.take_target(worked_out(self.apps, version=2))

    # -- people

    @rule(data=st.data())
    def a_person_wishes(self, data: st.DataObject) -> None:
        intent = data.draw(wishes(self.device, possible=self._law.possible))
        if intent is not None:
            rest = [i for i in self.device.world.intents if _key(i) != _key(intent)]
            self._set(intents=(*rest, intent))

    @rule()
    def a_person_takes_wishes_back(self) -> None:
        purges = [i for i in self.device.world.intents if i.kind is IntentKind.PURGE]
        self._set(intents=tuple(purges))

    @rule(
        app_id=st.sampled_from((1, 2)), owner=st.sampled_from((LockOwner.PERSON, LockOwner.SERVICE))
    )
    def somebody_locks(self, app_id: int, owner: LockOwner) -> None:
        until_s = self.device.world.now_s + 60.0 if owner is LockOwner.PERSON else None
        lock = Lock(app_id=app_id, owner=owner, holder="someone", until_s=until_s)
        rest = [k for k in self.device.world.locks if (k.app_id, k.owner) != (app_id, owner)]
        self._set(locks=(*rest, lock))

    @rule()
    def all_locks_are_let_go(self) -> None:
        self.device.without_foreign_locks()

    @rule()
    def a_person_wants_rejected_releases_tried_again(self) -> None:
        known = self.device.world.releases
        self._set(releases=Releases(good=known.good, candidates=known.candidates))

    # -- the world

    @rule(data=st.data())
    def something_happens_to_a_container(self, data: st.DataObject) -> None:
        world = self.device.world
        if not world.containers:
            return
        found = data.draw(st.sampled_from(world.containers))
        spec = self.device.engine.requests[found.id].spec
        match data.draw(
            st.sampled_from(
                ("ends", "goes", "freezes", "doubles", "drifts", "leaves", "joins", "is sick")
            )
        ):
            case "ends" if found.state in ACTIVE:
                self._change(found.id, state=ContainerState.EXITED, exit_code=137, health=None)
            case "goes":
                self._set(containers=tuple(c for c in world.containers if c.id != found.id))
            case "freezes" if found.state is ContainerState.RUNNING:
                self.device.world = with_state(world, found.id, ContainerState.PAUSED)
            case "doubles" if not spec.ports:
                again = f"d{len(self.device.engine.requests)}"
                self.device.engine.requests[again] = self.device.engine.requests[found.id]
                self.device.truly_for[again] = str(found.spec_hash)
                twin = replace(found, id=again, name=f"{found.name}-{again}")
                self._set(containers=(*world.containers, twin))
            case "drifts":
                self.device.notice_drift(found.id)
            case "leaves" if found.networks:
                self._change(found.id, networks=found.networks[1:])
            case "joins":
                self._change(found.id, networks=(*found.networks, LAN))
            case "is sick" if found.health:
                self._change(found.id, health="unhealthy")
            case _:
                pass

    @rule()
    def the_engine_is_restarted(self) -> None:
        locks = tuple(k for k in self.device.world.locks if k.owner is not LockOwner.SERVICE)
        self.device.world = self.device.engine.restarts(self.device.world)
        self._set(handed_over=frozenset(), locks=locks)

    @rule(data=st.data())
    def the_new_one_takes_over(self, data: st.DataObject) -> None:
        ids = [c.id for c in self.device.world.containers]
        if ids:
            self._set(handed_over=frozenset({data.draw(st.sampled_from(ids))}))

    @rule(reference=st.sampled_from(("docker.io/library/web:1", "docker.io/library/db:1")))
    def a_tag_moves(self, reference: str) -> None:
        moves = self.device.engine.moves
        self.device.engine.moves = {**moves, reference: moves.get(reference, 0) + 1}

    @rule(data=st.data())
    def somebody_removes_an_image(self, data: st.DataObject) -> None:
        seen = self.device.world.resources or Resources()
        used = {c.image_id for c in self.device.world.containers}
        free = [i for i in seen.images if i.id not in used]
        if free:
            gone = data.draw(st.sampled_from(free))
            images = tuple(i for i in seen.images if i != gone)
            self._set(resources=replace(seen, images=images))

    @rule(data=st.data())
    def there_is_other_room(self, data: st.DataObject) -> None:
        self._set(host=data.draw(host_rooms(possible=self._law.possible)))

    def teardown(self) -> None:
        if not hasattr(self, "device"):
            return
        self.device.without_foreign_locks()
        needed = {
            (service.app_id, dependency.service)
            for app in self.device.aimed_apps()
            for service in app.services
            for dependency in service.depends_on
        }
        # What others wait for is let go again. Service ids are names here.
        open_ = [i for i in self.device.world.intents if (i.app_id, i.service_id) not in needed]
        self._set(host=PLENTY, intents=tuple(open_))
        note("from now on all goes well")
        self._law.ended(self.device)

    # -- helpers

    def _set(self, **facts: Any) -> None:
        self.device.world = replace(self.device.world, **facts)

    def _change(self, container_id: str, **facts: Any) -> None:
        self.device.world = changed(self.device.world, container_id, **facts)


def _key(intent: Intent) -> tuple[IntentKind, int, str]:
    return intent.kind, intent.app_id, intent.service_id
