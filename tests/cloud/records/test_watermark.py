"""What is counted of the records of one epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.cloud.records.watermark import Tally, advance
from iotistic.model.canonical import INTEGER_MAX

SEQS = st.integers(1, 40)


@dataclass
class Counted:
    """An epoch as the cloud knows it, batch by batch."""

    tally: Tally = field(default_factory=Tally)
    stored: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)

    def take(self, good: list[int], bad: list[int]) -> None:
        before = self.tally
        done = advance(before, good, bad)
        assert done.tally.watermark >= before.watermark
        self.tally = done.tally
        self.stored += done.fresh
        self.missing += [n for first, last in done.gaps for n in range(first, last + 1)]


@given(st.lists(st.tuples(st.lists(SEQS), st.lists(SEQS)), max_size=12))
def test_every_number_up_to_the_watermark_is_stored_missing_or_refused_once(
    batches: list[tuple[list[int], list[int]]],
) -> None:
    epoch = Counted()

    for good, bad in batches:
        epoch.take(good, bad)

    tally = epoch.tally
    assert epoch.stored == sorted(set(epoch.stored))
    assert not set(epoch.stored) & set(epoch.missing)
    assert len(epoch.missing) == len(set(epoch.missing)) == tally.missing
    assert tally.received == len(epoch.stored)
    assert tally.watermark == tally.received + tally.missing + tally.rejected
    assert tally.watermark == max(
        (n for batch in batches for part in batch for n in part), default=0
    )


@given(st.permutations(range(1, 20)))
def test_the_order_within_a_batch_does_not_matter(seqs: list[int]) -> None:
    done = advance(Tally(), seqs, ())

    assert (done.fresh, done.gaps) == (tuple(range(1, 20)), ())


@given(st.lists(SEQS), st.lists(SEQS))
def test_a_batch_that_comes_twice_changes_nothing_but_the_count_of_that(
    good: list[int], bad: list[int]
) -> None:
    once = advance(Tally(), good, bad)

    twice = advance(once.tally, good, bad)

    assert (twice.fresh, twice.gaps) == ((), ())
    assert twice.tally.duplicates == once.tally.duplicates + len(set(good))


@pytest.mark.parametrize("seq", [1, 2, INTEGER_MAX])
def test_the_hole_before_the_first_record_is_a_gap(seq: int) -> None:
    done = advance(Tally(), [seq], ())

    assert done.gaps == (((1, seq - 1),) if seq > 1 else ())
    assert done.tally.missing == seq - 1
