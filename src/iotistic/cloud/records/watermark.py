"""Which of the records that came are news, and which never will be: pure counting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from iotistic.model.canonical import INTEGER_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is known of one epoch. `watermark == received + missing + rejected`, always.

    `duplicates` came again, or so late that they were already taken for missing.
    """

    watermark: int = 0
    received: int = 0
    duplicates: int = 0
    missing: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What a batch does to one epoch: `fresh` are to be stored, `gaps` (first, last) are new."""

    tally: Tally
    fresh: tuple[int, ...]
    gaps: tuple[tuple[int, int], ...]


def advance(known: Tally, good: Iterable[int], bad: Iterable[int]) -> Advance:
    """Count a batch of one epoch in: the numbers of its good and of its rejected records.

    The order within a batch does not matter. A number that came both ways counts as good.
    """
    accepted = set(good)
    refused = set(bad) - accepted
    watermark, duplicates = known.watermark, known.duplicates
    received, missing, rejected = known.received, known.missing, known.rejected
    fresh: list[int] = []
    gaps: list[tuple[int, int]] = []
    for seq in sorted(accepted | refused):
        if seq <= known.watermark:
            duplicates += seq in accepted
            continue
        if seq > watermark + 1:
            gaps.append((watermark + 1, seq - 1))
            missing += seq - 1 - watermark
        watermark = seq
        if seq in accepted:
            fresh.append(seq)
            received += 1
        else:
            rejected += 1
    tally = Tally(
        watermark=watermark,
        received=received,
        duplicates=duplicates,
        missing=missing,
        rejected=rejected,
    )
    return Advance(tally=tally, fresh=tuple(fresh), gaps=tuple(gaps))


def bounded_sum(first: int, second: int) -> int:
    """A sum of counts that every database and every reader of JSON can hold."""
    return min(first + second, INTEGER_MAX)
