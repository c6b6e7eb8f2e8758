"""The one loop that owns the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.container_manager import ContainerManager
from iotistic.agent.reconciler.intake import Taken, TargetIntake
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.store import Store
from iotistic.engines.protocol import Engine
from iotistic.model.errors import (
    EngineUnavailable,
    InvalidField,
    IotisticError,
    Refused,
    Unavailable,
)
from iotistic.model.words import LogComponent
from iotistic.planner import attempts
from iotistic.planner.plan import fulfilled, plan
from iotistic.planner.policy import Policy
from iotistic.planner.step import Plan, Step
from iotistic.planner.wanted import NOTHING_WANTED, Wanted, work_out
from iotistic.planner.world import Attempt, Intent, StepKind, Subject, World

ROUND_SPACING_S = 0.05
_SPACING_PER_LOOK = 1.0
"""A round that follows at once waits this many times as long as the last look took, so that
looking never takes more than half of the time, whatever the engine's speed. Measured on two cores
beside a shell loop of `docker run`, 10 services: with 1 0.64 of its time, with 3 0.75; less than 1
gains nothing, since the engine then answers the looks instead of starting containers."""
FULL_LOOK_EVERY_S = 600.0
EVENT_ECHOES_S = (0.2, 2.0)
"""How long after an event to look once more. Docker says "die" before its listing does: a look at
the event alone may see the container still running, and no other event would follow."""
_ENGINE_RETRY_CAP_S = 30.0
_MAKES_RESOURCES_STALE = (
    StepKind.PULL,
    StepKind.CREATE_NETWORK,
    StepKind.REMOVE_NETWORK,
    StepKind.CREATE_VOLUME,
    StepKind.REMOVE_VOLUME,
    StepKind.REMOVE,
)


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
        interval_s: Callable[[], float],
        may_act: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._log = log.bind(component=LogComponent.STATE_RECONCILER)
        self._policy = policy
        self._interval_s = interval_s
        self._may_act = may_act
        self._on_change = on_change
        self._manager = ContainerManager(engine, store, clock, log, self._touch)
        self._wake = asyncio.Event()
        self._in_flight: dict[Subject, Step] = {}
        self._attempts: dict[tuple[Subject, StepKind], Attempt] = {}
        self._wanted: Wanted = NOTHING_WANTED
        self._target_hash: str | None = None
        self._snapshot = Snapshot()
        self._full_look = True
        self._full_look_at_s = 0.0
        self._look_took_s = 0.0
        self._engine_failures = 0
        self._echoes_s: tuple[float, ...] = ()
        self._intake = TargetIntake(store, clock, self._log)

    def last_words(self, subject: Subject) -> Sequence[str]:
        """The last lines of a service's container that ended and was made anew."""
        return self._manager.last_words(subject)

    @property
    def wanted(self) -> Wanted:
        """The target as the planner uses it."""
        return self._wanted

    def snapshot(self) -> Snapshot:
        """The last round's facts and decisions."""
        return self._snapshot

    def wake(self) -> None:
        """Look again soon."""
        self._wake.set()

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
                self._adopt(taken)

    async def offer_target(self, document: Any, etag: str | None) -> None:
        """Take a target as it came from the cloud: validated, stored, then acted upon.

        Raises InvalidField or Refused, or Unavailable when it could not be stored; then what was
        held before stays in force.
        """
        try:
            taken = await self._intake.take(document, etag)
        except (InvalidField, Refused, Unavailable) as error:
            version = document.get("version") if isinstance(document, dict) else None
            self._refuse(version if isinstance(version, int) else None, error)
            raise
        if taken is None:
            return
        if taken.is_new:
            # A new target is a new chance for everything that failed under the old one.
            await self.forget_failures([attempt.subject for attempt in self._attempts.values()])
        self._adopt(taken)

    def _adopt(self, taken: Taken) -> None:
        identity = self._store.identity
        self._target_hash = taken.state_hash
        self._wanted = work_out(
            taken.target,
            uuid=identity.uuid,
            hash_key=bytes.fromhex(identity.hash_key.reveal()),
            policy=self._policy,
        )
        self._update(target=taken.target, refusal=None, offered_version=taken.target.version)
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

    async def run(self) -> None:
        """Reconcile until cancelled. May be cancelled or killed at any `await`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="engine-events")
            while True:
                self._wake.clear()
                pause_s = await self._round(group)
                await sleep_unless(self._wake, pause_s, self._clock)
                await self._clock.sleep(max(ROUND_SPACING_S, _SPACING_PER_LOOK * self._look_took_s))

    async def look(self) -> Plan:
        """One look and its plan, without doing anything."""
        world, decided = await self._look_and_plan(full=False)
        self._record(world, decided)
        return decided

    async def _round(self, group: asyncio.TaskGroup) -> float:
        """Look, decide, set off what is safe; the longest time to sleep is the answer."""
        now_s = self._clock.now_s()
        full = self._full_look or now_s >= self._full_look_at_s + FULL_LOOK_EVERY_S
        self._full_look = False
        try:
            world, decided = await self._look_and_plan(full=full)
        except EngineUnavailable as error:
            self._full_look = True
            return self._engine_is_away(error)
        self._engine_failures = 0
        # No await from the plan to here: what is set off belongs to the target that is held now.
        decided_for = self._target_hash
        done = fulfilled(world, self._wanted)
        self._record(world, decided)
        for step in decided.steps if self._may_act() else ():
            if step.subject not in self._in_flight:
                self._in_flight[step.subject] = step
                group.create_task(self._execute(step), name=f"step {step.kind} {step.subject}")
        for intent in done:
            await self._store.remove_intent(intent)
            self.wake()
        if decided.settled and decided_for is not None:
            await self._mark_applied(decided_for)
        self._echoes_s = tuple(at_s for at_s in self._echoes_s if at_s > world.now_s)
        due_s = [*self._echoes_s, *(() if decided.ask_again_s is None else (decided.ask_again_s,))]
        spans_s: list[float] = [max(0.0, at_s - world.now_s) for at_s in due_s]
        return min(self._interval_s(), *spans_s, FULL_LOOK_EVERY_S)

    async def _look_and_plan(self, *, full: bool) -> tuple[World, Plan]:
        started_s = self._clock.now_s()
        world = await self._look(full=full)
        decided = plan(world, self._wanted, self._policy)
        if decided.needs_resources:
            world = await self._look(full=True)
            decided = plan(world, self._wanted, self._policy)
        self._look_took_s = self._clock.now_s() - started_s
        return world, decided

    async def _look(self, *, full: bool) -> World:
        # Taken before looking: a step that ends meanwhile may have been seen half done.
        in_flight = frozenset(self._in_flight)
        containers = await self._engine.containers()
        resources = await self._engine.resources() if full else None
        if full:
            self._full_look_at_s = self._clock.now_s()
        return World(
            now_s=self._clock.now_s(),
            containers=containers,
            resources=resources,
            in_flight=in_flight,
            pulling=self._manager.pulling,
            attempts=tuple(self._attempts.values()),
            intents=await self._store.intents(),
        )

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
            if step.kind in _MAKES_RESOURCES_STALE:
                self._full_look = True
            self.wake()

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async for event in self._engine.events():
                    failures = 0
                    if event.kind in ("network", "volume"):
                        self._full_look = True
                    now_s = self._clock.now_s()
                    self._echoes_s = tuple(now_s + span_s for span_s in EVENT_ECHOES_S)
                    self.wake()
            except IotisticError as error:
                self._log.debug("engine events broke off", code=error.code)
            failures += 1
            await self._clock.sleep(min(_ENGINE_RETRY_CAP_S, 0.5 * 2.0 ** min(failures, 10)))
            # Whatever happened while nobody listened shows in the next look.
            self.wake()

    def _engine_is_away(self, error: EngineUnavailable) -> float:
        self._engine_failures += 1
        if self._engine_failures == 1:
            self._log.warning("engine unavailable", code=error.code, error=str(error))
        if self._snapshot.engine_error is None or self._snapshot.engine_error.code != error.code:
            self._update(engine_error=error)
        return attempts.retry_delay_s(min(self._engine_failures, 5), base_s=0.5)

    def _record(self, world: World, decided: Plan) -> None:
        if self._snapshot.engine_error is not None:
            self._log.info("engine is back")
        self._update(
            containers=tuple(
                sorted(world.containers, key=lambda c: (c.app_id, c.service_id, c.id))
            ),
            plan=decided,
            attempts=world.attempts,
            intents=world.intents,
            engine_error=None,
            rounds=self._snapshot.rounds + 1,
            decided_at_ms=self._clock.wall_ms(),
        )

    def _update(self, **fields: Any) -> None:
        before = self._snapshot
        values = {name: getattr(before, name) for name in before.__dataclass_fields__} | fields
        after = Snapshot(**values)
        if after == before:
            self._snapshot = after
            return
        self._snapshot = Snapshot(**(values | {"changed": before.changed + 1}))
        self._on_change()

    def _touch(self) -> None:
        self._on_change()

    async def _mark_applied(self, state_hash: str) -> None:
        stored = await self._store.target()
        if stored is None or stored.state_hash != state_hash or stored.applied_at_ms is not None:
            return
        await self._store.mark_applied(state_hash, self._clock.wall_ms())
        self._log.info("target reached", version=stored.version)
        self._on_change()
