"""How long it is tried to tell a cloud that was left: a week, by no clock on a wall."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.provisioning.transitions import DAY_S, FAREWELL_S, farewell_failed, left
from iotistic.agent.store.records import Identity
from tests.agent.provisioning.builders import provisioned

HOUR_S = 3600.0


def failed(identity: Identity, now_s: float, boot: str = "one") -> Identity:
    return farewell_failed(identity, boot_id=boot, now_s=now_s)


def gone() -> Identity:
    return left(provisioned(), offered=None)


def test_it_is_given_up_after_a_week_of_trying_and_not_before() -> None:
    identity, began_s = failed(gone(), 1000.0), 1000.0

    assert failed(identity, began_s + FAREWELL_S - 1).farewell is not None
    assert failed(identity, began_s + FAREWELL_S + 1).farewell is None


def test_it_is_written_once_a_day_and_not_with_every_try() -> None:
    identity, writes = failed(gone(), 0.0), 0
    for hour in range(1, 72):
        after = failed(identity, hour * HOUR_S)
        writes += after != identity
        identity = after

    assert writes == 2


@given(st.lists(st.floats(1.0, 3 * DAY_S), min_size=1, max_size=60))
def test_boots_neither_end_it_early_nor_keep_it_for_ever(uptimes_s: list[float]) -> None:
    """Each boot is up for so long, its clock begins at zero, and tries come every hour."""
    identity, tried_s = gone(), 0.0
    for boot, uptime_s in enumerate(uptimes_s):
        now_s = 0.0
        while now_s < uptime_s and identity.farewell is not None:
            identity = failed(identity, now_s, f"boot-{boot}")
            now_s += HOUR_S
            tried_s += HOUR_S
    boots = len(uptimes_s)

    if identity.farewell is None:
        # A boot costs at most a little, and what was not yet written down is tried once more.
        assert tried_s >= FAREWELL_S - boots * 60 - HOUR_S
    else:
        assert tried_s <= FAREWELL_S + boots * (DAY_S + HOUR_S)


def test_a_deadline_of_an_older_agent_begins_anew() -> None:
    assert failed(replace(gone(), farewell_until=None), 5.0).farewell is not None
