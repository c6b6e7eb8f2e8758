"""How a simulated engine's calls are done: counted, late, and wrong where a fault is on order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from iotistic.engines.simulated.access import Access
from iotistic.engines.simulated.daemon import Daemon
from iotistic.engines.simulated.faults import Fault, FaultKind, Faults
from iotistic.model.errors import EngineUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """How long calls take, in seconds."""

    list_s: float = 0.0
    mutate_s: float = 0.0
    start_s: float = 0.0
    stop_s: float = 0.0
    pull_s: float = 0.0


class Calls:
    """Does the calls of one engine object. `counts` is by the name of the method."""

    def __init__(self, access: Access, latencies: Latencies) -> None:
        self.access = access
        self.latencies = latencies
        self.faults = Faults()
        self.counts: Counter[str] = Counter()

    async def make(
        self,
        call: str,
        subject: str,
        change: Callable[[Daemon], T],
        *,
        half: Callable[[Daemon], object] | None = None,
        takes_s: float | None = None,
    ) -> T:
        """One call about `subject`; `half` is what is done of it when it is to be half done."""
        fault = await self.begin(call, subject)
        await self.take_time(self.latencies.mutate_s if takes_s is None else takes_s)
        kind = fault.kind if fault is not None else None

        def guarded(daemon: Daemon) -> T:
            check_up(daemon)
            if fault is not None and kind is FaultKind.FAIL:
                raise fault.error(call)
            if fault is not None and kind is FaultKind.HALF_DO:
                if half is not None:
                    half(daemon)
                raise fault.error(call)
            return change(daemon)

        result = await self.access.apply(guarded)
        if fault is not None and kind is FaultKind.LOSE_REPLY:
            raise fault.error(call)
        return result

    async def begin(self, call: str, subject: str) -> Fault | None:
        """Count it, and wait as long as its fault says; returns that fault."""
        self.counts[call] += 1
        if not self.faults.pending:
            return None
        names = await self.access.apply(
            lambda daemon: [c.name for c in daemon.state.containers.values() if c.id == subject]
        )
        fault = self.faults.take(call, " ".join((subject, *names)))
        if fault is not None:
            await self.take_time(fault.delay_s)
        return fault

    async def take_time(self, span_s: float) -> None:
        """Let time pass."""
        if span_s > 0:
            await self.access.clock.sleep(span_s)


def check_up(daemon: Daemon) -> None:
    """Raise EngineUnavailable when its API does not answer."""
    if daemon.state.down:
        raise EngineUnavailable("the simulated engine is down")
