"""Which class of records goes when."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.sync.turns import (
    ALONE_MAX,
    LOG_BYTES,
    WEIGHTS,
    CourierPace,
    Search,
    Turns,
    Waiting,
    due_s,
)
from iotistic.model.records import BATCH_RECORDS_MAX, RecordClass

LOG, METRIC, EVENT = RecordClass.LOG, RecordClass.METRIC, RecordClass.EVENT
CLASSES = st.sets(st.sampled_from(list(RecordClass)), min_size=1)


@pytest.mark.parametrize(
    ("kind", "waiting", "pace", "expected"),
    [
        pytest.param(EVENT, Waiting(since_s=10), CourierPace(), 11, id="an event: within a second"),
        pytest.param(LOG, Waiting(since_s=10), CourierPace(), 70, id="lines: once a minute"),
        pytest.param(
            LOG, Waiting(since_s=10, bytes=LOG_BYTES), CourierPace(), 10, id="many lines: now"
        ),
        pytest.param(
            METRIC, Waiting(since_s=10, bytes=LOG_BYTES), CourierPace(), 11, id="only lines"
        ),
        pytest.param(
            LOG, Waiting(since_s=10, asked_s=14), CourierPace(), 14, id="an error among them"
        ),
        pytest.param(
            EVENT, Waiting(since_s=10, asked_s=14), CourierPace(), 11, id="soon is soon enough"
        ),
        pytest.param(
            METRIC,
            Waiting(since_s=10, asked_s=10),
            CourierPace(held=frozenset({METRIC})),
            math.inf,
            id="held: whoever asks",
        ),
    ],
)
def test_when_a_class_is_due(
    kind: RecordClass, waiting: Waiting, pace: CourierPace, expected: float
) -> None:
    assert due_s(kind, waiting, pace) == expected


@given(CLASSES)
def test_each_waiting_class_gets_its_share(waiting: set[RecordClass]) -> None:
    turns, whole = Turns(), sum(WEIGHTS[kind] for kind in waiting)

    taken = Counter(turns.take(waiting) for _ in range(whole))

    assert taken == {kind: WEIGHTS[kind] for kind in waiting}


@given(st.lists(CLASSES, max_size=60), CLASSES)
def test_no_class_waits_longer_than_a_whole_turn(
    before: list[set[RecordClass]], waiting: set[RecordClass]
) -> None:
    turns = Turns()
    for earlier in before:
        turns.take(earlier)

    within = {turns.take(waiting) for _ in range(2 * sum(WEIGHTS.values()))}

    assert within == waiting


@given(st.lists(st.just({METRIC, LOG}), max_size=60))
def test_an_event_that_just_came_is_next_whatever_was_sent_before(
    before: list[set[RecordClass]],
) -> None:
    turns = Turns()
    for earlier in before:
        turns.take(earlier)

    assert turns.take({EVENT, METRIC, LOG}) is EVENT


@given(st.integers(1, BATCH_RECORDS_MAX), st.data())
def test_the_bad_record_is_found_in_few_batches_and_nothing_else_is_refused(
    number: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, number - 1))
    waiting, search, found, refused = list(range(number)), Search(), [], 0

    while waiting:
        batch = waiting[: search.batch_max()]
        if bad in batch:
            refused += 1
            search = search.refused(len(batch))
            if search.is_over:
                found.append(waiting.pop(0))
                search = Search()
        else:
            search = search.taken(len(batch))
            del waiting[: len(batch)]

    assert found == [bad]
    assert refused <= 3 + ALONE_MAX + math.ceil(math.log2(number + 1))
