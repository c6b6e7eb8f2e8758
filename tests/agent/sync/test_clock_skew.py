"""How far the clock is from the cloud's is told, steadily, and never more than that."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.http import Heard
from iotistic.agent.sync.clock_skew import offset_s, skew_s
from tests.agent.sync.device import Device, running
from tests.agent.sync.scripted_cloud import Answer, ScriptedCloud

NOW_S = 1_780_000_000.0


def heard(ahead_s: float, round_trip_s: float = 0.2, device_s: float = NOW_S) -> Heard:
    """An answer of a cloud whose clock is ahead."""
    wrote_s = device_s - round_trip_s / 2 + ahead_s
    return Heard(
        date=formatdate(wrote_s, usegmt=True),
        wall_ms=int(device_s * 1000),
        round_trip_s=round_trip_s,
    )


@pytest.mark.parametrize(
    ("told_s", "ahead_s", "round_trip_s", "expected"),
    [
        pytest.param(None, 0, 0.2, None, id="right"),
        pytest.param(None, 50, 0.2, None, id="within a minute"),
        pytest.param(None, 75, 0.2, 80.0, id="behind"),
        pytest.param(None, -75, 0.2, -80.0, id="ahead"),
        pytest.param(None, 75, 60.0, None, id="a slow answer proves less"),
        pytest.param(80.0, 100, 0.2, 80.0, id="it drifts, and that is not news"),
        pytest.param(80.0, 115, 0.2, 120.0, id="it drifted far"),
        pytest.param(80.0, 55, 0.2, 80.0, id="not yet good again"),
        pytest.param(80.0, 5, 0.2, None, id="it was set"),
    ],
)
def test_which_skew_is_told(
    told_s: float | None, ahead_s: float, round_trip_s: float, expected: float | None
) -> None:
    found = skew_s(told_s, heard(ahead_s, round_trip_s))

    assert found == (None if expected is None else pytest.approx(expected, abs=10))


@given(st.floats(-1e7, 1e7), st.floats(0, 30))
def test_the_offset_is_right_within_half_a_round_trip_and_a_second(
    ahead_s: float, round_trip_s: float
) -> None:
    found = offset_s(heard(ahead_s, round_trip_s))

    assert found is not None
    assert abs(found - ahead_s) <= 1.0 + round_trip_s / 2


@given(st.text(max_size=40))
def test_a_date_that_says_nothing_changes_nothing(date: str) -> None:
    found = skew_s(90.0, Heard(date=f"?{date}", wall_ms=int(NOW_S * 1000), round_trip_s=0.1))

    assert found == 90.0


async def test_a_wrong_clock_is_a_warning_of_the_link(device: Device, cloud: ScriptedCloud) -> None:
    late = formatdate(device.clock.wall_ms() / 1000 + 3600, usegmt=True)
    cloud.say("GET", Answer(304, headers={"Date": late}))
    cloud.say("PATCH", Answer(200, {}, headers={"Date": late}))

    async with running(device):
        (warning,) = device.sync.warnings()
        skew = device.status.clock_skew_s

    assert warning.code == "clock-skew"
    assert "3600 s behind" in warning.message
    assert skew == pytest.approx(3600, abs=10)
