"""What the device asks of the cloud, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest

from iotistic.agent.sync import CredentialsRefused
from iotistic.model.canonical import etag_of
from iotistic.model.errors import Unavailable
from iotistic.model.words import ConnectionState
from tests.agent.sync.builders import document, service
from tests.agent.sync.device import KEY, Device, held, running
from tests.agent.sync.scripted_cloud import HANGS_UP, UUID, Answer, ScriptedCloud

TARGET = document(service(), version=1)
NEWER = document(service(), version=2)
BROKEN = document({"serviceId": 1}, version=3)


async def test_the_first_poll_is_at_once_and_its_target_is_taken(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.target = TARGET

    async with running(device):
        assert device.offered == [TARGET]
        assert device.state is ConnectionState.ONLINE

    assert device.stored is not None
    assert device.stored.etag == etag_of(TARGET)


async def test_a_poll_says_who_asks_in_headers_only(device: Device, cloud: ScriptedCloud) -> None:
    async with running(device):
        pass

    poll = cloud.polls()[0]
    assert poll.path == f"/api/v1/device/{UUID}/state"
    assert poll.headers["X-Device-API-Key"] == KEY
    assert "If-None-Match" not in poll.headers


async def test_what_is_held_is_not_fetched_again(device: Device, cloud: ScriptedCloud) -> None:
    cloud.target = TARGET

    async with running(device):
        await device.passes(300)

    assert len(device.offered) == 1
    assert {poll.headers.get("If-None-Match") for poll in cloud.polls()[1:]} == {etag_of(TARGET)}
    assert 4 <= len(cloud.polls()[1:]) <= 6


async def test_a_restart_asks_with_the_etag_of_the_stored_target(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.target = TARGET
    device.stored = held(TARGET, etag_of(TARGET))

    async with running(device):
        assert device.offered == []

    assert cloud.polls()[0].headers["If-None-Match"] == etag_of(TARGET)


async def test_a_new_target_is_taken_at_the_next_poll(device: Device, cloud: ScriptedCloud) -> None:
    cloud.target = TARGET

    async with running(device):
        cloud.target = NEWER
        await device.passes(66)

    assert device.offered == [TARGET, NEWER]


async def test_a_refused_target_is_fetched_once_and_leaves_the_held_one_in_force(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.target = TARGET

    async with running(device):
        cloud.target = BROKEN
        await device.passes(600)
        assert device.state is ConnectionState.ONLINE
        cloud.target = NEWER
        await device.passes(66)

    assert device.offered == [TARGET, BROKEN, NEWER]
    assert device.stored is not None
    assert device.stored.version == 2


async def test_without_etags_the_same_target_is_judged_once(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.etags = False
    cloud.target = TARGET

    async with running(device):
        await device.passes(300)
        cloud.target = BROKEN
        await device.passes(300)

    assert device.offered == [TARGET, BROKEN]


async def test_a_bare_target_is_understood(device: Device, cloud: ScriptedCloud) -> None:
    cloud.say("GET", Answer(200, TARGET))

    async with running(device):
        assert device.offered[0] == TARGET


async def test_what_could_not_be_stored_is_fetched_again(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.target = TARGET
    device.trouble = Unavailable("the disk is full", code="disk-full")

    async with running(device):
        asking = asyncio.ensure_future(device.sync.sync_now())
        await device.passes(10)
        with pytest.raises(Unavailable, match="the disk is full"):
            await asking
        assert device.state is ConnectionState.ONLINE  # it is not the cloud's fault
        device.trouble = None
        await device.passes(66)

    assert device.offered == [TARGET] * 3
    assert device.stored is not None


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(Answer(raw=b"<html>hello", headers={"Content-Type": "text/html"}), id="html"),
        pytest.param(Answer(raw=b'{"apps": {', headers=JSON), id="half a json"),
        pytest.param(Answer(raw=b'"' + 11 * 2**20 * b"x" + b'"', headers=JSON), id="11 MB"),
        pytest.param(Answer(raw=b"[" * 10**5, headers=JSON), id="very deep"),
        pytest.param(Answer(body=[1, 2]), id="a list"),
        pytest.param(Answer(body={"other-uuid": TARGET}), id="another device's"),
        pytest.param(Answer(body={UUID: "text"}), id="a text for a target"),
        pytest.param(Answer(raw=b"", headers=JSON), id="nothing"),
        pytest.param(Answer(204), id="no content"),
        pytest.param(Answer(302, headers={"Location": "http://127.0.0.1:9/"}), id="elsewhere"),
        pytest.param(HANGS_UP, id="hangs up"),
        pytest.param(Answer(500, raw=b"oops"), id="500"),
    ],
)
async def test_nonsense_is_a_failure_and_changes_nothing(
    device: Device, cloud: ScriptedCloud, nonsense: Answer
) -> None:
    cloud.target = TARGET

    async with running(device):
        cloud.target = NEWER
        cloud.say("GET", *[nonsense] * 50)
        await device.passes(66)
        assert device.offered == [TARGET]
        poll = device.status.channels[0]
        assert poll.failures >= 1
        assert poll.error is not None

        cloud.say_no_more("GET")
        await device.passes(60)
        assert device.offered == [TARGET, NEWER]
        assert device.state is ConnectionState.ONLINE


async def test_wrong_types_inside_of_a_target_are_its_refusal(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.target = {"apps": [{"appId": {}}], "config": 5}

    async with running(device):
        assert device.snapshot.refusal is not None
        assert device.state is ConnectionState.ONLINE


async def test_a_cloud_that_is_away_is_degraded_then_offline_and_once_back_online(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(5)
        cloud.down = HANGS_UP
        states = []
        for _ in range(160):
            await device.passes(0.5)
            states.append(device.status.channels[0].state)
        cloud.down = None
        await device.passes(61)
        states.append(device.status.channels[0].state)

    seen = [state for n, state in enumerate(states) if n == 0 or state is not states[n - 1]]
    assert seen == ["online", "degraded", "offline", "online"]


async def test_a_long_outage_neither_floods_the_cloud_nor_the_log(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        cloud.down = Answer(503)
        asked = len(cloud.asked)
        await device.passes(3600)

    assert 2 * 60 <= len(cloud.asked) - asked <= 2 * 200
    assert len(device.said("warn")) <= 8


async def test_what_the_cloud_asks_to_wait_is_waited(device: Device, cloud: ScriptedCloud) -> None:
    cloud.say("GET", Answer(429, {"message": "slowly"}, {"Retry-After": "240"}))

    async with running(device):
        await device.passes(239)
        assert len(cloud.polls()) == 1
        await device.passes(27)
        assert len(cloud.polls()) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_refused_credentials_are_told_and_asked_about_once_a_minute(
    device: Device, cloud: ScriptedCloud, status: int
) -> None:
    cloud.target = TARGET

    async with running(device):
        cloud.down = Answer(status, {"error": "Unauthorized", "message": "unknown device"})
        await device.passes(66)
        assert isinstance(device.status.channels[0].error, CredentialsRefused)
        assert "iotctl provision" in str(device.status.channels[0].error.remedy)
        asked = len(cloud.polls())
        await device.passes(600)
        assert 8 <= len(cloud.polls()) - asked <= 10

        cloud.down = None
        await device.passes(70)
        assert device.state is ConnectionState.ONLINE

    assert device.stored is not None  # what runs is nobody's business but the last target's


async def test_a_device_that_waits_with_others_does_not_poll_in_step(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(1200)

    times = [poll.at_s for poll in cloud.polls()]
    gaps = {round(after - before, 2) for before, after in itertools.pairwise(times)}
    assert len(gaps) > 10
    assert all(54 <= gap <= 66 for gap in gaps)


async def test_secrets_stay_out_of_the_log(device: Device, cloud: ScriptedCloud) -> None:
    async with running(device):
        cloud.down = Answer(401)
        await device.passes(600)

    shown: Any = json.dumps(device.book.records())
    assert KEY not in shown
