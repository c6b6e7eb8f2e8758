"""What is forgotten of records, and when."""

from __future__ import annotations

import pytest

from iotistic.cloud.records import room
from tests.cloud.records.sending import DEVICE, record, send
from tests.cloud.running import ManualClock, Running

DATA = {"log": {"message": "x"}, "metric": {"cpu": 1}, "event": {"event": "x"}}
DAYS = {"log": 7, "metric": 30, "event": 90}


async def stored(cloud: Running) -> dict[str, int]:
    found = (await cloud.ok("GET", DEVICE, who="viewer"))["records"]
    return {of: one["stored"] for of, one in found.items()}


@pytest.mark.parametrize("of", DAYS)
async def test_each_class_has_its_days(cloud: Running, clock: ManualClock, of: str) -> None:
    key = await cloud.o1_device()
    await send(cloud, key, *(record(1, of=one, data=data) for one, data in DATA.items()))

    clock.advance(days=DAYS[of] - 0.1)
    await cloud.cloud.housekeeping.once()
    before = await stored(cloud)
    clock.advance(days=0.2)
    await cloud.cloud.housekeeping.once()

    after = await stored(cloud)
    assert (before[of], after[of]) == (1, 0)
    assert all(after[one] == (DAYS[one] > DAYS[of]) for one in DAYS)


async def test_much_goes_in_small_pieces(
    cloud: Running, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ROWS_AT_ONCE", 10)
    key = await cloud.o1_device()
    old = [record(seq, of=of, data=data) for of, data in DATA.items() for seq in range(1, 36)]
    await send(cloud, key, *old)
    clock.advance(days=100)
    await send(cloud, key, *(record(36, of=of, data=data) for of, data in DATA.items()))

    await cloud.cloud.housekeeping.once()

    assert await stored(cloud) == dict.fromkeys(DATA, 1)
    shown = (await cloud.ok("GET", DEVICE, who="viewer"))["records"]
    assert shown["log"]["storedBytes"] == len('{"message":"x"}')


async def test_what_was_forgotten_is_no_news_when_it_comes_again(
    cloud: Running, clock: ManualClock
) -> None:
    key = await cloud.o1_device()
    await send(cloud, key, record(1))
    clock.advance(days=100)
    await cloud.cloud.housekeeping.once()

    answer = await send(cloud, key, record(1))

    assert answer["watermarks"]["event"] == {"abcd1234": 1}
    assert await stored(cloud) == {"event": 0}


async def test_an_epoch_goes_when_nothing_of_it_can_come_any_more(
    cloud: Running, clock: ManualClock
) -> None:
    key = await cloud.o1_device()
    await send(cloud, key, record(1))
    clock.advance(days=401)

    await cloud.cloud.housekeeping.once()

    found = await cloud.ok("GET", f"{DEVICE}/records/gaps", who="viewer")
    assert (found["classes"]["event"]["received"], found["classes"]["event"]["epochs"]) == (1, [])
