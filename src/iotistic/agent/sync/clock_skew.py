"""How far the device's wall clock is from the cloud's, by the date of its answers. Pure.

It is told, and never used to set anything: an answer may come from whoever is on the way.
"""

from __future__ import annotations

from iotistic.agent.endpoint import http_date
from iotistic.agent.http import Heard
from iotistic.model.errors import IotisticError

SKEW_S = 60.0
"""What is less nobody needs to know."""
GOOD_AGAIN_S = 30.0
STEP_S = 30.0
"""By less than this a skew is not told anew: a clock that drifts is not news all the time."""
_SHOWN_S = 10


def offset_s(heard: Heard) -> float | None:
    """Seconds that the cloud's clock is ahead of the device's; None when the date says nothing.

    The date has whole seconds, and was written somewhere within the round trip: in the middle,
    give or take half of it.
    """
    date = http_date(heard.date)
    if date is None:
        return None
    return date.timestamp() + 0.5 - (heard.wall_ms / 1000 - heard.round_trip_s / 2)


def skew_s(told_s: float | None, heard: Heard) -> float | None:
    """The skew to tell, in seconds, or None. `told_s` is what was told until now."""
    found_s = offset_s(heard)
    if found_s is None:
        return told_s
    slack_s = heard.round_trip_s / 2
    if told_s is not None and abs(found_s - told_s) < STEP_S:
        return told_s if abs(found_s) > GOOD_AGAIN_S + slack_s else None
    if abs(found_s) <= SKEW_S + slack_s:
        return None
    return float(round(found_s / _SHOWN_S) * _SHOWN_S)


def skew_warning(told_s: float) -> IotisticError:
    """The same for people."""
    way = "behind" if told_s > 0 else "ahead of"
    return IotisticError(
        f"the clock of this device is {abs(told_s):.0f} s {way} the cloud's",
        code="clock-skew",
        remedy="give it a time server: timedatectl set-ntp true",
    )
