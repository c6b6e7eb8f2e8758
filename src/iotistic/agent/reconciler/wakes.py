"""What wakes the loop: the engine's events, and when to look again after one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.engines.protocol import Engine, EngineEvent
from iotistic.model.errors import IotisticError
from iotistic.planner.step import Plan
from iotistic.planner.world import World

EVENT_ECHOES_S = (0.2, 2.0)
"""How long after an event to look once more. Docker says "die" before its listing does: a look at
the event alone may see the container still running, and no other event would follow."""
_RETRY_CAP_S = 30.0
_AGAIN_S = 5.0
_STABLE_S = 10.0
"""A stream that lasted so long was well. An engine that ends each after its first event is not
asked again at once for ever."""


class Wakes:
    """The bell of the loop. A ring is never lost: it counts until the loop has looked."""

    def __init__(self, engine: Engine, clock: Clock, log: AgentLogger) -> None:
        self._engine = engine
        self._clock = clock
        self._log = log
        self._echoes_s: tuple[float, ...] = ()
        self.bell = asyncio.Event()

    def ring(self) -> None:
        """Look again soon."""
        self.bell.set()

    def due_in_s(self, world: World, decided: Plan) -> float:
        """Seconds until there is something to look at, without a ring; infinite if nothing is."""
        self._echoes_s = tuple(at_s for at_s in self._echoes_s if at_s > world.now_s)
        due_s = [*self._echoes_s]
        if decided.ask_again_s is not None:
            due_s.append(decided.ask_again_s)
        lacking = decided.needs_resources or decided.needs_inspection
        if lacking or any(step.kind.is_journal for step in decided.steps):
            due_s.append(world.now_s + _AGAIN_S)  # what could not be done just now
        return min((max(0.0, at_s - world.now_s) for at_s in due_s), default=math.inf)

    async def listen(
        self, heard: Callable[[EngineEvent], None], missed: Callable[[], None]
    ) -> None:
        """Ring at every event, until cancelled. Events may be lost: the loop's timer makes up.

        `missed` is called when nobody has listened for a while, which is so at the start.
        """
        failures = 0
        while True:
            missed()
            began_s = self._clock.now_s()
            try:
                async for event in self._engine.events():
                    heard(event)
                    now_s = self._clock.now_s()
                    self._echoes_s = tuple(now_s + span_s for span_s in EVENT_ECHOES_S)
                    self.ring()
            except IotisticError as error:
                self._log.debug("engine events broke off", code=error.code)
            failures = 1 if self._clock.now_s() - began_s >= _STABLE_S else failures + 1
            await self._clock.sleep(min(_RETRY_CAP_S, 0.5 * 2.0 ** min(failures, 10)))
            # Whatever happened while nobody listened shows in the next look.
            self.ring()
