from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.backoff import backoff_s


@given(st.integers(1, 10_000), st.integers())
def test_a_pause_is_never_longer_than_its_ceiling_nor_than_the_cap(attempt: int, seed: int) -> None:
    pause_s = backoff_s(attempt, Random(seed))

    assert 0 <= pause_s <= min(60.0, 2.0 ** min(attempt - 1, 30))


def test_the_whole_range_is_used_so_that_a_fleet_does_not_come_back_together() -> None:
    rng = Random(7)
    pauses = [backoff_s(8, rng) for _ in range(500)]

    assert min(pauses) < 3
    assert max(pauses) > 57


def test_counting_starts_at_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        backoff_s(0, Random(7))
