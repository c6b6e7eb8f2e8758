"""Devices as operators see and change them, and as they leave."""

from __future__ import annotations

import pytest

from tests.cloud.running import OTHER_UUID, UUID, Running

STATE = f"/api/v1/device/{UUID}/state"
DEVICE = f"/api/v1/devices/{UUID}"


@pytest.fixture
async def key(cloud: Running) -> str:
    return await cloud.o1_device()


async def test_the_fleet_is_listed_page_by_page(cloud: Running, key: str) -> None:
    await cloud.o1_device(OTHER_UUID, "cd" * 32)

    first = await cloud.ok("GET", "/api/v1/devices?limit=1", who="viewer")
    rest = await cloud.ok("GET", f"/api/v1/devices?after={first['devices'][0]['id']}", who="viewer")

    assert [device["uuid"] for device in first["devices"] + rest["devices"]] == [UUID, OTHER_UUID]
    assert (await cloud.ok("GET", "/api/v1/devices?fleetId=other", who="viewer"))["count"] == 0


async def test_a_device_is_renamed(cloud: Running, key: str) -> None:
    await cloud.ok("PATCH", DEVICE, {"deviceName": "press 5"}, who="operator")

    assert (await cloud.ok("GET", DEVICE, who="viewer"))["deviceName"] == "press 5"


async def test_a_device_that_is_switched_off_gets_nothing(cloud: Running, key: str) -> None:
    await cloud.ok("PATCH", f"{DEVICE}/active", {"isActive": False}, who="operator")

    off = await cloud.ask("GET", STATE, key=key)
    assert (off.status_code, off.json()["code"]) == (403, "device-inactive")
    await cloud.ok("PATCH", DEVICE, {"isActive": True}, who="operator")
    assert (await cloud.ask("GET", STATE, key=key)).status_code == 200


async def test_a_removed_device_learns_of_it(cloud: Running, key: str) -> None:
    assert (await cloud.ask("DELETE", DEVICE, who="operator")).status_code == 204

    gone = await cloud.ask("GET", STATE, key=key)
    assert (gone.status_code, gone.json()["code"]) == (410, "device-deleted")
    report = await cloud.ask("PATCH", "/api/v1/device/state", {UUID: {"version": 1}}, key=key)
    assert report.status_code == 410
    assert (await cloud.ok("GET", "/api/v1/devices", who="viewer"))["count"] == 0
    assert (await cloud.ok("GET", "/api/v1/devices?removed=1", who="viewer"))["count"] == 1
    assert (await cloud.ok("GET", DEVICE, who="viewer"))["state"] == "deleted"


async def test_a_device_leaves_and_may_say_so_again(cloud: Running, key: str) -> None:
    path = f"/api/v1/device/{UUID}/deprovision"

    assert [(await cloud.ask("POST", path, key=key)).status_code for _ in range(2)] == [204, 204]

    assert (await cloud.ask("GET", STATE, key=key)).status_code == 401
    shown = await cloud.ok("GET", DEVICE, who="viewer")
    assert (shown["state"], shown["connection"]) == ("deprovisioned", "offline")
    entries = (await cloud.ok("GET", "/api/v1/audit", who="admin"))["entries"]
    assert [entry["action"] for entry in entries].count("device-deprovisioned") == 1


async def test_the_farewell_of_a_removed_device_is_told_that_it_is_gone(
    cloud: Running, key: str
) -> None:
    await cloud.ask("DELETE", DEVICE, who="operator")

    reply = await cloud.ask("POST", f"/api/v1/device/{UUID}/deprovision", key=key)

    assert reply.status_code == 410


@pytest.mark.parametrize("wrong", ["", "cd" * 32, "x" * 10_000, "ä"])
async def test_unknown_and_wrong_keys_are_one(cloud: Running, key: str, wrong: str) -> None:
    for path in (STATE, f"/api/v1/device/{OTHER_UUID}/state"):
        reply = await cloud.ask("GET", path, headers={"X-Device-API-Key": wrong.encode().hex()})
        assert reply.status_code == 401


@pytest.mark.parametrize("uuid", [OTHER_UUID, "x", "..%2fdevices", "%00"])
async def test_a_device_that_is_not_there_is_a_404(cloud: Running, uuid: str) -> None:
    for method, path in (
        ("GET", f"/api/v1/devices/{uuid}"),
        ("DELETE", f"/api/v1/devices/{uuid}"),
        ("POST", f"/api/v1/devices/{uuid}/reprovision"),
        ("GET", f"/api/v1/devices/{uuid}/target-state"),
        ("GET", f"/api/v1/devices/{uuid}/current-state"),
    ):
        reply = await cloud.ask(method, path, who="admin")
        assert reply.status_code in {404, 405}, path
