"""What waits in the outbox gets to the cloud, and stays until the cloud says that it has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.outbox import ClassLedger, DropReason, Outbox, default_quotas
from iotistic.agent.sync import CourierPace
from iotistic.agent.sync.turns import ALONE_MAX
from iotistic.model.records import RecordClass
from iotistic.model.words import ConnectionState, Dialect
from tests.agent.sync.carrying import passes
from tests.agent.sync.device import Device, link_to, running
from tests.agent.sync.scripted_cloud import HANGS_UP, Answer, ScriptedCloud
from tests.agent.virtual_clock import VirtualClock

EVENT, METRIC, LOG = RecordClass.EVENT, RecordClass.METRIC, RecordClass.LOG
SOON_S = 10.0
"""More than the spread of the first batch and the second that records wait for others."""


@pytest.fixture
async def outbox(clock: VirtualClock, device: Device, tmp_path: Path) -> AsyncIterator[Outbox]:
    async with Outbox.open(
        tmp_path / "outbox.sqlite",
        clock,
        device.book.logger(),
        quotas=default_quotas(64),
        clock_synced=lambda: True,
    ) as outbox:
        device.outbox = outbox
        yield outbox


@pytest.fixture(autouse=True)
def _opened(device: Device, outbox: Outbox) -> None:
    device.__post_init__()


async def put(outbox: Outbox, kind: RecordClass, *items: dict[str, Any]) -> None:
    await outbox.put_all(kind, [(1_760_000_000_000 + n, item) for n, item in enumerate(items)])


def numbered(count: int) -> Iterable[dict[str, Any]]:
    return ({"n": n} for n in range(count))


def line(message: str, level: str = "info") -> dict[str, Any]:
    return {"message": message, "level": level, "source": {"type": "system", "name": "a"}}


def told(outbox: Outbox, kind: RecordClass) -> ClassLedger:
    ledger = outbox.ledger()[kind]
    assert ledger.balanced
    return ledger


async def test_records_get_there_and_leave_the_outbox_once_acknowledged(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    await put(outbox, METRIC, *numbered(3))

    async with running(device):
        await passes(device, outbox, SOON_S)

    assert [record["data"]["n"] for record in cloud.stored] == [0, 1, 2]
    assert told(outbox, METRIC).acknowledged == 3
    (asked,) = [asked for asked in cloud.asked if asked.method == "POST"]
    assert asked.headers["Content-Type"] == "application/x-ndjson"
    assert asked.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("dialect", "compress", "kind", "encoding"),
    [
        (Dialect.V2, True, "application/x-ndjson+gzip", None),
        (Dialect.V2, False, "application/x-ndjson", None),
        (Dialect.O1, True, "application/x-ndjson", "gzip"),
    ],
)
async def test_log_lines_go_in_the_form_of_the_dialect(
    device: Device,
    cloud: ScriptedCloud,
    outbox: Outbox,
    dialect: Dialect,
    compress: bool,
    kind: str,
    encoding: str | None,
) -> None:
    device.link = link_to(cloud, dialect=dialect)
    device.pace = CourierPace(compress=compress)
    await put(outbox, LOG, line("hello"))
    await put(outbox, EVENT, {"event": "reboot"})

    async with running(device):
        await passes(device, outbox, 65)

    (asked,) = [asked for asked in cloud.asked if asked.path.endswith("/logs")]
    assert asked.headers["Content-Type"] == kind
    assert asked.headers.get("Content-Encoding") == encoding
    (found,) = asked.body
    assert (found["message"], found["seq"]) == ("hello", 1)
    assert len(found["epoch"]) >= 8
    others = [asked for asked in cloud.asked if asked.path.endswith("/records")]
    assert bool(others) is (dialect is Dialect.V2)


async def test_lines_wait_for_their_minute_but_an_error_does_not(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    async with running(device):
        await put(outbox, LOG, line("hello"))
        await passes(device, outbox, 40)
        before = len(cloud.stored)
        device.sync.error_logged()
        await put(outbox, LOG, line("oh", "error"))
        await passes(device, outbox, 4)

    assert before == 0
    assert [found["message"] for found in cloud.stored] == ["hello", "oh"]


async def test_a_backlog_goes_at_once_and_a_new_event_does_not_wait_behind_it(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    device.pace = CourierPace(log_s=1.0)
    await put(outbox, LOG, *(line(str(n)) for n in range(4500)))
    cloud.say("POST", Answer(503, headers={"Retry-After": "30"}))

    async with running(device):
        await passes(device, outbox, SOON_S)
        await put(outbox, EVENT, {"event": "reboot"})
        await passes(device, outbox, 40)

    sizes = [len(batch) for batch in cloud.batches()]
    assert sizes == [1000, 1, 1000, 1000, 1000, 1000, 500]
    assert told(outbox, LOG).acknowledged == 4500


@pytest.mark.parametrize("lost", [HANGS_UP, Answer(hangs_up=True, after=True), Answer(500)])
async def test_a_batch_without_an_answer_is_sent_again_and_stored_once(
    device: Device, cloud: ScriptedCloud, outbox: Outbox, lost: Answer
) -> None:
    await put(outbox, METRIC, *numbered(5))
    cloud.say("POST", lost)

    async with running(device):
        await passes(device, outbox, SOON_S)
        waiting_after_loss = told(outbox, METRIC).waiting
        await passes(device, outbox, 60)

    assert waiting_after_loss in (0, 5)
    assert [record["data"]["n"] for record in cloud.stored] == [0, 1, 2, 3, 4]
    assert told(outbox, METRIC).acknowledged == 5
    assert told(outbox, METRIC).sent == 10


async def test_what_the_cloud_rejects_becomes_a_dead_letter_and_the_rest_is_taken(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    await put(outbox, EVENT, {"n": 0}, {"unwanted": 1}, {"n": 2})

    async with running(device):
        await passes(device, outbox, SOON_S)

    assert [record["data"] for record in cloud.stored] == [{"n": 0}, {"n": 2}]
    assert told(outbox, EVENT).dropped == {DropReason.REJECTED: 1}
    (letter,) = await outbox.dead_letters()
    assert (letter.code, letter.data) == ("unwanted", {"unwanted": 1})


async def test_one_record_because_of_which_batches_are_refused_is_found_and_put_aside(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    records = [*numbered(300)]
    records[217] = {"word": "poison"}
    await put(outbox, METRIC, *records)

    async with running(device):
        await passes(device, outbox, SOON_S)
        state = device.state

    assert len(cloud.stored) == 299
    (letter,) = await outbox.dead_letters()
    assert letter.data == {"word": "poison"}
    assert len(cloud.batches()) < 25
    assert state is ConnectionState.ONLINE


async def test_one_that_refuses_everything_costs_a_record_a_minute_and_no_more(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    cloud.poison = ""
    await put(outbox, METRIC, *numbered(300))

    async with running(device):
        await passes(device, outbox, 600)

    assert 3 <= told(outbox, METRIC).dropped_total <= 15
    assert told(outbox, METRIC).waiting > 280


async def test_a_cloud_without_records_gets_its_logs_and_is_asked_again_in_an_hour(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    cloud.ways = {"logs"}
    cloud.tells_watermarks = False
    await put(outbox, METRIC, *numbered(3))
    await put(outbox, LOG, line("hello"))

    async with running(device):
        await passes(device, outbox, 90)
        asked = [asked.path.rpartition("/")[2] for asked in cloud.asked if asked.method == "POST"]
        state, refused = device.state, device.status.records_refused
        warned = [warning.code for warning in device.sync.warnings()]
        cloud.ways, cloud.tells_watermarks = {"logs", "records"}, True
        await passes(device, outbox, 3000)
        before = told(outbox, METRIC).waiting
        await passes(device, outbox, 700)
        still_refused = device.status.records_refused

    assert sorted(asked) == ["logs", "records"]
    assert "records-refused" in warned
    assert (state, refused, still_refused) == (ConnectionState.ONLINE, True, False)
    assert told(outbox, LOG).acknowledged == 1
    assert (before, told(outbox, METRIC).acknowledged) == (3, 3)


async def test_one_that_says_yes_to_everything_gets_no_record(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    cloud.tells_watermarks = False
    await put(outbox, METRIC, *numbered(3))

    async with running(device):
        await passes(device, outbox, 60)
        refused = device.status.records_refused

    assert refused
    assert told(outbox, METRIC).waiting == 3


async def test_a_cloud_that_does_not_acknowledge_is_not_flooded(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    cloud.say("POST", *[Answer(200, {"watermarks": {"metric": {}}})] * 50)
    await put(outbox, METRIC, *numbered(3))

    async with running(device):
        await passes(device, outbox, 60)
        error = device.status.error

    assert len(cloud.batches()) < 15
    assert error is not None
    assert error.code == "not-acknowledged"
    assert told(outbox, METRIC).waiting == 3


async def test_retry_after_is_kept(device: Device, cloud: ScriptedCloud, outbox: Outbox) -> None:
    cloud.say("POST", Answer(429, headers={"Retry-After": "40"}))
    await put(outbox, METRIC, *numbered(3))

    async with running(device):
        await passes(device, outbox, 38)
        early = len(cloud.batches())
        await passes(device, outbox, 20)

    assert early == 1
    assert told(outbox, METRIC).acknowledged == 3


async def test_a_device_that_is_not_let_in_says_so(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    cloud.say("POST", *[Answer(401, {"error": "Unauthorized"})] * 3)
    await put(outbox, METRIC, *numbered(3))

    async with running(device):
        await passes(device, outbox, 30)
        told_of = {channel.name: channel.error for channel in device.status.channels}

    assert told_of["poll"] is None
    assert told_of["records"] is not None
    assert told_of["records"].code == "credentials-refused"


async def test_what_is_held_stays_and_goes_when_it_is_held_no_more(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    device.pace = CourierPace(held=frozenset({METRIC}))
    await put(outbox, METRIC, *numbered(3))
    await put(outbox, EVENT, {"n": 9})

    async with running(device):
        await passes(device, outbox, 100)
        first = [record["class"] for record in cloud.stored]
        device.pace = CourierPace()
        device.sync.intervals_changed()
        await passes(device, outbox, SOON_S)

    assert first == ["event"]
    assert told(outbox, METRIC).acknowledged == 3


async def test_a_person_who_syncs_gets_what_waits_sent(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    async with running(device):
        await put(outbox, LOG, line("hello"))
        await passes(device, outbox, 6)
        asking = asyncio.ensure_future(device.sync.sync_now())
        await passes(device, outbox, 6)
        await asking

    assert [found["message"] for found in cloud.stored] == ["hello"]


async def test_a_line_that_the_cloud_leaves_out_is_put_aside_and_not_taken_for_delivered(
    device: Device, cloud: ScriptedCloud, outbox: Outbox
) -> None:
    left_out = Answer(200, {"status": "ok", "received": 0, "rejected": 1})
    cloud.say("POST", *[left_out] * ALONE_MAX)
    await put(outbox, LOG, line("hello"))

    async with running(device):
        await passes(device, outbox, 70)

    (letter,) = await outbox.dead_letters()
    assert letter.code == "lines-rejected"
    assert told(outbox, LOG).acknowledged == 0
