"""What the reconciler knows at this moment, for the report and the Device API."""

from __future__ import annotations

from dataclasses import dataclass, field

from iotistic.model.errors import IotisticError
from iotistic.model.observation import Container
from iotistic.model.target import TargetState
from iotistic.planner.step import Plan
from iotistic.planner.world import Attempt, Intent, Lock, Releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The last round's facts and decisions.

    `target` None: no target was ever accepted. `refusal` is why the newest offered target was not
    accepted (`offered_version` is its version); what was accepted before stays in force.
    `engine_error` is set while the engine cannot be asked, `look_error` while something else is in
    the way of looking; then `containers` are as last seen.
    `changed` grows whenever anything here changes. `rounds` counts the looks at the engine, and
    `decided_at_ms` is the wall clock of the last one; they alone are no change.
    """

    changed: int = 0
    target: TargetState | None = None
    offered_version: int | None = None
    refusal: IotisticError | None = None
    containers: tuple[Container, ...] = ()
    plan: Plan = field(default_factory=Plan)
    attempts: tuple[Attempt, ...] = ()
    intents: tuple[Intent, ...] = ()
    locks: tuple[Lock, ...] = ()
    releases: Releases = field(default_factory=Releases)
    engine_error: IotisticError | None = None
    look_error: IotisticError | None = None
    rounds: int = field(default=0, compare=False)
    decided_at_ms: int | None = field(default=None, compare=False)

    @property
    def engine_answers(self) -> bool:
        """The engine was looked at, and the last look was answered."""
        return self.rounds > 0 and self.engine_error is None
