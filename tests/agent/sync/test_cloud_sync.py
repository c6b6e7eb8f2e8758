"""The link as a whole: hints, wishes of persons, and links that come and go."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from iotistic.agent.sync import SyncIntervals
from iotistic.model.errors import CloudUnavailable, Refused
from iotistic.model.words import ConnectionState
from tests.agent.sync.builders import container, document, service
from tests.agent.sync.device import Device, link_to, running
from tests.agent.sync.scripted_cloud import HANGS_UP, Answer, ScriptedCloud, scripted_cloud

TARGET = document(service(), version=1)
NEWER = document(service(), version=2)
BROKEN = document({"serviceId": 1}, version=3)


async def test_a_report_that_is_answered_with_another_version_is_a_hint_to_poll(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.target = TARGET

    async with running(device):
        await device.passes(15)
        cloud.target, cloud.hint = NEWER, 2
        device.knows(containers=(container("1"),))
        await device.passes(8)

        assert device.offered == [TARGET, NEWER]


@pytest.mark.parametrize("newest", [NEWER, BROKEN], ids=["accepted", "refused"])
async def test_a_version_that_is_known_is_no_hint(
    device: Device, cloud: ScriptedCloud, newest: dict[str, object]
) -> None:
    cloud.target = newest
    cloud.hint = 2 if newest is NEWER else 3

    async with running(device):
        for number in range(30):
            device.knows(containers=(container("1", id=f"c{number}"),))
            await device.passes(11)

    assert len(cloud.polls()) <= 8


async def test_hints_are_spread_and_never_more_than_one_in_five_seconds(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        before = len(cloud.polls())
        for _ in range(100):
            device.sync.poll_hint()
            await device.passes(0.1)

    assert 1 <= len(cloud.polls()) - before <= 3


async def test_a_hint_does_not_hurry_a_cloud_in_trouble(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.say("GET", Answer(503, headers={"Retry-After": "100"}))

    async with running(device):
        device.sync.poll_hint()
        await device.passes(90)

    assert len(cloud.polls()) == 1


async def test_a_person_gets_poll_and_report_at_once(device: Device, cloud: ScriptedCloud) -> None:
    cloud.target = TARGET
    device.intervals = SyncIntervals(poll_s=3600, report_s=3600)

    async with running(device):
        await device.passes(15)
        cloud.target = NEWER
        polls, reports = len(cloud.polls()), len(cloud.reports())
        asking = asyncio.ensure_future(device.sync.sync_now())
        await device.passes(0)
        outcome = await asking

    assert (outcome.changed, outcome.version) == (True, 2)
    assert outcome.state is ConnectionState.ONLINE
    assert len(cloud.polls()) == polls + 1
    assert len(cloud.reports()) == reports + 1


async def test_an_impatient_person_is_answered_every_five_seconds(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        before = len(cloud.polls())
        first = asyncio.ensure_future(device.sync.sync_now())
        await device.passes(0)
        assert (await first).changed is False
        second = asyncio.ensure_future(device.sync.sync_now())
        third = asyncio.ensure_future(device.sync.sync_now())
        await device.passes(4)
        assert not second.done()
        await device.passes(2)
        await asyncio.gather(second, third)

    assert len(cloud.polls()) == before + 2


async def test_a_person_hears_why_the_cloud_did_not_answer_also_within_a_backoff(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        cloud.down = Answer(503, headers={"Retry-After": "3000"})
        await device.passes(70)
        asking = asyncio.ensure_future(device.sync.sync_now())
        await device.passes(0)
        with pytest.raises(CloudUnavailable) as raised:
            await asking

        cloud.down = None
        again = asyncio.ensure_future(device.sync.sync_now())
        await device.passes(6)
        assert (await again).state is ConnectionState.ONLINE

    assert raised.value.code == "http-503"


async def test_who_gives_up_waiting_breaks_nothing(device: Device, cloud: ScriptedCloud) -> None:
    async with running(device):
        asking = asyncio.ensure_future(device.sync.sync_now())
        await asyncio.sleep(0)
        asking.cancel()
        await device.passes(120)

        assert device.state is ConnectionState.ONLINE


async def test_without_a_cloud_there_is_nothing_to_ask_and_nothing_to_show(
    device: Device, cloud: ScriptedCloud
) -> None:
    device.relink(None)

    async with running(device):
        await device.passes(600)
        assert device.sync.status() is None
        with pytest.raises(Refused) as raised:
            await device.sync.sync_now()

    assert raised.value.code == "not-provisioned"
    assert cloud.asked == []


async def test_a_person_may_ask_in_the_moment_of_joining(
    device: Device, cloud: ScriptedCloud
) -> None:
    """The link is stored, and nothing of it is open yet."""
    link = device.link
    device.relink(None)

    async with running(device):
        device.relink(link)
        asking = asyncio.ensure_future(device.sync.sync_now())
        await device.passes(15)

        assert (await asking).state is ConnectionState.ONLINE


async def test_a_device_that_is_provisioned_begins_at_once_and_ends_when_deprovisioned(
    device: Device, cloud: ScriptedCloud
) -> None:
    link = device.link
    device.relink(None)
    cloud.target = TARGET

    async with running(device):
        device.relink(link)
        await device.passes(0)
        assert device.offered == [TARGET]
        assert len(cloud.reports()) == 1

        device.relink(None)
        await device.passes(0)
        asked = len(cloud.asked)
        await device.passes(600)
        assert len(cloud.asked) == asked


async def test_another_cloud_is_told_everything_with_the_new_key(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.target = TARGET

    async with scripted_cloud(device.clock.now_s) as other, running(device):
        other.target = NEWER
        device.relink(link_to(other, key="another-key-9876"))
        await device.passes(0)
        asked = len(cloud.asked)
        await device.passes(120)

        assert len(cloud.asked) == asked
        assert device.offered == [TARGET, NEWER]
        assert "base" not in other.reports()[0]
        assert {a.headers["X-Device-API-Key"] for a in other.asked} == {"another-key-9876"}


async def test_a_changed_link_ends_what_somebody_waits_for(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        asking = asyncio.ensure_future(device.sync.sync_now())
        await asyncio.sleep(0)
        device.relink(None)
        with pytest.raises(CloudUnavailable):
            await asking


async def test_an_address_that_cannot_be_used_waits_for_another(
    device: Device, cloud: ScriptedCloud
) -> None:
    good = device.link
    assert good is not None
    device.clock.sleepers = 0
    device.link = replace(good, endpoint="http://cloud.example.com")

    async with running(device):
        unusable = device.status
        device.relink(good)
        await device.passes(0)
        assert device.state is ConnectionState.ONLINE

    assert unusable.state is ConnectionState.OFFLINE
    assert unusable.error is not None


async def test_the_worse_channel_is_shown_with_its_reason(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        since_ms = device.status.since_ms
        cloud.say("PATCH", *[HANGS_UP] * 50)
        device.knows(containers=(container("1"),))
        await device.passes(17)
        status = device.status

        assert [channel.state for channel in status.channels] == ["online", "offline"]
        assert status.state is ConnectionState.OFFLINE
        assert status.error is not None
        assert status.error.code == "cloud-unreachable"
        assert status.since_ms is not None
        assert since_ms is not None
        assert status.since_ms > since_ms
        assert status.last_contact_ms is not None


async def test_traffic_is_counted_by_purpose(device: Device, cloud: ScriptedCloud) -> None:
    async with running(device):
        await device.passes(120)
        status = device.status

    assert status.sent_bytes.keys() == status.received_bytes.keys() == {"poll", "report"}
    assert all(count > 100 for count in status.sent_bytes.values())
