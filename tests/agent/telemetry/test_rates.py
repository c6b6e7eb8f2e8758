"""From counters to rates: over a wrap, not over a new beginning."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.telemetry.rates import LinkCounters, grown, network_rates, per_s

WRAP = 1 << 32
ETH = LinkCounters(
    index=2, rx_bytes=1000, tx_bytes=100, rx_packets=10, tx_packets=1, errors=0, drops=5
)


@given(st.integers(0, 2**63), st.integers(0, 2**40))
def test_a_counter_that_counts_on_grew_by_what_came(before: int, growth: int) -> None:
    assert grown(before, before + growth) == growth


@given(st.integers(WRAP * 3 // 4, WRAP - 1), st.integers(0, WRAP // 4))
def test_once_around_is_no_new_beginning(before: int, growth: int) -> None:
    assert grown(before, (before + growth) % WRAP) == growth


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_nothing_ever_shrinks(before: int, after: int) -> None:
    assert (grown(before, after) or 0) >= 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(1000, 10, id="a driver that began anew"),
        pytest.param(WRAP * 5, 10, id="beyond 32 bits there is no way around"),
        pytest.param(WRAP - 1, WRAP // 2, id="back by half"),
    ],
)
def test_what_began_anew_has_no_rate(before: int, after: int) -> None:
    assert grown(before, after) is None
    assert per_s(before, after, 10.0) is None


def test_two_readings_at_once_say_nothing() -> None:
    assert per_s(1, 2, 0.0) is None
    assert per_s(None, 2, 10.0) is None


def test_an_interface_has_rates_since_the_reading_before() -> None:
    later = replace(ETH, rx_bytes=3000, tx_bytes=150, rx_packets=30, tx_packets=2, errors=1)

    (rates,) = network_rates({"eth0": ETH}, {"eth0": later}, 10.0)

    assert (rates.rx_bytes_per_s, rates.tx_bytes_per_s) == (200.0, 5.0)
    assert (rates.rx_packets_per_s, rates.tx_packets_per_s) == (2.0, 0.1)
    assert (rates.errors, rates.drops) == (1, 0)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({}, id="new"),
        pytest.param({"eth0": replace(ETH, index=9)}, id="made anew under the same name"),
        pytest.param({"eth0": replace(ETH, rx_bytes=5000)}, id="its driver began anew"),
    ],
)
def test_an_interface_that_is_new_or_began_anew_is_left_out(
    before: dict[str, LinkCounters],
) -> None:
    later = replace(ETH, rx_bytes=3000)

    assert network_rates(before, {"eth0": later}, 10.0) == ()
