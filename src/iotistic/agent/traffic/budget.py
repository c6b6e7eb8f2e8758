"""How a month's budget is made to last: facts in, one value out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
"""By how much intervals may be stretched. Few steps, since each change is told in a report."""
GRACE_SHARE = 1 / 30
"""The first day's share may be used at any time of that day: of an hour nobody can say what a
month will be."""
RELAX_AT = 0.6
"""A step is taken back when so much of it is enough, so that it does not come and go."""


class Stage(StrEnum):
    """What a budget leaves of the traffic."""

    FREE = "free"
    """Everything, as the intervals say."""
    TIGHT = "tight"
    """At longer intervals, without debug and info lines."""
    SCARCE = "scarce"
    """Metrics and log lines wait as well."""
    EXHAUSTED = "exhausted"
    """Only what a device must say: slow polls, events, signs of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What may be done now: intervals are `stretch` times as long as they are meant to be."""

    stretch: float = 1.0
    is_exhausted: bool = False

    @property
    def stage(self) -> Stage:
        """In words."""
        if self.is_exhausted:
            return Stage.EXHAUSTED
        if self.stretch < STEPS[1]:
            return Stage.FREE
        return Stage.TIGHT if self.stretch < STEPS[3] else Stage.SCARCE


UNLIMITED = Allowance()


def allowance(
    budget_bytes: int, used_bytes: int, *, elapsed: float, before: Allowance = UNLIMITED
) -> Allowance:
    """What a budget allows when `used_bytes` of it are gone and the share `elapsed` of its month.

    What was used so far tells the rate that is natural here, and what is left the one that lasts:
    intervals are stretched by what lies between the two. `before` is what was allowed until now.
    A budget of 0 is none.
    """
    if budget_bytes <= 0:
        return UNLIMITED
    if used_bytes >= budget_bytes:
        return Allowance(stretch=STEPS[-1], is_exhausted=True)
    used = used_bytes / budget_bytes
    elapsed = min(1.0, max(elapsed, GRACE_SHARE))
    needed = (used / elapsed) * ((1.0 - elapsed) / (1.0 - used))
    if not before.is_exhausted and RELAX_AT * before.stretch < needed <= before.stretch:
        return before
    return Allowance(stretch=next((step for step in STEPS if step >= needed), STEPS[-1]))
