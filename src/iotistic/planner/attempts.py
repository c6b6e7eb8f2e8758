"""Failures as data: when a step that failed may be tried again.

Deterministic on purpose (the planner knows no randomness): one device's engine is not a fleet's
cloud, so nothing has to be spread here.
"""

from __future__ import annotations

from iotistic.planner.step import Step
from iotistic.planner.world import Attempt, StepKind, Subject, World

RETRY_BASE_S = 1.0
RETRY_CAP_S = 300.0
STABLE_S = 600.0
"""A service that ran this long after it was made again starts with a clean slate."""


def retry_delay_s(count: int, *, base_s: float = RETRY_BASE_S) -> float:
    """Seconds to wait after `count` failures in a row: doubling from `base_s`, at most 300."""
    return min(RETRY_CAP_S, base_s * 2.0 ** min(count - 1, 30))


def failed(
    step: Step,
    before: Attempt | None,
    *,
    now_s: float,
    now_ms: int,
    code: str,
    message: str,
    wait_s: float | None,
) -> Attempt:
    """The record of one more failure. `wait_s`: what the other side asked for, if it did."""
    count = before.count + 1 if before and before.purpose == step.purpose else 1
    delay_s = max(retry_delay_s(count), wait_s or 0.0)
    return Attempt(
        subject=step.subject,
        step=step.kind,
        count=count,
        not_before_s=now_s + delay_s,
        purpose=step.purpose,
        code=code,
        message=message,
        failed_at_ms=now_ms,
    )


def healed(step: Step, before: Attempt | None, *, now_s: float, now_ms: int) -> Attempt:
    """The record of a service that had ended and is being made again.

    The first time nothing is waited for; a service that keeps ending is made again ever later.
    """
    fresh = before is None or before.purpose != step.purpose or _is_stable(before, now_s)
    count = 1 if before is None or fresh else before.count + 1
    return Attempt(
        subject=step.subject,
        step=StepKind.HEAL,
        count=count,
        not_before_s=now_s + retry_delay_s(count),
        purpose=step.purpose,
        code="service-ended",
        message=step.reason,
        failed_at_ms=now_ms,
    )


def _is_stable(attempt: Attempt, now_s: float) -> bool:
    return now_s >= attempt.not_before_s + STABLE_S


def find(world: World, subject: Subject, kind: StepKind) -> Attempt | None:
    """The failures in a row of one kind of step on one subject."""
    for attempt in world.attempts:
        if attempt.subject == subject and attempt.step is kind:
            return attempt
    return None
