"""What a device that floods is told, and what is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iotistic.cloud.errors import TooManyAttempts
from iotistic.cloud.records import pace as pace_module
from iotistic.cloud.records.limits import RecordLimits
from iotistic.cloud.records.pace import Pace
from tests.cloud.joining import Device
from tests.cloud.records.sending import DEVICE, LOGS, RECORDS, line, ndjson, record, send
from tests.cloud.running import OTHER_UUID, ManualClock, Running, running_cloud

LIMITS = RecordLimits(records_per_minute=100, rows_per_device=50, megabytes_per_device=1)


@pytest.fixture
async def small(database: Path, clock: ManualClock) -> AsyncIterator[Running]:
    """A cloud where little is allowed."""
    async with running_cloud(database, clock=clock, limits=LIMITS) as running:
        yield running


async def test_a_device_that_floods_is_told_when_to_return(
    small: Running, clock: ManualClock
) -> None:
    key = await Device(small, (await small.new_key())["key"]).joined()
    await send(small, key, *(record(seq) for seq in range(1, 151)))

    for path in (RECORDS, LOGS):
        reply = await small.ask("POST", path, key=key, content=ndjson([record(151)]))
        assert (reply.status_code, reply.json()["code"]) == (429, "too-many-records")
        assert reply.headers["Retry-After"] == "30"

    clock.advance(s=31)
    answer = await send(small, key, record(151))
    assert answer["watermarks"]["event"]["abcd1234"] == 151


async def test_one_of_the_older_dialect_is_not_and_its_lines_are_dropped(small: Running) -> None:
    key = await small.o1_device()
    await send(small, key, *(line("x", n=n) for n in range(150)), path=LOGS)

    answer = await send(small, key, line("too much"), path=LOGS)

    assert (answer["status"], answer["received"]) == ("ok", 0)


async def test_another_device_is_not_held_up(small: Running) -> None:
    key = await small.o1_device()
    other = await small.o1_device(OTHER_UUID, "cd" * 32)
    await send(small, key, *(record(seq) for seq in range(1, 151)))

    answer = await send(small, other, record(1), path=f"/api/v1/device/{OTHER_UUID}/records")

    assert answer["rejected"] == []


@pytest.mark.parametrize("of", ["event", "metric", "log"])
async def test_of_too_many_records_the_oldest_go(small: Running, of: str) -> None:
    key = await small.o1_device()
    data = {"event": {"n": 1}, "metric": {"n": 1}, "log": {"message": "x"}}[of]

    await send(small, key, *(record(seq, of=of, data=data) for seq in range(1, 81)))

    (shown,) = (await small.ok("GET", DEVICE, who="viewer"))["records"].values()
    assert (shown["received"], shown["stored"]) == (80, 50)
    if of != "metric":
        path = "logs" if of == "log" else "events?limit=100"
        found = await small.ok("GET", f"{DEVICE}/{path}", who="viewer")
        kept = found["logs" if of == "log" else "events"]
        assert [one["seq"] for one in kept] == list(range(31, 81))


async def test_of_too_many_bytes_the_oldest_go(small: Running) -> None:
    key = await small.o1_device()

    await send(small, key, *(record(seq, data={"text": "x" * 60_000}) for seq in range(1, 31)))

    (shown,) = (await small.ok("GET", DEVICE, who="viewer"))["records"].values()
    assert shown["storedBytes"] <= 1024 * 1024
    assert shown["stored"] == 17


async def test_one_class_does_not_push_out_another(small: Running) -> None:
    key = await small.o1_device()
    await send(small, key, record(1, of="anomaly"))

    await send(small, key, *(record(seq) for seq in range(1, 81)))

    found = await small.ok("GET", f"{DEVICE}/events?class=anomaly", who="viewer")
    assert found["count"] == 1


def test_a_minute_s_worth_may_come_at_once_and_a_batch_may_overdraw(clock: ManualClock) -> None:
    pace = Pace(clock, records_per_minute=60, bytes_per_minute=1000)
    pace.charge(7, records=59, bytes_=10)
    pace.check(7)
    pace.charge(7, records=31, bytes_=10)

    with pytest.raises(TooManyAttempts) as refused:
        pace.check(7)

    assert refused.value.retry_after_s == 30
    clock.advance(s=31)
    pace.check(7)


def test_bytes_count_too_and_a_call_without_records_costs_one(clock: ManualClock) -> None:
    pace = Pace(clock, records_per_minute=2, bytes_per_minute=1000)
    pace.charge(1, records=1, bytes_=2000)
    pace.charge(2, records=0, bytes_=0)
    pace.charge(2, records=0, bytes_=0)

    for device_id in (1, 2):
        with pytest.raises(TooManyAttempts):
            pace.check(device_id)


def test_devices_that_are_silent_are_forgotten(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace_module, "DEVICES_HELD", 2)
    pace = Pace(clock, records_per_minute=1, bytes_per_minute=1)
    pace.charge(1, records=5, bytes_=0)
    pace.check(2)
    pace.check(3)

    pace.check(4)

    with pytest.raises(TooManyAttempts):
        pace.check(1)
