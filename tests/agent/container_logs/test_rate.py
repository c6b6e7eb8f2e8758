"""How much of a service is let through."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.container_logs.rate import LogRate, TokenBucket

SECOND_NS = 10**9
RATE = LogRate(lines_s=100, burst=1000, bytes_s=100_000)


def let_through(times_ns: list[int], *, size: int = 10, rate: LogRate = RATE) -> int:
    bucket = TokenBucket()
    return sum(bucket.allows(time_ns, size, rate) for time_ns in times_ns)


def test_a_burst_passes_and_then_only_the_rate() -> None:
    at_once = [SECOND_NS] * 5000
    a_minute_at_200 = [SECOND_NS + n * SECOND_NS // 200 for n in range(60 * 200)]

    assert let_through(at_once) == 1000
    assert 6900 <= let_through(at_once + a_minute_at_200) <= 7001


def test_what_was_said_evenly_passes_whole_however_late_it_is_read() -> None:
    a_day = [n * SECOND_NS // 100 for n in range(100 * 3600)]

    assert let_through(a_day) == len(a_day)


def test_bytes_count_too_and_a_single_huge_line_still_passes() -> None:
    assert let_through([SECOND_NS] * 100, size=100_000) == 10
    assert let_through([SECOND_NS], size=10**9) == 1


@given(
    times=st.lists(st.integers(0, 100 * SECOND_NS), max_size=300),
    lines_s=st.integers(1, 50),
    burst=st.integers(1, 50),
)
def test_however_the_times_jump_never_more_than_burst_and_rate_pass(
    times: list[int], lines_s: int, burst: int
) -> None:
    rate = LogRate(lines_s=lines_s, burst=burst, bytes_s=10**9)
    forward_s = sum(max(0, b - a) for a, b in pairwise(times)) / SECOND_NS

    assert let_through(times, rate=rate) <= burst + forward_s * lines_s + 1
