"""The cloud's own keys: made once, rotated, retired."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iotistic.cloud.db.database import Database
from iotistic.cloud.errors import TooManyAttempts
from iotistic.cloud.provisioning.decryption import Decryption
from iotistic.cloud.provisioning.ring import KeyRing
from iotistic.model import jose
from iotistic.model.provisioning import RegisterRequest
from tests.cloud.joining import Device
from tests.cloud.running import SERVER_KEY, ManualClock, Running, url_of


async def test_the_key_is_rotated_after_90_days_and_the_former_one_overlaps(
    cloud: Running, clock: ManualClock
) -> None:
    key = (await cloud.new_key(expiresInDays=365))["key"]
    device = Device(cloud, key)
    first = await device.exchanged()
    clock.advance(days=89.9)
    await cloud.cloud.housekeeping.once()
    assert (await device.exchanged())["keyId"] == first["keyId"]

    clock.advance(days=0.2)
    await cloud.cloud.housekeeping.once()

    fresh = await device.exchanged()
    assert fresh["keyId"] != first["keyId"]
    old = first | {"challenge": fresh["challenge"]}
    assert (await device.send(device.request(old, challenge=old["challenge"]))).status_code == 200


async def test_a_retired_key_is_a_410_that_says_to_start_again(
    cloud: Running, clock: ManualClock
) -> None:
    device = Device(cloud, (await cloud.new_key())["key"])
    first = await device.exchanged()
    clock.advance(days=91)
    await cloud.cloud.housekeeping.once()
    clock.advance(days=7.1)
    fresh = await device.exchanged()

    retired = first | {"challenge": fresh["challenge"]}
    reply = await device.send(device.request(retired, challenge=fresh["challenge"]))

    assert (reply.status_code, reply.json()["code"]) == (410, "key-retired")
    # One that names no key is tried with those in use, and cannot be read.
    literal = device.request(retired, literal=True)
    assert (await device.send(literal)).json()["code"] == "bad-payload"


async def test_two_processes_that_find_no_key_agree_on_one(
    cloud: Running, database: Path, clock: ManualClock
) -> None:
    clock.advance(days=91)
    stores = [await asyncio.to_thread(Database, url_of(database)) for _ in range(2)]
    rings = [KeyRing(store, clock, server_key=SERVER_KEY, key_bits=2048) for store in stores]

    await asyncio.gather(*(ring.rotate_if_due() for ring in rings))

    assert len({(await ring.active()).key_id for ring in rings}) == 1
    for store in stores:
        await store.close()


async def test_a_full_queue_says_come_back(database: Path, clock: ManualClock) -> None:
    store = await asyncio.to_thread(Database, url_of(database))
    ring = KeyRing(store, clock, server_key=SERVER_KEY)
    decryption = Decryption(ring)
    active = await ring.active()
    payload = jose.encrypt(b"{}", jose.load_public_key(active.pem), kid=active.key_id)
    request = RegisterRequest(encrypted_payload=payload)

    results = await asyncio.gather(
        *(decryption.decrypt(request) for _ in range(12)), return_exceptions=True
    )

    assert results.count(b"{}") == 9  # one in work, eight in the queue
    busy = [result for result in results if isinstance(result, TooManyAttempts)]
    assert [(error.code, error.retry_after_s) for error in busy] == [("busy", 1.0)] * 3
    assert await decryption.decrypt(request) == b"{}"
    await store.close()


async def test_private_keys_are_sealed_at_rest(database: Path, clock: ManualClock) -> None:
    store = await asyncio.to_thread(Database, url_of(database))
    ring = KeyRing(store, clock, server_key=SERVER_KEY)
    (key,) = await ring.private_keys(None)

    assert jose.key_id(key.public_key()) == (await ring.active()).key_id
    assert key.key_size == 4096
    assert b"PRIVATE" not in await asyncio.to_thread(database.read_bytes)
    with pytest.raises(Exception, match="sealed"):
        SERVER_KEY.open(b"\x01" + b"x" * 60, context="key-ring")
    await store.close()
