"""How far a container's output was read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.container_logs.place import SLACK_S, Place, Search, decode_place
from iotistic.engines.protocol import ContainerLogLine

SECOND_NS = 10**9


def output(times_ns: list[int]) -> list[ContainerLogLine]:
    return [
        ContainerLogLine(text=f"line {number}", stderr=False, time_ns=time_ns)
        for number, time_ns in enumerate(times_ns)
    ]


def from_place_on(place: Place, lines: list[ContainerLogLine]) -> list[ContainerLogLine]:
    """What is read from a place on: as the engine gives it, without what was taken already."""
    given = [line for line in lines if line.time_ns >= place.since_s * SECOND_NS]
    if place.nth == 0:
        return given
    search = Search(place)
    if any(search.found(line) for line in given):
        return given[search.passed :]
    return given


# Mostly growing, with lines of one instant, and streams that pass one another by a little.
steps = st.lists(
    st.sampled_from([0, 0, 1, 7, 1000, SECOND_NS // 3, SECOND_NS, 100 * SECOND_NS]),
    min_size=1,
    max_size=40,
)


@given(steps=steps, cut=st.integers(min_value=0, max_value=40))
def test_reading_goes_on_with_the_very_next_line_wherever_it_was_left(
    steps: list[int], cut: int
) -> None:
    times, at_ns = [], 1_700_000_000 * SECOND_NS
    for step in steps:
        at_ns += step
        times.append(at_ns)
    lines = output(times)
    place = Place()
    for line in lines[:cut]:
        place = place.after(line)

    assert from_place_on(place, lines) == lines[cut:]


@given(data=st.data())
def test_streams_that_pass_one_another_lose_nothing_and_repeat_nothing(data: st.DataObject) -> None:
    base = 1_700_000_000 * SECOND_NS
    times = data.draw(
        st.lists(
            st.integers(min_value=base, max_value=base + SLACK_S * SECOND_NS // 2),
            min_size=1,
            max_size=30,
            unique=True,
        )
    )
    cut = data.draw(st.integers(min_value=0, max_value=len(times)))
    lines = output(times)
    place = Place()
    for line in lines[:cut]:
        place = place.after(line)

    assert from_place_on(place, lines) == lines[cut:]


def test_a_clock_that_is_put_back_by_an_hour_while_reading_loses_nothing() -> None:
    base = 1_700_000_000 * SECOND_NS
    back = base - 3600 * SECOND_NS
    lines = output([base, base + SECOND_NS, back, back + SECOND_NS, back + 2 * SECOND_NS])
    place = Place()
    for line in lines[:4]:
        place = place.after(line)

    assert from_place_on(place, lines) == lines[4:]


def test_a_place_that_the_engine_gave_up_is_before_all_that_is_left() -> None:
    lines = output([n * SECOND_NS for n in range(1_700_000_000, 1_700_000_010)])
    place = Place()
    for line in lines[:3]:
        place = place.after(line)

    assert from_place_on(place, lines[5:]) == lines[5:]


def test_a_line_without_a_time_is_no_place() -> None:
    place = Place().after(output([5 * SECOND_NS])[0])

    assert place.after(output([0])[0]) == place


@given(
    st.builds(
        Place,
        since_s=st.integers(0, 2**40),
        time_ns=st.integers(0, 2**62),
        nth=st.integers(0, 10**6),
        dropped=st.integers(0, 10**9),
    )
)
def test_a_place_is_read_as_it_was_stored(place: Place) -> None:
    assert decode_place(place.encode()) == place


@pytest.mark.parametrize("text", ["", "{}", "[1,2]", "[1,2,3,4,5]", '["a",1,2,3]', "nonsense"])
def test_what_cannot_be_read_is_no_place(text: str) -> None:
    assert decode_place(text) is None
