from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.sync import cadence
from iotistic.agent.sync.cadence import (
    ChannelHealth,
    PollTimes,
    ReportTimes,
    SyncIntervals,
    alive_after_s,
    look_due_s,
    poll_due_s,
    promise_s,
    retry_s,
)
from iotistic.agent.sync.channel import CredentialsRefused
from iotistic.model.errors import CloudUnavailable, IotisticError
from iotistic.model.words import ConnectionState

AWAY = CloudUnavailable("no answer")
NEW = ChannelHealth(since_ms=0)
ONLINE, DEGRADED, OFFLINE = ConnectionState


def after(outcomes: str) -> ChannelHealth:
    """`+` is a success, `-` a failure; each comes a millisecond after the one before."""
    health = NEW
    for at_ms, outcome in enumerate(outcomes, start=1):
        if outcome == "+":
            health = cadence.after_success(health, wall_ms=at_ms)
        else:
            health = cadence.after_failure(health, AWAY, wall_ms=at_ms)
    return health


@pytest.mark.parametrize(
    ("outcomes", "state", "since_ms"),
    [
        pytest.param("", OFFLINE, 0, id="nothing heard yet: offline"),
        pytest.param("-", OFFLINE, 0, id="still nothing heard"),
        pytest.param("+", ONLINE, 1, id="the first answer"),
        pytest.param("++", ONLINE, 1, id="online since the first answer"),
        pytest.param("+-", ONLINE, 1, id="one failure is an accident"),
        pytest.param("+--", DEGRADED, 3, id="two in a row: degraded"),
        pytest.param("+---", OFFLINE, 4, id="three in a row: offline"),
        pytest.param("+-----", OFFLINE, 4, id="offline since the third"),
        pytest.param("+-+-", ONLINE, 1, id="not in a row: online"),
        pytest.param("+---+", ONLINE, 5, id="any success: online"),
        pytest.param("+--+", ONLINE, 4, id="any success ends degraded"),
    ],
)
def test_how_a_channel_stands(outcomes: str, state: ConnectionState, since_ms: int) -> None:
    health = after(outcomes)

    assert (health.state, health.since_ms) == (state, since_ms)
    assert (health.error is None) == (not outcomes.endswith("-"))


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([ONLINE, ONLINE], ONLINE),
        ([ONLINE, DEGRADED], DEGRADED),
        ([OFFLINE, DEGRADED], OFFLINE),
        ([], OFFLINE),
    ],
)
def test_the_worst_channel_is_shown(states: list[ConnectionState], shown: ConnectionState) -> None:
    assert cadence.worst(states) is shown


def test_together_they_are_good_since_the_last_became_so_and_bad_since_the_first_did() -> None:
    good = replace(after("+"), since_ms=5), replace(after("+"), since_ms=9)
    bad = replace(after("---"), since_ms=5), replace(after("---"), since_ms=9)

    assert cadence.since_ms(good) == 9
    assert cadence.since_ms(bad) == 5
    assert cadence.since_ms((good[1], bad[0])) == 5


@pytest.mark.parametrize(
    ("failures", "error", "low_s", "high_s"),
    [
        pytest.param(1, AWAY, 0, 1, id="first failure: below 1 s"),
        pytest.param(4, AWAY, 0, 8, id="doubling"),
        pytest.param(50, AWAY, 0, 60, id="never above a minute"),
        pytest.param(1, CredentialsRefused("no"), 60, 67, id="refused: once a minute"),
        pytest.param(
            1, CloudUnavailable("busy", retry_after_s=120), 120, 133, id="the cloud's wish wins"
        ),
        pytest.param(9, CloudUnavailable("busy", retry_after_s=1), 1, 2.1, id="also if shorter"),
        pytest.param(
            1, CloudUnavailable("x", retry_after_s=1e9), 3600, 3961, id="a wish has its bounds"
        ),
        pytest.param(1, CloudUnavailable("x", retry_after_s=-5), 1, 2.1, id="in the past: soon"),
        pytest.param(1, CloudUnavailable("x", retry_after_s=0), 1, 2.1, id="at once: no flood"),
    ],
)
def test_how_long_to_wait_after_failures(
    failures: int, error: IotisticError, low_s: float, high_s: float
) -> None:
    waits = [retry_s(failures, error, Random(seed)) for seed in range(200)]

    assert low_s <= min(waits)
    assert max(waits) <= high_s
    assert max(waits) - min(waits) > 0.5 * min(1.0, high_s - low_s)  # spread, not in step


