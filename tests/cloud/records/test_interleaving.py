"""A model device on a bad network: whatever happens to its batches, both sides' counts agree."""

from __future__ import annotations

from collections import defaultdict
from random import Random

from tests.cloud.records.sending import DEVICE, record, send
from tests.cloud.running import Running

SEEDS = range(10)
CLASSES = ("event", "reading")
Id = tuple[str, str, int]


class ModelDevice:
    """Numbers its records class by class, starts a new epoch now and then, loses some of what it
    holds, and sends batches late, twice, or never.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._seed = seed
        self._starts = 0
        self._seqs: dict[str, int] = {}
        self._under_way: list[list[Id]] = []
        self._start()

    def _start(self) -> None:
        self._starts += 1
        self._epoch = f"{self._seed:08x}{self._starts:04x}"
        self._seqs = dict.fromkeys(CLASSES, 0)

    def next_batch(self) -> list[Id]:
        """What arrives next at the cloud."""
        rng = self._random
        if rng.random() < 0.1:
            self._start()
        made: list[Id] = []
        for _ in range(rng.randint(1, 6)):
            of = rng.choice(CLASSES)
            self._seqs[of] += 1
            if rng.random() > 0.1:  # dropped by the device itself
                made.append((of, self._epoch, self._seqs[of]))
        rng.shuffle(made)
        if rng.random() > 0.15:  # lost on its way
            self._under_way.append(made)
        if not self._under_way:
            return []
        chosen = rng.choice(self._under_way)
        if rng.random() > 0.3:  # comes again later
            self._under_way.remove(chosen)
        return chosen


async def test_what_is_stored_is_what_came_in_time_and_the_rest_is_known_to_be_missing(
    cloud: Running,
) -> None:
    """Faults: batches lost, repeated and overtaking each other; records in any order; restarts."""
    key = await cloud.o1_device()
    marks: dict[tuple[str, str], int] = defaultdict(int)
    expected: set[Id] = set()
    for seed in SEEDS:
        device = ModelDevice(seed)
        for _ in range(8):
            batch = device.next_batch()
            answer = await send(
                cloud, key, *(record(seq, of=of, epoch=epoch) for of, epoch, seq in batch)
            )
            expected |= {one for one in batch if one[2] > marks[one[:2]]}
            for of, epochs in answer["watermarks"].items():
                for epoch, mark in epochs.items():
                    assert mark >= marks[of, epoch], f"seed {seed}"
                    marks[of, epoch] = mark
    await assert_both_sides_agree(cloud, expected, marks)


async def assert_both_sides_agree(
    cloud: Running, expected: set[Id], marks: dict[tuple[str, str], int]
) -> None:
    gaps = await cloud.ok("GET", f"{DEVICE}/records/gaps?limit=1000", who="viewer")
    for of in CLASSES:
        found = await cloud.ok("GET", f"{DEVICE}/events?class={of}&limit=1000", who="viewer")
        stored = [(of, one["epoch"], one["seq"]) for one in found["events"]]
        assert sorted(stored) == sorted(one for one in expected if one[0] == of)
        for epoch in gaps["classes"][of]["epochs"]:
            mine = {seq for _, name, seq in stored if name == epoch["epoch"]}
            missing = {seq for gap in epoch["gaps"] for seq in range(gap["from"], gap["to"] + 1)}
            assert epoch["watermark"] == marks[of, epoch["epoch"]]
            assert mine | missing == set(range(1, epoch["watermark"] + 1))
            assert not mine & missing
