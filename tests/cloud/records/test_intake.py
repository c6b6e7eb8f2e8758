"""Records: taken once, missed when they do not come, refused one by one."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from iotistic.cloud.records import epochs
from tests.cloud.records.sending import DEVICE, EPOCH, RECORDS, ndjson, record, send
from tests.cloud.running import OTHER_UUID, START_MS, UUID, ManualClock, Running

OTHER_EPOCH = "ffff0000"


@pytest.fixture
async def key(cloud: Running) -> str:
    return await cloud.o1_device()


async def stored(cloud: Running, of: str = "event") -> list[tuple[str, int]]:
    found = await cloud.ok("GET", f"{DEVICE}/events?class={of}&limit=1000", who="viewer")
    return [(event["epoch"], event["seq"]) for event in found["events"]]


async def of_class(cloud: Running, of: str = "event") -> dict[str, Any]:
    found = await cloud.ok("GET", f"{DEVICE}/records/gaps", who="viewer")
    shown: dict[str, Any] = found["classes"][of]
    return shown


@pytest.mark.parametrize("packed", [False, True])
async def test_the_answer_says_up_to_where_records_are_stored(
    cloud: Running, key: str, packed: bool
) -> None:
    records = [record(1), record(2), record(1, of="metric", data={"cpu": 1.5})]

    answer = await send(cloud, key, *records, packed=packed)

    assert answer == {"watermarks": {"event": {EPOCH: 2}, "metric": {EPOCH: 1}}, "rejected": []}
    events = (await cloud.ok("GET", f"{DEVICE}/events", who="viewer"))["events"]
    assert [event["data"] for event in events] == [records[0]["data"], records[1]["data"]]
    assert events[0]["timestamp"] == START_MS + 1


async def test_what_comes_again_is_not_stored_again(cloud: Running, key: str) -> None:
    await send(cloud, key, record(1), record(2))

    answer = await send(cloud, key, record(2), record(2), record(3))

    assert answer["watermarks"] == {"event": {EPOCH: 3}}
    assert await stored(cloud) == [(EPOCH, 1), (EPOCH, 2), (EPOCH, 3)]
    assert (await of_class(cloud))["duplicates"] == 1


async def test_a_hole_is_noted_and_what_comes_of_it_later_is_not_taken(
    cloud: Running, key: str, clock: ManualClock
) -> None:
    await send(cloud, key, record(2), record(6), record(5))
    clock.advance(s=60)

    late = await send(cloud, key, record(4))

    assert late["watermarks"] == {"event": {EPOCH: 6}}
    assert await stored(cloud) == [(EPOCH, 2), (EPOCH, 5), (EPOCH, 6)]
    found = await of_class(cloud)
    assert (found["received"], found["missing"], found["duplicates"]) == (3, 3, 1)
    (epoch,) = found["epochs"]
    assert (epoch["epoch"], epoch["watermark"], epoch["missing"]) == (EPOCH, 6, 3)
    assert [(gap["from"], gap["to"]) for gap in epoch["gaps"]] == [(3, 4), (1, 1)]
    assert epoch["gaps"][0]["noticedAt"] == "2026-05-28T20:26:40.000Z"


async def test_after_a_new_start_of_the_outbox_the_same_numbers_are_news(
    cloud: Running, key: str
) -> None:
    await send(cloud, key, record(1))

    answer = await send(cloud, key, record(1, epoch=OTHER_EPOCH), record(1))

    assert answer["watermarks"] == {"event": {OTHER_EPOCH: 1, EPOCH: 1}}
    assert await stored(cloud) == [(EPOCH, 1), (OTHER_EPOCH, 1)]


async def test_one_bad_record_is_refused_alone(cloud: Running, key: str) -> None:
    bad = record(2, of="metric", data={"cpu": "hot"})

    answer = await send(cloud, key, record(1, of="metric", data={"cpu": 1}), bad)

    assert answer["watermarks"] == {"metric": {EPOCH: 2}}
    (refused,) = answer["rejected"]
    assert {name: refused[name] for name in ("class", "epoch", "seq", "code")} == {
        "class": "metric",
        "epoch": EPOCH,
        "seq": 2,
        "code": "invalid-field",
    }
    assert "data.cpu" in refused["message"]
    found = await of_class(cloud, "metric")
    assert (found["received"], found["rejected"], found["missing"]) == (1, 1, 0)


DEEP: Any = {}
for _ in range(40):
    DEEP = {"deeper": DEEP}
REFUSED = {
    "no data that is an object": record(1, data=[1]),
    "deeper than anybody needs": record(1, data=DEEP),
    "longer than a record may be": record(1, data={"text": "x" * 70_000}),
    "a number beyond all": record(1, of="metric", data={"cpu": 1e300}),
    "an integer beyond all": record(1, of="metric", data={"cpu": 10**40}),
    "a flag for a figure": record(1, of="metric", data={"cpu": True}),
    "more figures than anybody has": record(
        1, of="metric", data={f"n{number}": 1 for number in range(513)}
    ),
    "a name nobody can read": record(1, of="metric", data={"a\u0000b": 1}),
    "a log line that says nothing": record(1, of="log", data={"level": "info"}),
    "no time": {"class": "event", "epoch": EPOCH, "seq": 1, "data": {}},
}


async def test_what_cannot_be_used_is_named_and_passed_over(cloud: Running, key: str) -> None:
    for number, (what, bad) in enumerate(REFUSED.items()):
        epoch = f"{number:08x}"

        answer = await send(cloud, key, {**bad, "epoch": epoch}, record(number + 1, of="reading"))

        assert answer["watermarks"] == {bad["class"]: {epoch: 1}, "reading": {EPOCH: number + 1}}
        assert [refused["seq"] for refused in answer["rejected"]] == [1], what
    assert len(await stored(cloud, "reading")) == len(REFUSED)


UNREADABLE = {
    "no JSON": b"hush{",
    "a NaN": b'{"class":"metric","epoch":"abcd1234","seq":2,"at":1,"data":{"cpu":NaN}}',
    "a class nobody knows": record(2, of="gossip"),
    "no number": {"class": "event", "epoch": EPOCH, "at": 1, "data": {}},
    "number 0": record(0),
    "a number beyond all": record(2**53),
    "an epoch that is none": record(2, epoch="hush"),
    "an epoch with a NUL": record(2, epoch="abcd1234\u0000"),
    "no object": b"[1]",
    "a nest": b"[" * 100_000,
}


async def test_a_line_without_an_id_names_itself_and_nothing_is_taken(
    cloud: Running, key: str
) -> None:
    for what, bad in UNREADABLE.items():
        reply = await cloud.ask("POST", RECORDS, key=key, content=ndjson([record(1), b"", bad]))

        assert (reply.status_code, reply.json()["code"]) == (400, "invalid-field"), what
        assert reply.json()["details"]["path"] == "line 3"
        assert "hush" not in reply.text
    assert await stored(cloud) == []


async def test_a_body_is_bounded_however_well_it_packs(cloud: Running, key: str) -> None:
    bomb = gzip.compress(b" " * 100_000_000, compresslevel=1)
    for headers in ({}, {"Content-Encoding": "gzip"}):
        reply = await cloud.ask("POST", RECORDS, key=key, content=bomb, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (413, "too-large")

    many = await cloud.ask("POST", RECORDS, key=key, content=b"{}\n" * 100_000)

    assert (many.status_code, many.json()["code"]) == (413, "too-large")


async def test_what_begins_like_gzip_and_is_none_is_refused(cloud: Running, key: str) -> None:
    for content in (b"\x1f\x8b", b"\x1f\x8b\x08\x00rubbish", gzip.compress(b"")[:-3]):
        reply = await cloud.ask("POST", RECORDS, key=key, content=content)

        assert (reply.status_code, reply.json()["code"]) == (400, "invalid-field")


async def test_an_empty_body_changes_nothing(cloud: Running, key: str) -> None:
    assert await send(cloud, key) == {"watermarks": {}, "rejected": []}


async def test_a_device_writes_its_own_records_only(cloud: Running, key: str) -> None:
    await cloud.o1_device(OTHER_UUID, "cd" * 32)

    reply = await cloud.ask(
        "POST", f"/api/v1/device/{OTHER_UUID}/records", key=key, content=ndjson([record(1)])
    )

    assert (reply.status_code, reply.json()["code"]) == (403, "foreign-device")


async def test_two_devices_may_have_the_same_epoch(cloud: Running, key: str) -> None:
    other_key = await cloud.o1_device(OTHER_UUID, "cd" * 32)
    await send(cloud, key, record(1))

    await send(cloud, other_key, record(1), path=f"/api/v1/device/{OTHER_UUID}/records")

    assert await stored(cloud) == [(EPOCH, 1)]
    other = await cloud.ok("GET", f"/api/v1/devices/{OTHER_UUID}/events", who="viewer")
    assert other["count"] == 1


async def test_the_same_batch_at_the_same_time_is_stored_once(
    cloud: Running, second: Running, key: str
) -> None:
    batch = [record(seq) for seq in range(1, 101)]

    answers = await asyncio.gather(*(send(one, key, *batch) for one in (cloud, second) * 3))

    assert all(answer["watermarks"] == {"event": {EPOCH: 100}} for answer in answers)
    assert await stored(cloud) == [(EPOCH, seq) for seq in range(1, 101)]
    assert (await of_class(cloud))["duplicates"] == 500


async def test_a_device_that_starts_anew_all_the_time_fills_nothing(
    cloud: Running, key: str, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    monkeypatch.setattr(epochs, "EPOCHS_KEPT", 20)
    for start in range(0, 60, 10):
        clock.advance(s=60)
        await send(cloud, key, *(record(1, epoch=f"{n:08x}") for n in range(start, start + 10)))

    again = await send(cloud, key, *(record(1, epoch=f"{n:08x}") for n in range(50, 60)))

    assert len(again["watermarks"]["event"]) == 10
    found = await cloud.ok("GET", f"{DEVICE}/records/gaps?limit=1000", who="viewer")
    kept = [one["epoch"] for one in found["classes"]["event"]["epochs"]]
    assert sorted(kept) == [f"{n:08x}" for n in range(40, 60)]
    assert found["classes"]["event"]["received"] == 60


async def test_a_device_that_skips_every_other_number_fills_nothing(
    cloud: Running, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "GAPS_KEPT", 5)

    await send(cloud, key, *(record(seq) for seq in range(2, 102, 2)))
    far = {"seq": 2**53 - 1}
    await send(cloud, key, record(1) | far, record(1, epoch=OTHER_EPOCH) | far)

    found = await of_class(cloud)
    kept = [gap for epoch in found["epochs"] for gap in epoch["gaps"]]
    assert len(kept) == 5
    assert found["missing"] == 2**53 - 1  # as far as it is counted
    assert sorted(epoch["received"] for epoch in found["epochs"]) == [1, 51]


async def test_an_implausible_clock_of_the_device_gives_way(cloud: Running, key: str) -> None:
    odd = record(1) | {"at": 12_345}
    await send(cloud, key, odd, record(2, synced=False))

    first, other = (await cloud.ok("GET", f"{DEVICE}/events", who="viewer"))["events"]

    assert (first["timestamp"], first["clockSynced"]) == (START_MS, False)
    assert (other["timestamp"], other["clockSynced"]) == (START_MS + 2, False)


async def test_the_device_itself_shows_what_came_of_its_records(cloud: Running, key: str) -> None:
    await send(cloud, key, record(1), record(3))

    found = await cloud.ok("GET", f"/api/v1/devices/{UUID}", who="viewer")

    shown = found["records"]["event"]
    assert (shown["received"], shown["missing"], shown["stored"]) == (2, 1, 2)
    assert shown["lastAt"] == "2026-05-28T20:26:40.000Z"


async def test_records_hold_what_json_holds(cloud: Running, key: str) -> None:
    data = {"text": "nul \u0000 and \u202e", "list": [1, None, {"a": True}], "": 1.5}

    await send(cloud, key, record(1, data=data))

    assert (await cloud.ok("GET", f"{DEVICE}/events", who="viewer"))["events"][0]["data"] == data