@pytest.mark.parametrize(
    ("times", "expected_s"),
    [
        pytest.param(PollTimes(), 100, id="the first is due at once"),
        pytest.param(PollTimes(began_s=90), 150, id="an interval after the one before"),
        pytest.param(PollTimes(began_s=90, factor=1.1), 156, id="a little longer"),
        pytest.param(PollTimes(began_s=90, retry_at_s=99), 99, id="after a failure: backoff"),
        pytest.param(PollTimes(began_s=90, asked_at_s=101), 101, id="a hint"),
        pytest.param(PollTimes(began_s=98, asked_at_s=99), 103, id="a hint: spacing is kept"),
        pytest.param(PollTimes(began_s=90, asked_at_s=200), 150, id="a hint delays nothing"),
        pytest.param(
            PollTimes(began_s=90, retry_at_s=130, asked_at_s=101),
            130,
            id="a hint shortens no backoff",
        ),
        pytest.param(
            PollTimes(began_s=90, retry_at_s=130, asked_at_s=101, asked_by_person=True),
            101,
            id="a person does",
        ),
        pytest.param(
            PollTimes(began_s=99, retry_at_s=130, asked_at_s=100, asked_by_person=True),
            104,
            id="but keeps the spacing",
        ),
    ],
)
def test_when_to_poll(times: PollTimes, expected_s: float) -> None:
    assert poll_due_s(times, interval_s=60, now_s=100) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("times", "expected_s"),
    [
        pytest.param(ReportTimes(), 100, id="the first look is due at once"),
        pytest.param(ReportTimes(ready_s=103), 103, id="or when there is something to see"),
        pytest.param(ReportTimes(looked_s=95), 105, id="an interval after the last look"),
        pytest.param(
            ReportTimes(looked_s=95, sent_s=50, changed_at_s=99), 100, id="a change: soon"
        ),
        pytest.param(
            ReportTimes(looked_s=99, sent_s=99, changed_at_s=100),
            109,
            id="a change right after a report: an interval apart",
        ),
        pytest.param(ReportTimes(looked_s=99, sent_s=99, alive_at_s=104), 104, id="a sign of life"),
        pytest.param(
            ReportTimes(looked_s=99, sent_s=99, retry_at_s=130, changed_at_s=99),
            130,
            id="a change shortens no backoff",
        ),
        pytest.param(
            ReportTimes(looked_s=99, sent_s=90, retry_at_s=130, asked_at_s=99.5),
            99.5,
            id="a person does",
        ),
        pytest.param(
            ReportTimes(looked_s=99, sent_s=99, asked_at_s=100), 104, id="but keeps the spacing"
        ),
    ],
)
def test_when_to_look_for_something_to_report(times: ReportTimes, expected_s: float) -> None:
    assert look_due_s(times, interval_s=10, now_s=100) == pytest.approx(expected_s)


SECONDS = st.floats(0, 1e6, allow_nan=False)
MAYBE = st.none() | SECONDS


@given(SECONDS, MAYBE, MAYBE, st.booleans(), st.floats(1, 1e5), SECONDS)
def test_polls_are_never_closer_than_their_spacing_but_after_a_failure(
    began: float,
    retry: float | None,
    asked: float | None,
    person: bool,
    interval: float,
    now: float,
) -> None:
    times = PollTimes(
        began_s=began,
        retry_at_s=None if retry is None else began + retry,
        asked_at_s=asked,
        asked_by_person=person,
    )

    due_s = poll_due_s(times, interval_s=interval, now_s=now)

    floor = interval if retry is None else retry
    assert due_s >= began + min(cadence.POLL_SPACING_S, floor) - 1e-6


@given(SECONDS, SECONDS, MAYBE, st.floats(1, 1e5), SECONDS)
def test_reports_of_changes_are_an_interval_apart(
    sent: float, later: float, changed: float | None, interval: float, now: float
) -> None:
    times = ReportTimes(looked_s=sent + later, sent_s=sent, changed_at_s=changed)

    assert look_due_s(times, interval_s=interval, now_s=now) >= sent + interval - 1e-6


@given(st.floats(0.1, 1e6), st.integers())
def test_the_promised_time_of_the_next_report_can_be_kept(report_s: float, seed: int) -> None:
    promised_s = promise_s(SyncIntervals(report_s=report_s))

    assert report_s <= alive_after_s(promised_s, Random(seed)) < promised_s
