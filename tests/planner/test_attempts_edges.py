"""How long a failure is waited for, to the second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotistic.planner.attempts import (
    RETRY_CAP_S,
    STABLE_S,
    failed,
    find,
    healed,
    retry_delay_s,
)
from iotistic.planner.step import Step
from iotistic.planner.world import Attempt, StepKind, Subject, World

WEB = Subject(app_id=1001, kind="service", name="web")
START = Step(kind=StepKind.START, subject=WEB, reason="made, not started", purpose="1:abc")
HEAL = Step(kind=StepKind.HEAL, subject=WEB, reason="ended with code 1", purpose="1:abc")
BEFORE = Attempt(
    subject=WEB, step=StepKind.START, count=3, not_before_s=900.0, purpose="1:abc",
    code="engine-refused", message="no", failed_at_ms=5,
)  # fmt: skip


@pytest.mark.parametrize(
    ("count", "delay_s"),
    [(1, 1.0), (2, 2.0), (3, 4.0), (8, 128.0), (9, 256.0), (10, 300.0), (10_000, 300.0)],
)
def test_the_wait_doubles_up_to_five_minutes(count: int, delay_s: float) -> None:
    assert retry_delay_s(count) == delay_s


def test_a_wait_may_start_from_another_span() -> None:
    assert [retry_delay_s(n, base_s=0.5) for n in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert retry_delay_s(31, base_s=1e-9) == pytest.approx(2**30 * 1e-9)
    assert retry_delay_s(40, base_s=1e-9) == pytest.approx(2**30 * 1e-9)
    assert (RETRY_CAP_S, STABLE_S) == (300.0, 600.0)


def _fails(before: Attempt | None, **facts: Any) -> Attempt:
    told: dict[str, Any] = {
        "now_s": 1000.0,
        "now_ms": 7,
        "code": "c",
        "message": "m",
        "wait_s": None,
    } | facts
    return failed(START, before, **told)


FAILED_ONCE = Attempt(
    subject=WEB, step=StepKind.START, count=1, not_before_s=1001.0, purpose="1:abc", code="c",
    message="m", failed_at_ms=7,
)  # fmt: skip


def test_a_first_failure_is_recorded_whole() -> None:
    assert _fails(None) == FAILED_ONCE


def test_failures_in_a_row_are_counted_and_waited_for_longer() -> None:
    assert _fails(BEFORE) == replace(FAILED_ONCE, count=4, not_before_s=1008.0)


def test_a_failure_for_another_purpose_is_a_first_one() -> None:
    assert _fails(replace(BEFORE, purpose="1:old")) == FAILED_ONCE


@pytest.mark.parametrize(("wait_s", "until_s"), [(0.5, 1001.0), (30.0, 1030.0)])
def test_what_the_other_side_asks_for_is_never_undercut(wait_s: float, until_s: float) -> None:
    assert _fails(None, wait_s=wait_s).not_before_s == until_s


HEALED_ONCE = Attempt(
    subject=WEB, step=StepKind.HEAL, count=1, not_before_s=1001.0, purpose="1:abc",
    code="service-ended", message="ended with code 1", failed_at_ms=7,
)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "count"),
    [
        pytest.param(None, 1, id="the first time"),
        pytest.param(replace(BEFORE, not_before_s=990.0), 4, id="again, soon after"),
        pytest.param(replace(BEFORE, not_before_s=400.5), 4, id="again, just before it is stable"),
        pytest.param(replace(BEFORE, not_before_s=400.0), 1, id="after ten quiet minutes"),
        pytest.param(replace(BEFORE, purpose="1:old"), 1, id="of another specification"),
    ],
)
def test_a_service_that_keeps_ending_is_made_again_ever_later(
    before: Attempt | None, count: int
) -> None:
    record = healed(HEAL, before, now_s=1000.0, now_ms=7)

    assert record == replace(HEALED_ONCE, count=count, not_before_s=1000.0 + 2 ** (count - 1))


def test_the_failures_of_one_kind_on_one_subject_are_found() -> None:
    other = replace(BEFORE, subject=replace(WEB, name="db"))
    stop = replace(BEFORE, step=StepKind.STOP)
    world = World(now_s=1.0, attempts=(other, stop, BEFORE))

    assert find(world, WEB, StepKind.START) == BEFORE
    assert find(world, WEB, StepKind.STOP) == stop
    assert find(world, WEB, StepKind.PULL) is None
