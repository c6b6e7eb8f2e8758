"""What the outbox promises to those who bring records and to who takes them away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iotistic.agent.outbox import (
    DropReason,
    Outbox,
    OutboxFull,
    Overflow,
    RecordTooLarge,
    ledger_json,
)
from iotistic.agent.outbox import offers as offer_limits
from iotistic.agent.outbox.outbox import FLUSH_S
from iotistic.model.records import BATCH_BYTES_MAX, RecordClass, encode_record
from tests.agent.outbox.builders import EVERYTHING, all_waiting, only, opened
from tests.agent.virtual_clock import VirtualClock

EVENT, METRIC, LOG = RecordClass.EVENT, RecordClass.METRIC, RecordClass.LOG


def numbers(*found: int) -> list[dict[str, int]]:
    return [{"n": n} for n in found]


async def put_some(outbox: Outbox, kind: RecordClass, *found: int) -> None:
    for n in found:
        await outbox.put(kind, {"n": n})


async def test_what_was_put_is_there_after_the_next_start_in_its_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 1, 2)
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 3)

        assert await all_waiting(outbox, LOG) == numbers(1, 2, 3)


async def test_an_id_is_never_given_twice_also_from_an_earlier_copy_of_the_file(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as outbox:
        first = await outbox.put(EVENT, {"n": 1})
    copy = (tmp_path / "outbox.sqlite").read_bytes()
    async with opened(tmp_path) as outbox:
        second = await outbox.put(EVENT, {"n": 2})
    (tmp_path / "outbox.sqlite").write_bytes(copy)
    async with opened(tmp_path) as outbox:
        third = await outbox.put(EVENT, {"n": 3})

    assert first.seq == second.seq == third.seq == 1
    assert len({first.epoch, second.epoch, third.epoch}) == 3


async def test_the_most_urgent_class_is_taken_first_and_its_oldest(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 1, 2)
        await put_some(outbox, EVENT, 3, 4)

        batch = await outbox.take(EVERYTHING, records_max=1, bytes_max=BATCH_BYTES_MAX)

        assert batch is not None
        assert [record.data for record in batch.records] == numbers(3)
        assert await outbox.take({METRIC}, records_max=1, bytes_max=BATCH_BYTES_MAX) is None


async def test_a_batch_is_no_larger_as_lines_than_it_may_be(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put_all(LOG, [(2**62, {"text": "x" * n}) for n in range(100)])

        batch = await outbox.take({LOG}, records_max=1000, bytes_max=5000)

        assert batch is not None
        lines_bytes = sum(len(encode_record(record)) + 1 for record in batch.records)
        assert 2500 < lines_bytes <= batch.bytes_bound <= 5000


async def test_what_was_taken_waits_until_it_is_acknowledged(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        epoch = (await outbox.put(LOG, {"n": 1})).epoch
        await put_some(outbox, LOG, 2, 3)
        await outbox.take({LOG}, records_max=2, bytes_max=BATCH_BYTES_MAX)
        await outbox.take({LOG}, records_max=2, bytes_max=BATCH_BYTES_MAX)

        await outbox.acknowledge(LOG, {epoch: 2, "0123456789abcdef": 9})

        assert await all_waiting(outbox, LOG) == numbers(3)
        found = outbox.ledger()[LOG]
        assert (found.written, found.sent, found.acknowledged, found.waiting) == (3, 5, 2, 1)


async def test_a_watermark_beyond_what_was_sent_acknowledges_no_other_epoch(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as outbox:
        epoch = (await outbox.put(LOG, {"n": 1})).epoch
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 2)
        await outbox.acknowledge(LOG, {epoch: 2**62})

        assert await all_waiting(outbox, LOG) == numbers(2)


async def test_a_refused_record_is_a_dead_letter_and_not_sent_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        refused = await outbox.put(LOG, {"n": 1})
        await outbox.reject(refused, "invalid-field", "data.n: expected a text")
        await outbox.reject(refused, "invalid-field", "said twice")
    async with opened(tmp_path) as outbox:
        (letter,) = await outbox.dead_letters()

        assert (letter.id, letter.code, letter.data) == (refused, "invalid-field", {"n": 1})
        assert await all_waiting(outbox, LOG) == []
        assert outbox.ledger()[LOG].dropped == {DropReason.REJECTED: 1}


async def test_dead_letters_do_not_grow_for_ever(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        first = await outbox.put(LOG, {"n": 0})
        await outbox.put_all(LOG, [(1, {"n": n}) for n in range(250)])
        batch = await outbox.take({LOG}, records_max=1000, bytes_max=BATCH_BYTES_MAX)
        assert batch is not None
        await asyncio.gather(*(outbox.reject(r.id, "no", "no") for r in batch.records))
        letters = await outbox.dead_letters()

    assert len(letters) == 200
    assert first not in [letter.id for letter in letters]


async def test_a_cursor_is_stored_with_the_records_it_stands_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put_all(LOG, [(1, {"n": 1}), (2, {"n": 2})], cursor=("log/web", "at 2"))
        await outbox.put_all(LOG, [], cursor=("log/db", "at 9"))
        await outbox.put_all(LOG, [], cursor=("event", "5"))
    async with opened(tmp_path) as outbox:
        assert await outbox.cursors("log/") == {"log/web": "at 2", "log/db": "at 9"}

        await outbox.forget_cursors(["log/db", "never there"])

        assert await outbox.cursors("") == {"event": "5", "log/web": "at 2"}
        assert await all_waiting(outbox, LOG) == numbers(1, 2)


# -- what is offered


async def test_what_was_offered_is_stored_after_a_while_by_itself(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with opened(tmp_path, clock) as outbox:
        outbox.offer(LOG, {"n": 1})
        await clock.settled()
        assert outbox.waiting(LOG) == 0

        await clock.advance(FLUSH_S)
        await asyncio.wait_for(outbox.wait(), 10)

        assert await all_waiting(outbox, LOG) == numbers(1)


async def test_what_was_offered_of_an_urgent_class_is_stored_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        outbox.offer(LOG, {"n": 1})
        outbox.offer(EVENT, {"n": 2})
        await asyncio.wait_for(outbox.wait(), 10)

        assert await all_waiting(outbox, EVENT) == numbers(2)
        assert await all_waiting(outbox, LOG) == numbers(1)


async def test_a_clean_stop_stores_what_was_offered(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        outbox.offer(METRIC, {"n": 1})
    outbox.offer(METRIC, {"n": 2})  # too late, and no error
    async with opened(tmp_path) as outbox:
        assert await all_waiting(outbox, METRIC) == numbers(1)


async def test_what_is_offered_comes_before_what_is_put_later(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        outbox.offer(LOG, {"n": 1})
        await outbox.put(LOG, {"n": 2})

        assert await all_waiting(outbox, LOG) == numbers(1, 2)


async def test_what_is_too_much_for_memory_is_counted_and_leaves_a_gap(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        for n in range(offer_limits.RECORDS_MAX + 3):
            outbox.offer(METRIC, {"n": n})
        outbox.offer(LOG, {"text": float})  # no JSON
        outbox.offer(LOG, {"text": "x" * 70_000})
        after = await outbox.put(METRIC, {"n": -1})

        ledger = outbox.ledger()
        assert ledger[METRIC].dropped == {DropReason.MEMORY: 3}
        assert ledger[LOG].dropped == {DropReason.INVALID: 2}
        assert ledger[METRIC].balanced
        assert after.seq == offer_limits.RECORDS_MAX + 4


# -- what gives way


async def test_the_oldest_give_way(tmp_path: Path) -> None:
    quotas = only(LOG, Overflow.DROP_OLDEST, 10_000)
    async with opened(tmp_path, quotas=quotas) as outbox:
        await outbox.put_all(LOG, [(1, {"n": n, "text": "x" * 60}) for n in range(200)])
        left = [data["n"] for data in await all_waiting(outbox, LOG)]

        found = outbox.ledger()[LOG]
        assert left == list(range(200 - len(left), 200))
        assert 8000 < found.waiting_bytes <= 10_000
        assert found.dropped == {DropReason.QUOTA: 200 - len(left)}


async def test_the_newest_give_way(tmp_path: Path) -> None:
    quotas = only(LOG, Overflow.DROP_NEWEST, 1000)
    async with opened(tmp_path, quotas=quotas) as outbox:
        await outbox.put_all(LOG, [(1, {"n": n, "text": "x" * 60}) for n in range(200)])
        left = [data["n"] for data in await all_waiting(outbox, LOG)]

        assert left == list(range(len(left)))
        assert outbox.ledger()[LOG].dropped == {DropReason.QUOTA: 200 - len(left)}


async def test_thinning_leaves_a_coarser_picture_of_all_the_time(tmp_path: Path) -> None:
    quotas = only(METRIC, Overflow.SAMPLE, 10_000)
    async with opened(tmp_path, quotas=quotas) as outbox:
        for n in range(0, 1000, 10):
            await outbox.put_all(METRIC, [(1, {"n": n + i, "x": "y" * 50}) for i in range(10)])
        left = [data["n"] for data in await all_waiting(outbox, METRIC)]

        found = outbox.ledger()[METRIC]
        assert left[0] < 300
        assert left[-20:] == list(range(980, 1000))
        assert left == sorted(left)
        assert found.waiting_bytes <= 10_000
        assert set(found.dropped) == {DropReason.SAMPLED}
        assert found.balanced


async def test_a_class_that_drops_nothing_refuses_and_takes_the_others(tmp_path: Path) -> None:
    quotas = only(EVENT, Overflow.NEVER, 100)
    async with opened(tmp_path, quotas=quotas) as outbox:
        tried = [outbox.put(EVENT, {"text": "x" * 60}), outbox.put(EVENT, {"text": "x" * 60})]
        first, second, third = await asyncio.gather(
            *tried, outbox.put(LOG, {"n": 1}), return_exceptions=True
        )

        assert not isinstance(first, BaseException)
        assert isinstance(second, OutboxFull)
        assert not isinstance(third, BaseException)
        found = outbox.ledger()[EVENT]
        assert (found.written, found.waiting, found.dropped) == (1, 1, {})


async def test_what_is_longer_than_a_record_may_be_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        with pytest.raises(RecordTooLarge):
            await outbox.put(LOG, {"text": "x" * 65_536})
        await outbox.put_all(LOG, [(1, {"text": "x" * 65_536}), (2, {"n": 1})], cursor=("a", "b"))

        assert await all_waiting(outbox, LOG) == numbers(1)
        assert outbox.ledger()[LOG].dropped == {DropReason.INVALID: 1}


async def test_a_class_is_cleared_and_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 1, 2)
        await put_some(outbox, EVENT, 3)

        assert await outbox.clear(LOG, DropReason.DISK_FULL) == 2
        assert await outbox.clear(None, DropReason.CLEARED) == 1

        ledger = ledger_json(outbox.ledger())
        assert ledger["log"]["dropped"] == {"disk-full": 2}
        assert ledger["event"]["dropped"] == {"cleared": 1}


async def test_an_emptied_outbox_gives_its_room_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        for _ in range(20):
            await outbox.put_all(LOG, [(1, {"text": "x" * 1000})] * 400)
        full_bytes = used(tmp_path)
        await outbox.clear(LOG, DropReason.CLEARED)
        await put_some(outbox, EVENT, *range(4))

        assert full_bytes > 8_000_000
        assert used(tmp_path) < 1_000_000


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if not path.name.endswith("-shm"))


async def test_only_the_agents_user_can_read_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 1)
        modes = modes_in(tmp_path)

    assert modes.pop("outbox.sqlite") == 0o600
    assert set(modes.values()) == {0o600}


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_many_producers_share_their_commits(tmp_path: Path) -> None:
    statements: list[str] = []
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 0)
        connection = outbox._file._connection
        assert connection is not None
        traced = connection
        await outbox._worker.run(lambda: traced.set_trace_callback(statements.append))
        await asyncio.gather(*(put_some(outbox, LOG, 1, 2) for _ in range(50)))

    assert 2 <= statements.count("COMMIT") <= 4


async def test_who_waits_is_told_of_what_came_while_nobody_waited(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await put_some(outbox, LOG, 1)
        await asyncio.wait_for(outbox.wait(), 10)

        waiting = asyncio.ensure_future(outbox.wait())
        await outbox.acknowledge(LOG, {})
        assert not waiting.done()
        await put_some(outbox, LOG, 2)
        await asyncio.wait_for(waiting, 10)


async def test_a_caller_that_is_cancelled_leaves_the_others_their_records(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        tasks = [asyncio.ensure_future(outbox.put(LOG, {"n": n})) for n in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)

        assert isinstance(done[1], asyncio.CancelledError)
        assert {record["n"] for record in await all_waiting(outbox, LOG)} >= {0, 2}
        assert outbox.ledger()[LOG].balanced
