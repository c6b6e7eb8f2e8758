"""A month's budget lasts, or is all but untouched when it is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.sync import CourierPace, SyncIntervals, intervals_for, pace_for
from iotistic.agent.traffic import Allowance, BandwidthProfile, LinkUse, Stage, allowance
from iotistic.agent.traffic.budget import STEPS, UNLIMITED
from iotistic.model.records import RecordClass

MB = 1_000_000
SHARES = st.floats(0.0, 1.0)
BUDGETS = st.integers(1, 100_000 * MB)
ALLOWANCES = st.one_of(
    st.sampled_from(STEPS).map(lambda stretch: Allowance(stretch=stretch)),
    st.just(Allowance(stretch=STEPS[-1], is_exhausted=True)),
)
USES = st.builds(LinkUse, profile=st.sampled_from(BandwidthProfile), allowance=ALLOWANCES)
ASKED = st.builds(
    SyncIntervals,
    poll_s=st.floats(1, 86_400),
    report_s=st.floats(1, 86_400),
    metrics_s=st.floats(1, 86_400),
)


@pytest.mark.parametrize(
    ("budget_mb", "used_mb", "elapsed", "stage"),
    [
        pytest.param(0, 10**6, 0.1, Stage.FREE, id="no budget"),
        pytest.param(100, 0, 0.0, Stage.FREE, id="a month begins"),
        pytest.param(100, 3, 0.01, Stage.FREE, id="a day's share within hours"),
        pytest.param(100, 50, 0.5, Stage.FREE, id="as fast as the month"),
        pytest.param(100, 60, 0.5, Stage.TIGHT, id="somewhat faster"),
        pytest.param(100, 60, 0.2, Stage.SCARCE, id="much faster"),
        pytest.param(100, 100, 0.99, Stage.EXHAUSTED, id="used up"),
        pytest.param(100, 120, 0.5, Stage.EXHAUSTED, id="overdrawn"),
        pytest.param(100, 99, 1.0, Stage.FREE, id="the month is over"),
    ],
)
def test_what_a_budget_allows(budget_mb: int, used_mb: int, elapsed: float, stage: Stage) -> None:
    assert allowance(budget_mb * MB, used_mb * MB, elapsed=elapsed).stage is stage


@given(BUDGETS, SHARES, SHARES, SHARES)
def test_who_has_used_more_is_not_allowed_more(
    budget: int, one: float, other: float, elapsed: float
) -> None:
    less, more = sorted((one, other))

    assert (
        allowance(budget, int(less * budget), elapsed=elapsed).stretch
        <= allowance(budget, int(more * budget), elapsed=elapsed).stretch
    )


@given(BUDGETS, SHARES, SHARES, ALLOWANCES)
def test_what_is_allowed_does_not_go_to_and_fro(
    budget: int, used: float, elapsed: float, before: Allowance
) -> None:
    once = allowance(budget, int(used * budget), elapsed=elapsed, before=before)

    assert allowance(budget, int(used * budget), elapsed=elapsed, before=once) == once


@given(rate=st.floats(0.1, 20.0))
def test_a_budget_lasts_for_the_month_at_any_rate(rate: float) -> None:
    """Traffic that is `rate` times the budget at the intervals that are meant, stretched."""
    budget, hours = 1000 * MB, 30 * 24
    used, before = 0.0, UNLIMITED
    changes = 0

    for hour in range(hours):
        now = allowance(budget, int(used), elapsed=hour / hours, before=before)
        changes += now != before
        before = now
        used += 0.0 if now.is_exhausted else rate * budget / hours / now.stretch

    assert used <= budget * 1.05
    assert used >= budget * min(rate, 0.75) - 1  # and it is not saved for nothing
    assert changes < 80  # each is told in a report


@given(ASKED, USES)
def test_intervals_are_never_shorter_than_asked_for_and_polls_never_stop(
    asked: SyncIntervals, use: LinkUse
) -> None:
    found = intervals_for(asked, use)

    assert found.poll_s >= asked.poll_s
    assert found.report_s >= asked.report_s
    assert found.metrics_s >= asked.metrics_s
    assert found.poll_s <= max(asked.poll_s, 3600)
    assert found.alive_s <= 6 * 3600


@given(USES)
def test_events_always_go_and_what_waits_depends_on_the_stage(use: LinkUse) -> None:
    held = pace_for(CourierPace(), use).held

    assert RecordClass.EVENT not in held
    expected = {
        Stage.FREE: set(),
        Stage.TIGHT: set(),
        Stage.SCARCE: {RecordClass.METRIC, RecordClass.LOG},
        Stage.EXHAUSTED: set(RecordClass) - {RecordClass.EVENT},
    }
    assert held == expected[use.allowance.stage]


def test_without_a_budget_and_in_the_normal_profile_all_is_as_asked_for() -> None:
    asked, pace = SyncIntervals(poll_s=7, report_s=8, metrics_s=9), CourierPace(log_s=5)

    assert intervals_for(asked, LinkUse()) == asked
    assert pace_for(pace, LinkUse()) == pace
