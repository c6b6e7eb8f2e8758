"""What a round finds out about one app."""

from __future__ import annotations

from dataclasses import dataclass, field

from iotistic.planner.step import Step, Wait
from iotistic.planner.wanted import WantedApp


@dataclass(slots=True)
class Part:
    """What a round found out about one app.

    `unsettled` are the keys of services that are not as wanted. `held_back` are services that a
    person stopped. `needs_resources`: nothing can be said without them.
    """

    app_id: int
    app: WantedApp | None = None
    wanted: frozenset[str] = frozenset()
    unsettled: set[str] = field(default_factory=set)
    rejection: str = ""
    steps: list[Step] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    overdue: str = ""
    needs_resources: bool = False

    def take(self, found: Step | Wait | None) -> None:
        """Add a step or a wait."""
        if isinstance(found, Step):
            self.steps.append(found)
        elif found is not None:
            self.waits.append(found)
