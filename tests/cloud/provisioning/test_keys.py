"""Provisioning keys as operators handle them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.joining import Device
from tests.cloud.running import FACE, PASSWORD, ManualClock, Running, at_rest, running_cloud

KEYS = "/api/v1/provisioning-keys"


async def test_a_key_is_shown_once_with_the_command_for_the_device(
    cloud: Running, database: Path
) -> None:
    made = await cloud.new_key(label="line 3", fleetId="plant-1", maxDevices=5, expiresInDays=30)

    assert re.fullmatch("[0-9a-f]{64}", made["key"])
    assert made["command"] == f"iotctl provision --key-file - --api {FACE.url}"
    assert (made["description"], made["fleetId"], made["maxDevices"]) == ("line 3", "plant-1", 5)
    listed = await cloud.ask("GET", KEYS, who="viewer")
    assert made["key"] not in listed.text
    assert made["key"].encode() not in at_rest(database)


async def test_the_command_carries_the_pin_of_a_private_authority(database: Path) -> None:
    face = replace(FACE, url="https://cloud.example", ca_pin="sha256:" + "a" * 64)
    async with running_cloud(database, face=face) as cloud:
        made = await cloud.new_key()

    assert made["command"] == (
        "iotctl provision --key-file - --api https://cloud.example --ca-pin sha256:" + "a" * 64
    )


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        ({"maxDevices": 0}, "maxDevices"),
        ({"maxDevices": 10_001}, "maxDevices"),
        ({"maxDevices": "5"}, "maxDevices"),
        ({"maxDevices": True}, "maxDevices"),
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": 3651}, "expiresInDays"),
        ({"fleetId": "a b"}, "fleetId"),
        ({"description": "x" * 501}, "description"),
    ],
)
async def test_what_is_asked_for_is_checked(
    cloud: Running, wish: dict[str, Any], path: str
) -> None:
    reply = await cloud.ask("POST", KEYS, wish, who="operator")

    assert (reply.status_code, reply.json()["details"]["path"]) == (400, path)


async def test_keys_tell_how_they_stand(cloud: Running, clock: ManualClock) -> None:
    used = await cloud.new_key(maxDevices=1, description="used")
    revoked = await cloud.new_key(description="revoked")
    await cloud.new_key(expiresInDays=1, description="expired")
    clock.advance(days=2)
    await cloud.new_key(description="active")
    await Device(cloud, used["key"]).joined()
    await cloud.ok("DELETE", f"{KEYS}/{revoked['id']}", {"reason": "lost"}, who="operator")

    listed = (await cloud.ok("GET", KEYS, who="viewer"))["keys"]

    assert {key["description"]: key["state"] for key in listed} == {
        "used": "used-up",
        "revoked": "revoked",
        "expired": "expired",
        "active": "active",
    }


async def test_a_revoked_key_leaves_its_devices_alone(cloud: Running) -> None:
    made = await cloud.new_key()
    device = Device(cloud, made["key"])
    api_key = await device.joined()

    await cloud.ok("DELETE", f"{KEYS}/{made['id']}", who="operator")

    assert await device.poll(api_key) == 200
    again = await cloud.ask("DELETE", f"{KEYS}/none", who="operator")
    assert (again.status_code, again.json()["code"]) == (404, "no-such-key")


async def test_a_key_for_one_device_replaces_the_former(cloud: Running) -> None:
    old = await cloud.new_key()

    made = await cloud.ok("POST", f"{KEYS}/generate", {"previousKeyId": old["id"]}, who="operator")

    assert made["maxDevices"] == 1
    assert (await Device(cloud, old["key"]).exchange()).status_code == 401
    assert (await Device(cloud, made["key"]).exchange()).status_code == 200


async def test_fleets_are_listed_apart(cloud: Running) -> None:
    await cloud.new_key(fleetId="one")
    await cloud.new_key(fleetId="other")

    assert (await cloud.ok("GET", f"{KEYS}?fleetId=one", who="viewer"))["count"] == 1


async def test_a_repeated_request_with_its_key_makes_one_key(
    cloud: Running, second: Running, clock: ManualClock
) -> None:
    async def make(at: Running, wish: dict[str, Any], who: str = "operator") -> Any:
        headers = {"X-Idempotency-Key": "once"}
        return await at.ask("POST", KEYS, wish, who=who, headers=headers)

    first, again = await make(cloud, {"label": "a"}), await make(second, {"label": "a"})

    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert (await cloud.ok("GET", KEYS, who="viewer"))["count"] == 1
    other = await make(cloud, {"label": "b"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    assert (await make(cloud, {"label": "a"}, who="admin")).json()["key"] != first.json()["key"]
    clock.advance(h=24.01)
    assert (await make(cloud, {"label": "a"})).json()["key"] != first.json()["key"]


async def test_a_namesake_does_not_get_the_answer_of_who_was_there_before(
    cloud: Running, clock: ManualClock
) -> None:
    async def make() -> Any:
        body = {"username": "zoe", "password": PASSWORD, "role": "operator"}
        zoe = await cloud.ok("POST", "/api/v1/users", body, who="admin")
        login = {"username": "zoe", "password": PASSWORD}
        token = (await cloud.ok("POST", "/api/v1/auth/login", login))["token"]
        key = await cloud.ok("POST", KEYS, {}, who=token, headers={"X-Idempotency-Key": "once"})
        await cloud.ok("DELETE", f"/api/v1/users/{zoe['id']}", who="admin")
        return zoe["id"], key["key"]

    first_id, first_key = await make()
    clock.advance(s=1)
    again_id, other_key = await make()

    assert first_id == again_id  # the database gives ids again, as people do with names
    assert first_key != other_key


async def test_the_repeated_answer_is_not_readable_at_rest(cloud: Running, database: Path) -> None:
    made = await cloud.ask("POST", KEYS, {}, who="operator", headers={"X-Idempotency-Key": "k"})

    assert made.json()["key"].encode() not in at_rest(database)
