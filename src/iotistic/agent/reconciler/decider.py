"""Comes to a decision: look, plan, look closer, make the plan's notes, plan again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.aim import Aim
from iotistic.agent.reconciler.keeper import Keeper
from iotistic.agent.reconciler.observer import Observer
from iotistic.agent.store import Store
from iotistic.model.errors import IotisticError
from iotistic.planner.plan import plan
from iotistic.planner.policy import Policy
from iotistic.planner.step import Plan, Step
from iotistic.planner.world import Attempt, StepKind, Subject, World

DECISIONS_MAX = 8
"""How often one round plans anew after it made notes; the next round goes on."""

LOOKS_MAX = 4
"""How often one plan is made anew after a closer look; the next round goes on."""


class Decider:
    """What one round decides. Of all steps only notes in the store are done here."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        log: AgentLogger,
        policy: Policy,
        aim: Aim,
        observer: Observer,
        keeper: Keeper,
        in_flight: Callable[[], frozenset[Subject]],
        attempts: Callable[[], tuple[Attempt, ...]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._policy = policy
        self._aim = aim
        self._observer = observer
        self._keeper = keeper
        self._in_flight = in_flight
        self._attempts = attempts
        self.look_took_s = 0.0
        self._trouble = ""

    async def decide(self, *, full: bool, may_act: bool) -> tuple[World, Plan, bool]:
        """The world, the plan, and whether a full look is due after it.

        Between the last plan and the return nothing is awaited. Raises what a look may.
        """
        started_s = self._clock.now_s()
        world = await self._look(full=full, tidy=may_act)
        world, decided = await self._closer(world, tidy=may_act)
        self.look_took_s = self._clock.now_s() - started_s
        is_old = False
        for _ in range(DECISIONS_MAX if may_act else 0):
            notes = [step for step in decided.steps if step.kind.is_journal]
            if not notes or not await self._note(notes):
                break
            # What only the release before needed may go after a commit.
            is_old = is_old or any(step.kind is StepKind.COMMIT for step in notes)
            world = await self._observer.noted(world)
            world, decided = await self._closer(world, tidy=may_act)
        return world, decided, is_old

    async def _closer(self, world: World, *, tidy: bool) -> tuple[World, Plan]:
        """The plan, after looks as close as it asks for; a closer one may ask for more."""
        decided = self._plan(world)
        for _ in range(LOOKS_MAX):
            if decided.needs_resources:
                world = await self._look(full=True, tidy=tidy)
            elif decided.needs_inspection:
                ids = decided.needs_inspection
                world = await self._observer.inspect(ids, world, self._aim.in_force)
            else:
                break
            decided = self._plan(world)
        return world, decided

    def _plan(self, world: World) -> Plan:
        return plan(world, self._aim.wanted, self._policy)

    async def _look(self, *, full: bool, tidy: bool) -> World:
        wanted = self._aim.in_force
        world = await self._observer.look(
            full=full, in_flight=self._in_flight(), attempts=self._attempts(), wanted=wanted
        )
        if full and tidy:
            await self._observer.tidy(world, wanted)
        return world

    async def _note(self, notes: Sequence[Step]) -> bool:
        """Make notes; whether there is something new to plan with."""
        planned_for, is_news = self._aim.target_hash, False
        async with self._aim.steady:
            if self._aim.target_hash != planned_for:
                return True
            for step in notes:
                try:
                    is_news |= await self._keeper.note(step, await self._document_of(step))
                except IotisticError as error:
                    self._tell(error.code, step)
                    is_news = False  # or it would be tried again at once
                    break
            else:
                self._tell("", notes[0])
            await self._aim.learn_good()
        return is_news

    def _tell(self, code: str, step: Step) -> None:
        """Say once that notes cannot be made, and once that they can."""
        if code == self._trouble:
            return
        if code:
            self._log.warning("note not made", step=step.kind, subject=str(step.subject), code=code)
        else:
            self._log.info("notes can be made again")
        self._trouble = code

    async def _document_of(self, step: Step) -> Any:
        """The app as the wire had it, if that is still the release that the step is about."""
        stored = await self._store.target()
        hashes = {app.app_id: app.release_hash for app in self._aim.wanted.apps}
        if stored is None or stored.state_hash != self._aim.target_hash:
            return None
        if hashes.get(step.subject.app_id) != step.release_hash:
            return None
        return stored.apps.get(str(step.subject.app_id))
