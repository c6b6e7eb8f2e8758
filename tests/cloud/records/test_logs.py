"""Log lines of every kind of agent, taken and shown."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iotistic.cloud.db import database as database_module
from iotistic.cloud.db.database import Database
from tests.cloud.joining import Device
from tests.cloud.records.sending import DEVICE, EPOCH, LOGS, RECORDS, line, ndjson, record, send
from tests.cloud.running import OTHER_UUID, START_MS, ManualClock, Running, running_cloud, url_of

BOMB = gzip.compress(b" " * 100_000_000)
KINDS: dict[str, tuple[str, dict[str, str], Callable[[bytes], bytes]]] = {
    "plain": ("application/x-ndjson", {}, lambda body: body),
    "older agents": ("application/x-ndjson", {"Content-Encoding": "gzip"}, gzip.compress),
    "ours": ("application/x-ndjson+gzip", {}, gzip.compress),
}


@pytest.fixture
async def key(cloud: Running) -> str:
    """The key of a device of the older dialect: only refusals differ between the two."""
    return await cloud.o1_device()


async def shown(cloud: Running, query: str = "") -> list[dict[str, Any]]:
    found = await cloud.ok("GET", f"{DEVICE}/logs{query}", who="viewer")
    assert found["count"] == len(found["logs"])
    lines: list[dict[str, Any]] = found["logs"]
    return lines


async def messages(cloud: Running, query: str = "") -> list[str]:
    return [one["message"] for one in await shown(cloud, query)]


async def test_lines_come_in_every_form_that_agents_send(cloud: Running, key: str) -> None:
    for kind, (content_type, headers, pack) in KINDS.items():
        body = pack(ndjson([line(f"{kind} 1"), line(f"{kind} 2")]) + b"\n")

        answer = await cloud.ok(
            "POST", LOGS, key=key, content=body, headers=headers | {"Content-Type": content_type}
        )

        assert answer == {"status": "ok", "received": 2, "rejected": 0}
    assert await messages(cloud) == [f"{kind} {number}" for kind in KINDS for number in (1, 2)]


async def test_a_line_is_shown_as_it_came(cloud: Running, key: str) -> None:
    sent = line(
        "it failed",
        level="error",
        serviceName="web",
        serviceId="1",
        containerId="c1",
        isStderr=True,
        component="logs",
        context={"attempt": 3},
        error={"name": "OSError"},
    )

    await send(cloud, key, sent, path=LOGS)

    (found,) = await shown(cloud)
    assert found.pop("isStdErr") is True
    del sent["isStderr"]
    assert found.items() >= sent.items()
    assert found["receivedAt"] == "2026-05-28T20:26:40.000Z"


async def test_lines_with_an_id_of_the_outbox_are_stored_once(cloud: Running, key: str) -> None:
    lines = [line(f"n{seq}", epoch=EPOCH, seq=seq) for seq in (1, 2, 4)]
    first = await send(cloud, key, *lines[:2], path=LOGS)

    again = await send(cloud, key, *lines, path=LOGS)

    assert first["watermarks"] == {"log": {EPOCH: 2}}
    assert again == {
        "status": "ok",
        "received": 3,
        "rejected": 0,
        "watermarks": {"log": {EPOCH: 4}},
    }
    assert await messages(cloud) == ["n1", "n2", "n4"]
    gaps = await cloud.ok("GET", f"{DEVICE}/records/gaps", who="viewer")
    assert gaps["classes"]["log"]["missing"] == 1


async def test_lines_may_come_as_records_too(cloud: Running, key: str) -> None:
    await send(cloud, key, record(1, of="log", data=line("as a record")), path=RECORDS)

    again = await send(cloud, key, line("as a line", epoch=EPOCH, seq=1), path=LOGS)

    assert again["watermarks"] == {"log": {EPOCH: 1}}
    assert await messages(cloud) == ["as a record"]


async def test_a_line_that_says_nothing_does_not_come_again_and_again(
    cloud: Running, key: str
) -> None:
    answer = await send(cloud, key, {"level": "info", "epoch": EPOCH, "seq": 1}, path=LOGS)

    assert (answer["rejected"], answer["watermarks"]) == (1, {"log": {EPOCH: 1}})


async def test_lines_with_their_own_id_are_stored_once_a_day(
    cloud: Running, key: str, clock: ManualClock
) -> None:
    one, two = line("one", id="a"), line("two", id="b")
    await send(cloud, key, one, one, path=LOGS)

    await send(cloud, key, one, two, path=LOGS)

    assert await messages(cloud) == ["one", "two"]
    clock.advance(days=1.1)
    await cloud.cloud.housekeeping.once()
    await send(cloud, key, one, path=LOGS)
    assert await messages(cloud) == ["one", "two", "one"]


@pytest.mark.parametrize("header", ["X-Batch-Id", "X-Idempotency-Key"])
async def test_a_batch_with_an_id_is_stored_once(cloud: Running, key: str, header: str) -> None:
    body = ndjson([line("one"), line("one")])

    answers = [
        await cloud.ok("POST", LOGS, key=key, content=body, headers={header: "b1"})
        for _ in range(2)
    ]

    assert (
        answers[0]
        == answers[1]
        == {
            "status": "ok",
            "received": 2,
            "rejected": 0,
            "batchId": "b1",
        }
    )
    assert await messages(cloud) == ["one", "one"]


async def test_a_whole_report_in_a_line_loses_its_context(cloud: Running, key: str) -> None:
    sent = line("Metrics Report", context={"environment": {"PASSWORD": "hush"}})

    await send(cloud, key, sent, path=LOGS)

    (found,) = await shown(cloud)
    assert "context" not in found
    assert "hush" not in json.dumps(found)


async def test_a_line_that_is_too_long_is_cut_and_says_so(cloud: Running, key: str) -> None:
    letters = ["x", "é", "\u0001", "😀"]
    for seq, letter in enumerate(letters, 1):
        sent = line(letter * 200_000, epoch=EPOCH, seq=seq, context={"big": "y" * 1000})
        answer = await send(cloud, key, sent, path=LOGS)
        assert answer["watermarks"] == {"log": {EPOCH: seq}}

    for letter, found in zip(letters, await shown(cloud), strict=True):
        size = len(json.dumps(found["message"], ensure_ascii=False).encode())
        assert found["truncated"] is True
        assert 10_000 <= size <= 64 * 1024
        assert set(found["message"]) == {letter}


async def test_every_level_becomes_one_of_four(cloud: Running, key: str) -> None:
    said = {"warn": "warn", "WARNING": "warn", "fatal": "error", "loud": "info", "": "info"}

    await send(cloud, key, *(line("x", level=level) for level in said), path=LOGS)

    assert [one["level"] for one in await shown(cloud)] == list(said.values())


async def test_a_line_without_a_time_has_that_of_its_arrival(cloud: Running, key: str) -> None:
    await send(
        cloud,
        key,
        *({"message": "x", "timestamp": at} for at in (None, "now", -1, 1e300)),
        path=LOGS,
    )

    assert {one["timestamp"] for one in await shown(cloud)} == {START_MS}


async def test_lines_are_chosen_by_service_level_and_time(cloud: Running, key: str) -> None:
    await send(
        cloud,
        key,
        line("a", level="debug", timestamp=START_MS + 1),
        line("b", level="warn", timestamp=START_MS + 2),
        line("c", level="error", timestamp=START_MS + 3, serviceName="db"),
        path=LOGS,
    )

    assert await messages(cloud, "?service=web") == ["a", "b"]
    assert await messages(cloud, "?level=warn") == ["b", "c"]
    assert await messages(cloud, "?level=warn&service=db") == ["c"]
    assert await messages(cloud, f"?from={START_MS + 2}") == ["b", "c"]
    assert await messages(cloud, f"?to={START_MS + 2}") == ["a"]
    assert await messages(cloud, "?from=2026-05-28T20:26:40.003Z") == ["c"]
    assert await messages(cloud, "?limit=1") == ["c"]
    assert await messages(cloud, "?limit=1&offset=2") == ["a"]
    assert await messages(cloud, "?limit=0") == []


async def test_a_question_that_makes_no_sense_is_refused(cloud: Running, key: str) -> None:
    for query in (
        "level=loud",
        "limit=1001",
        "from=now",
        "from=2026-01-01T00:00:00",
        "service=a%00",
        "follow=1&after=x",
    ):
        reply = await cloud.ask("GET", f"{DEVICE}/logs?{query}", who="viewer")

        assert (reply.status_code, reply.json()["code"]) == (400, "invalid-field"), query
        path = query.removeprefix("follow=1&").partition("=")[0]
        assert reply.json()["details"]["path"] == path


async def test_a_page_of_long_lines_ends_early(cloud: Running, key: str) -> None:
    for number in range(5):
        lines = [line("x" * 60_000, n=number) for _ in range(40)]
        await send(cloud, key, *lines, path=LOGS)

    reply = await cloud.ask("GET", f"{DEVICE}/logs", who="viewer")

    assert len(reply.content) < 9 * 1024 * 1024
    found = reply.json()
    assert 100 < found["count"] < 200
    assert found["logs"][-1]["n"] == 4


async def test_the_services_that_wrote_are_listed(cloud: Running, key: str) -> None:
    lines = [line("x"), line("x"), line("x", serviceName="db", timestamp=START_MS + 5)]
    await send(cloud, key, *lines, path=LOGS)

    found = await cloud.ok("GET", f"{DEVICE}/logs/services", who="viewer")

    assert [(one["serviceName"], one["count"]) for one in found["services"]] == [
        ("db", 1),
        ("web", 2),
    ]
    assert found["services"][0]["lastAt"] == "2026-05-28T20:26:40.005Z"


async def test_a_device_that_is_not_there_has_no_logs(cloud: Running, key: str) -> None:
    reply = await cloud.ask("GET", f"/api/v1/devices/{OTHER_UUID}/logs", who="viewer")

    assert (reply.status_code, reply.json()["code"]) == (404, "no-such-device")


HOPELESS = {
    "a bomb": (BOMB, {"Content-Encoding": "gzip"}),
    "a bomb that does not say so": (BOMB, {}),
    "no gzip": (b"hello", {"Content-Encoding": "gzip"}),
    "another packing": (b"hello", {"Content-Encoding": "br"}),
    "no JSON": (b"hello\nworld\n", {}),
    "no UTF-8": (b'{"message":"\xff"}', {}),
    "lists": (b"[]\n[]\n", {}),
    "a nest": (b"[" * 100_000, {}),
    "nothing": (b"", {}),
}


async def test_a_device_of_the_older_dialect_is_never_refused(cloud: Running, key: str) -> None:
    for what, (content, headers) in HOPELESS.items():
        reply = await cloud.ask("POST", LOGS, key=key, content=content, headers=headers)

        answer = reply.json()
        assert (reply.status_code, answer["status"], answer["received"]) == (200, "ok", 0), what
    assert await shown(cloud) == []


async def test_while_the_database_is_held_an_older_device_is_told_nothing_of_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.05)
    async with running_cloud(database) as cloud:
        old = await cloud.o1_device()
        new = await Device(cloud, (await cloud.new_key())["key"], uuid=OTHER_UUID).joined()
        new_logs = f"/api/v1/device/{OTHER_UUID}/logs"
        for key, path in ((old, LOGS), (new, new_logs)):  # the first use of a key is a write
            await send(cloud, key, line("x"), path=path)
        elsewhere = await asyncio.to_thread(Database, url_of(database))
        async with elsewhere.write():
            replies = [
                await cloud.ask("POST", path, key=key, content=ndjson([line("x")]))
                for key, path in ((old, LOGS), (new, new_logs))
            ]
        await elsewhere.close()

    assert [reply.status_code for reply in replies] == [200, 503]
    assert replies[0].json()["received"] == 0
    assert replies[1].headers["Retry-After"] == "2"


async def test_a_hundred_thousand_tiny_lines_cost_little(cloud: Running, key: str) -> None:
    answer = await cloud.ok("POST", LOGS, key=key, content=b"{}\n" * 100_000)

    assert (answer["received"], answer["rejected"]) == (0, 100_000)


async def test_what_an_older_agent_dropped_is_taken(cloud: Running, key: str) -> None:
    body = {"deviceUuid": "x", "summaries": [{"totalCount": 5}], "reportedAt": START_MS}

    answer = await cloud.ok("POST", f"{LOGS}/dropped-summaries", body, key=key)

    assert answer == {"status": "ok"}
