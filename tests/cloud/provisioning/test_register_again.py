"""The same device again: after a lost reply, a replay, a repair, a farewell."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.cloud.joining import Device
from tests.cloud.running import UUID, ManualClock, Running


@pytest.fixture
async def key(cloud: Running) -> str:
    return str((await cloud.new_key())["key"])


@pytest.fixture
def device(cloud: Running, key: str) -> Device:
    return Device(cloud, key)


async def used(cloud: Running) -> int:
    keys = await cloud.ok("GET", "/api/v1/provisioning-keys", who="viewer")
    return int(keys["keys"][0]["usedDevices"])


async def refuse(reply_of: Any, status: int, code: str) -> None:
    reply = await reply_of
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text


async def test_a_lost_reply_is_repeated_with_fresh_credentials_and_counted_once(
    cloud: Running, device: Device
) -> None:
    first = await device.joined()
    second = await device.joined()

    assert first != second
    assert await used(cloud) == 1
    # Nobody knows which reply arrived: both are good, until one is used.
    assert await device.poll(second) == 200
    assert await device.poll(first) == 401
    assert await device.poll(second) == 200


async def test_the_reply_that_did_arrive_may_be_the_first_one(
    device: Device, clock: ManualClock
) -> None:
    first = await device.joined()
    second = await device.joined()
    clock.advance(s=31)

    assert await device.poll(first) == 200
    assert await device.poll(second) == 401


async def test_a_poll_under_way_does_not_end_the_pair_that_is_just_arriving(
    device: Device, clock: ManualClock
) -> None:
    first = await device.joined()
    assert await device.poll(first) == 200
    second = await device.joined()

    assert await device.poll(first) == 200
    assert await device.poll(second) == 200
    assert await device.poll(first) == 401


async def test_the_key_in_use_outlives_any_number_of_lost_replies(
    device: Device, clock: ManualClock
) -> None:
    first = await device.joined()
    assert await device.poll(first) == 200
    for _ in range(8):
        await device.joined()
    clock.advance(s=60)

    assert await device.poll(first) == 200


async def test_two_first_uses_at_once_leave_one_key(cloud: Running, device: Device) -> None:
    keys = [await device.joined(), await device.joined()]
    cloud.clock.advance(s=60)

    answers = await asyncio.gather(*(device.poll(key) for key in keys))

    assert sorted(answers) == [200, 401]


async def test_a_replayed_registration_is_refused(cloud: Running, device: Device) -> None:
    answer = await device.exchanged()
    recorded = device.request(answer, challenge=answer["challenge"])
    key = (await device.send(recorded)).json()["api"]["deviceApiKey"]

    await refuse(device.send(recorded), 409, "exchange-missing")
    # Even with a new exchange the recorded challenge is spent.
    await device.exchanged()
    await refuse(device.send(recorded), 409, "exchange-missing")
    assert await device.poll(key) == 200


async def test_a_repeat_needs_the_challenge_inside_what_is_signed(device: Device) -> None:
    await device.joined()

    await refuse(device.register(challenge=None), 409, "challenge-missing")


async def test_the_same_registration_sent_twice_at_once_is_one_device(
    cloud: Running, device: Device
) -> None:
    answer = await device.exchanged()
    request = device.request(answer, challenge=answer["challenge"])

    replies = await asyncio.gather(*(device.send(request) for _ in range(4)))

    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
    assert await used(cloud) == 1


async def test_a_simple_client_may_repeat_within_the_hour_before_it_was_heard(
    device: Device, clock: ManualClock
) -> None:
    await device.joined(literal=True)
    key = await device.joined(literal=True)

    assert await device.poll(key) == 200
    await refuse(device.register(literal=True), 409, "already-registered")


async def test_a_simple_client_comes_too_late_after_an_hour(
    device: Device, clock: ManualClock
) -> None:
    await device.joined(literal=True)
    clock.advance(h=1.01)

    await refuse(device.register(literal=True), 409, "already-registered")


async def test_a_device_that_signs_cannot_be_repeated_without_signature(
    cloud: Running, device: Device
) -> None:
    await device.joined()
    thief = Device(cloud, device.key)

    await refuse(thief.register(literal=True), 409, "already-registered")
    await refuse(thief.register(sign=False), 409, "already-registered")
    await refuse(thief.register(), 409, "already-registered")


async def test_an_operator_opens_one_registration_without_the_old_key(
    cloud: Running, device: Device, clock: ManualClock
) -> None:
    old = await device.joined()
    assert await device.poll(old) == 200
    repaired = Device(cloud, device.key)
    await cloud.ok("POST", f"/api/v1/devices/{UUID}/reprovision", who="operator")

    new = await repaired.joined()

    assert await repaired.poll(new) == 200
    assert await device.poll(old) == 401
    await refuse(Device(cloud, device.key).register(), 409, "already-registered")


async def test_the_window_closes_after_a_day(
    cloud: Running, device: Device, clock: ManualClock
) -> None:
    await device.joined()
    await cloud.ok("POST", f"/api/v1/devices/{UUID}/reprovision", who="operator")
    clock.advance(h=24.01)

    await refuse(Device(cloud, device.key).register(), 409, "already-registered")


async def test_a_device_that_left_comes_back_with_its_own_key_only(
    cloud: Running, device: Device
) -> None:
    key = await device.joined()
    assert await device.poll(key) == 200
    left = await cloud.ask("POST", f"/api/v1/device/{UUID}/deprovision", key=key)
    assert left.status_code == 204
    assert await device.poll(key) == 401

    await refuse(Device(cloud, device.key).register(), 409, "already-registered")
    assert await device.poll(await device.joined()) == 200
    assert await used(cloud) == 1


async def test_a_removed_device_needs_an_operator(cloud: Running, device: Device) -> None:
    key = await device.joined()
    await cloud.ok("DELETE", f"/api/v1/devices/{UUID}", who="operator")
    assert await device.poll(key) == 410

    await refuse(device.register(), 409, "device-deleted")
    await cloud.ok("POST", f"/api/v1/devices/{UUID}/reprovision", who="operator")
    assert await device.poll(await device.joined()) == 200


async def test_a_removed_device_that_returns_leaves_its_old_key_behind(
    cloud: Running, device: Device
) -> None:
    stolen = await device.joined()
    assert await device.poll(stolen) == 200
    await cloud.ok("DELETE", f"/api/v1/devices/{UUID}", who="operator")
    assert await device.poll(stolen) == 410
    await cloud.ok("POST", f"/api/v1/devices/{UUID}/reprovision", who="operator")
    repaired = Device(cloud, device.key)

    new = await repaired.joined()

    assert await device.poll(stolen) == 401
    cloud.clock.advance(s=60)
    assert await device.poll(stolen) == 401
    assert await repaired.poll(new) == 200


async def test_a_farewell_that_comes_late_does_not_end_a_new_beginning(
    cloud: Running, device: Device
) -> None:
    farewell = f"/api/v1/device/{UUID}/deprovision"
    old = await device.joined()
    assert (await cloud.ask("POST", farewell, key=old)).status_code == 204
    assert (await cloud.ask("POST", farewell, key=old)).status_code == 204
    new = await device.joined()

    assert (await cloud.ask("POST", farewell, key=old)).status_code == 401
    assert await device.poll(new) == 200
