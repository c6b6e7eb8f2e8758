"""The one loop that owns the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.host.daemon_thread import in_daemon_thread
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.aim import Aim
from iotistic.agent.reconciler.container_manager import ContainerManager
from iotistic.agent.reconciler.decider import Decider
from iotistic.agent.reconciler.engine_trouble import EngineTrouble
from iotistic.agent.reconciler.folders import HostFolders
from iotistic.agent.reconciler.intake import Taken, TargetIntake
from iotistic.agent.reconciler.journal import Journaling
from iotistic.agent.reconciler.keeper import Keeper
from iotistic.agent.reconciler.last_words import LastWords, secrets_in
from iotistic.agent.reconciler.observer import CHANGES_RESOURCES, Observer
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.reconciler.wakes import Wakes
from iotistic.agent.store import Store
from iotistic.engines.protocol import Engine, EngineEvent
from iotistic.model.errors import InvalidField, IotisticError, Refused, Unavailable
from iotistic.model.observation import Container
from iotistic.model.target import parse_target
from iotistic.model.words import LogComponent
from iotistic.planner.foresight import Foreseen, foresee
from iotistic.planner.plan import plan
from iotistic.planner.policy import Policy
from iotistic.planner.releases import aimed
from iotistic.planner.step import Plan, Step
from iotistic.planner.wanted import Wanted
from iotistic.planner.wishes import completed, fulfilled
from iotistic.planner.world import Attempt, Intent, StepKind, Subject, World

ROUND_SPACING_S = 0.05
_SPACING_PER_LOOK = 1.0
"""A round that follows at once waits this many times as long as the last look took, so that
looking never takes more than half of the time, whatever the engine's speed. Measured on two cores
beside a shell loop of `docker run`, 10 services: with 1 0.64 of its time, with 3 0.75; less than 1
gains nothing, since the engine then answers the looks instead of starting containers."""
FULL_LOOK_EVERY_S = 600.0
ROUND_MAX_S = 600.0
"""A round that takes longer is stuck: the deadlines of all its calls together are shorter."""


class StateReconciler:
    """Brings the device to its target, one safe round at a time.

    Level-triggered: a new target, an engine event, the end of a step, a wish and the timer only
    wake the loop; what is true is read again from the engine. Looking costs one listing call;
    images, networks and volumes are looked at when a decision needs them. While `may_act` says no
    it looks and explains, and does nothing.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        store: Store,
        clock: Clock,
        log: AgentLogger,
        policy: Policy,
        folders: HostFolders,
        runtime_dir: str,
        interval_s: Callable[[], float],
        may_act: Callable[[], bool],
        on_change: Callable[[], None],
        promise: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._promise = promise
        self._log = log.bind(component=LogComponent.STATE_RECONCILER)
        self._policy = policy
        self._interval_s = interval_s
        self._may_act = may_act
        self._on_change = on_change
        self._aim = Aim(store, self._log, policy=policy, runtime_dir=runtime_dir)
        self._wakes = Wakes(engine, clock, self._log)
        self._journal = Journaling(store, clock)
        self._words = LastWords(
            engine, self._log, secrets_of=lambda app_id: secrets_in(self._aim.wanted, app_id)
        )
        self._manager = ContainerManager(
            engine,
            store,
            clock,
            log,
            folders=folders,
            journal=self._journal,
            words=self._words,
            on_change=on_change,
        )
        self._observer = Observer(
            engine=engine,
            store=store,
            clock=clock,
            log=self._log,
            folders=folders,
            pulling=lambda: self._manager.pulling,
        )
        self._decider = Decider(
            store=store,
            clock=clock,
            log=self._log,
            policy=policy,
            aim=self._aim,
            observer=self._observer,
            keeper=Keeper(
                store=store,
                clock=clock,
                log=self._log,
                folders=folders,
                journal=self._journal,
                last_words=self._words.of,
            ),
            # Taken before looking: a step that ends meanwhile may have been seen half done.
            in_flight=lambda: frozenset(self._in_flight),
            attempts=lambda: tuple(self._attempts.values()),
        )
        self._intake = TargetIntake(store, clock, self._log, forgiven=self._aim.forgiven)
        self._one_offer_at_a_time = asyncio.Lock()
        self._in_flight: dict[Subject, Step] = {}
        self._attempts: dict[tuple[Subject, StepKind], Attempt] = {}
        self._snapshot = Snapshot()
        self._full_look = True
        self._is_next_due = False
        self._trouble = EngineTrouble(self._log)
        self._store_fails = False

    def last_words(self, subject: Subject) -> Sequence[str]:
        """The last lines of a service's container that ended and was made anew."""
        return self._words.kept(subject)

    @property
    def wanted(self) -> Wanted:
        """What the device is brought to: good releases in the place of rejected ones."""
        return self._aim.in_force

    def snapshot(self) -> Snapshot:
        """The last round's facts and decisions."""
        return self._snapshot

    def wake(self) -> None:
        """Look again soon."""
        self._wakes.ring()

    async def load(self) -> None:
        """Take up the stored target, so that a start needs nobody but the engine."""
        self._attempts = {(a.subject, a.step): a for a in await self._store.attempts()}
        try:
            taken = await self._intake.stored()
        except InvalidField as error:
            # Another version of the agent took it. What runs goes on until a target fits.
            self._refuse(None, error)
        else:
            if taken is not None:
                await self._adopt(taken, is_answer=False)
                if taken.fault is not None:
                    self._refuse(taken.target.version, taken.fault)

    async def offer_target(self, document: Any, etag: str | None) -> None:
        """Take a target as it came from the cloud: validated, stored, then acted upon.

        Raises InvalidField or Refused, or Unavailable when it could not be stored; then what was
        held before stays in force.
        """
        async with self._one_offer_at_a_time:
            taken = await self._take(document, etag)
            if taken is None:
                return
            if taken.is_new:
                # A new target is a new chance for everything that failed under the old one.
                await self.forget_failures([a.subject for a in self._attempts.values()])
            await self._adopt(taken)

    async def keep_target(self, document: Any, etag: str | None) -> bool:
        """Take a target as `offer_target` does, without acting upon it; whether it is a new one."""
        async with self._one_offer_at_a_time:
            taken = await self._take(document, etag)
        return taken is not None and taken.is_new

    def show(self, error: IotisticError, containers: Sequence[Container]) -> None:
        """Show what is there, and why nothing is done about it, while `run` does not."""
        self._update(look_error=error, containers=tuple(containers))

    async def _take(self, document: Any, etag: str | None) -> Taken | None:
        try:
            return await self._intake.take(document, etag)
        except (InvalidField, Refused, Unavailable) as error:
            version = document.get("version") if isinstance(document, dict) else None
            self._refuse(version if isinstance(version, int) else None, error)
            raise

    async def _adopt(self, taken: Taken, *, is_answer: bool = True) -> None:
        """Aim at it. Not `is_answer`: it is the stored one, and a newer may be refused by now."""
        try:
            await self._aim.adopt(taken)
        except Unavailable as error:
            # It is in the store and aimed at; what goes with it is taken up with the next note.
            self._log.warning("target taken up in part", code=error.code, error=str(error))
        if is_answer or self._snapshot.refusal is None:
            self._update(refusal=None, offered_version=taken.target.version)
        self._update(target=taken.target)
        self._full_look = True
        self.wake()

    def _refuse(self, version: int | None, error: IotisticError) -> None:
        self._log.warning("target refused", code=error.code, error=str(error))
        self._update(refusal=error, offered_version=version)

    async def intend(self, intent: Intent) -> None:
        """Record a person's wish, then look."""
        await self._store.save_intent(intent)
        self.wake()

    async def withdraw(self, intent: Intent) -> None:
        """Take a wish back, then look."""
        await self._store.remove_intent(intent)
        self.wake()

    async def forget_failures(self, subjects: list[Subject]) -> None:
        """Try again at once what is waiting after failures."""
        for subject in subjects:
            await self._store.clear_attempts(subject)
            for key in [key for key in self._attempts if key[0] == subject]:
                del self._attempts[key]
        self.wake()

    async def retry(self, app_id: int) -> None:
        """Try a release again that was taken back, and whatever failed of the app."""
        await self._store.releases.clear_rejections(app_id)
        images = {s.image for a in self.wanted.apps if a.app_id == app_id for s in a.services}
        await self.forget_failures(
            [
                attempt.subject
                for attempt in self._attempts.values()
                if attempt.subject.app_id == app_id or attempt.subject.name in images
            ]
        )
        await self._aim.learn_good()
        self._full_look = True
        self.wake()

    async def foresee(self, document: Any = None) -> tuple[World, Wanted, Foreseen]:
        """What would happen, by the target held now or by one that is not applied.

        Returns the world it starts from and what it aims at. Raises InvalidField, and what a look
        at the engine may.
        """
        wanted = self._aim.wanted
        if document is not None:
            target = await in_daemon_thread(lambda: parse_target(document))
            wanted = await in_daemon_thread(lambda: self._aim.work_out(target))
            wanted = replace(wanted, good=self._aim.wanted.good)
        world = await self._observer.look(
            full=True, in_flight=frozenset(), attempts=(), wanted=self._aim.in_force
        )
        decided = await in_daemon_thread(lambda: plan(world, wanted, self._policy))
        if decided.needs_inspection:
            in_force = aimed(wanted, world.releases)
            world = await self._observer.inspect(decided.needs_inspection, world, in_force)
        return world, wanted, await in_daemon_thread(lambda: foresee(world, wanted, self._policy))

    async def run(self) -> None:
        """Reconcile until cancelled. May be cancelled or killed at any `await`."""
        # A step that an end of an earlier run met before its first instant never said goodbye.
        self._in_flight.clear()
        async with asyncio.TaskGroup() as group:
            listening = self._wakes.listen(self._heard, self._observer.inspect_all_soon)
            group.create_task(listening, name="engine-events")
            while True:
                self._wakes.bell.clear()
                self._promise(ROUND_MAX_S)
                pause_s = await self._round(group)
                self._promise(pause_s + ROUND_MAX_S)
                await sleep_unless(self._wakes.bell, pause_s, self._clock)
                if self._is_next_due:
                    # Nothing else is under way that looking could hold up.
                    self._is_next_due = False
                    continue
                await self._clock.sleep(
                    max(ROUND_SPACING_S, _SPACING_PER_LOOK * self._decider.look_took_s)
                )

    async def look(self) -> Plan:
        """One look and its plan, without doing anything."""
        world, decided, _ = await self._decider.decide(full=False, may_act=False)
        self._record(world, decided)
        return decided

    async def _round(self, group: asyncio.TaskGroup) -> float:
        """Look, decide, set off what is safe; the longest time to sleep is the answer."""
        full_at_s = self._observer.full_look_at_s + FULL_LOOK_EVERY_S
        full = self._full_look or self._clock.now_s() >= full_at_s
        self._full_look = False
        may_act = self._may_act()
        try:
            world, decided, is_old = await self._decider.decide(full=full, may_act=may_act)
        except IotisticError as error:
            self._full_look = True
            pause_s, news = self._trouble.met(error, self._snapshot)
            self._update(**news)
            return pause_s
        if is_old:
            self._full_look = True
            self.wake()
        # No await from the plan to here: what is set off belongs to the target that is held now.
        decided_for = self._aim.target_hash
        done = fulfilled(world, self._aim.wanted)
        one_shots = completed(world, self._aim.wanted)
        self._record(world, decided)
        for step in decided.steps if may_act else ():
            if step.subject not in self._in_flight and not step.kind.is_journal:
                self._in_flight[step.subject] = step
                group.create_task(self._execute(step), name=f"step {step.kind} {step.subject}")
        try:
            await self._remember(world, decided, done, one_shots, decided_for)
        except Unavailable as error:
            # The next round finds it all again, and what is under way is not to end for it.
            if not self._store_fails:
                self._log.warning("round not remembered", code=error.code, error=str(error))
            self._store_fails = True
        else:
            self._store_fails = False
        return min(self._interval_s(), self._wakes.due_in_s(world, decided), FULL_LOOK_EVERY_S)

    async def _remember(
        self,
        world: World,
        decided: Plan,
        done: Sequence[Intent],
        one_shots: frozenset[Any],
        decided_for: str | None,
    ) -> None:
        for intent in done:
            await self._store.remove_intent(intent)
            self.wake()
        if one_shots != world.completed:
            await self._store.containers.save_completed(one_shots)
        if decided.settled and decided_for is not None:
            await self._mark_applied(decided_for)
        await self._journal.flush()
        await self._store.save_time_left()

    async def _execute(self, step: Step) -> None:
        key = (step.subject, step.kind)
        try:
            record = await self._manager.execute(step, self._attempts.get(key))
            if record is None:
                self._attempts.pop(key, None)
            else:
                self._attempts[key] = record
        finally:
            del self._in_flight[step.subject]
            self._full_look |= step.kind in CHANGES_RESOURCES
            self._is_next_due = not self._in_flight
            self.wake()

    def _heard(self, event: EngineEvent) -> None:
        self._full_look |= event.kind in ("network", "volume")
        if event.action == "update":
            self._observer.inspect_soon(event.id)

    def _record(self, world: World, decided: Plan) -> None:
        self._update(
            **self._trouble.over(self._snapshot),
            containers=tuple(
                sorted(world.containers, key=lambda c: (c.app_id, c.service_id, c.id))
            ),
            plan=decided,
            attempts=world.attempts,
            intents=world.intents,
            locks=world.locks,
            releases=world.releases,
            rounds=self._snapshot.rounds + 1,
            decided_at_ms=self._clock.wall_ms(),
        )

    def _update(self, **fields: Any) -> None:
        before = self._snapshot
        self._snapshot = after = replace(before, **fields)
        if after != before:
            self._snapshot = replace(after, changed=before.changed + 1)
            self._on_change()

    async def _mark_applied(self, state_hash: str) -> None:
        stored = await self._store.target()
        if stored is None or stored.state_hash != state_hash or stored.applied_at_ms is not None:
            return
        await self._store.mark_applied(state_hash, self._clock.wall_ms())
        self._log.info("target reached", version=stored.version)
        self._on_change()
