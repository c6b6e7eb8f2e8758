"""Devices of the older dialect: register, confirm, come again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.cloud.joining import Device
from tests.cloud.running import (
    FACE,
    OTHER_UUID,
    UUID,
    Running,
    app,
    bearer,
    o1_body,
    running_cloud,
    service,
)

KEY = "ab" * 32


async def register(cloud: Running, key: str, **change: Any) -> httpx.Response:
    body = {name: value for name, value in (o1_body() | change).items() if value is not None}
    return await cloud.ask("POST", "/api/v1/device/register", body, headers=bearer(key))


@pytest.fixture
async def key(cloud: Running) -> str:
    return str((await cloud.new_key())["key"])


async def test_a_device_registers_and_confirms(cloud: Running, key: str) -> None:
    reply = (await register(cloud, key, applicationId="12", macAddress="02:00")).json()

    assert isinstance(reply["id"], int)
    assert reply["uuid"] == UUID
    assert reply["applicationId"] == 12
    assert reply["mqtt"]["username"] == f"device_{UUID}"
    assert reply["mqtt"]["password"]
    assert reply["mqtt"]["broker"] == ""
    assert reply["api"]["tlsConfig"] == {"verifyCertificate": True}
    confirmed = await cloud.ok(
        "POST",
        f"/api/v1/device/{UUID}/key-exchange",
        {"uuid": UUID, "deviceApiKey": KEY},
        headers=bearer(KEY),
    )
    assert confirmed["status"] == "ok"
    assert confirmed["device"] == {"id": reply["id"], "uuid": UUID, "deviceName": "press"}
    assert (await cloud.ok("GET", f"/api/v1/devices/{UUID}", headers=bearer(KEY)))["uuid"] == UUID


async def test_it_comes_again_with_its_key_as_often_as_it_likes(cloud: Running, key: str) -> None:
    replies = [(await register(cloud, key)).json() for _ in range(3)]

    assert len({reply["id"] for reply in replies}) == 1
    assert len({reply["mqtt"]["password"] for reply in replies}) == 3
    keys = await cloud.ok("GET", "/api/v1/provisioning-keys", who="viewer")
    assert keys["keys"][0]["usedDevices"] == 1


async def test_it_may_come_twice_at_once(cloud: Running, second: Running, key: str) -> None:
    replies = await asyncio.gather(register(cloud, key), register(second, key))

    assert [reply.status_code for reply in replies] == [200, 200]


async def test_another_key_is_another_device(cloud: Running, key: str) -> None:
    await register(cloud, key)

    reply = await register(cloud, key, deviceApiKey="cd" * 32)

    assert (reply.status_code, reply.json()["code"]) == (409, "already-registered")


async def test_two_devices_do_not_share_a_key(cloud: Running, key: str) -> None:
    await register(cloud, key)

    reply = await register(cloud, key, uuid=OTHER_UUID)

    assert (reply.status_code, reply.json()["code"]) == (409, "device-key-taken")
    keys = await cloud.ok("GET", "/api/v1/provisioning-keys", who="viewer")
    assert keys["keys"][0]["usedDevices"] == 1


async def test_a_device_of_the_present_dialect_never_goes_down(cloud: Running, key: str) -> None:
    await Device(cloud, key).joined()
    await cloud.ok("POST", f"/api/v1/devices/{UUID}/reprovision", who="operator")

    reply = await register(cloud, key)

    assert (reply.status_code, reply.json()["code"]) == (409, "dialect-downgrade")


async def test_it_returns_after_it_left(cloud: Running, key: str) -> None:
    await register(cloud, key)
    await cloud.ok("POST", f"/api/v1/device/{UUID}/deprovision", key=KEY)
    assert (await cloud.ask("GET", f"/api/v1/device/{UUID}/state", key=KEY)).status_code == 401

    assert (await register(cloud, key)).status_code == 200
    assert (await cloud.ask("GET", f"/api/v1/device/{UUID}/state", key=KEY)).status_code == 200


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"uuid": None}, "uuid"),
        ({"deviceName": None}, "deviceName"),
        ({"deviceType": None}, "deviceType"),
        ({"deviceApiKey": None}, "deviceApiKey"),
        ({"deviceApiKey": "1234"}, "deviceApiKey"),
        ({"uuid": "../../etc/passwd"}, "uuid"),
        ({"macAddress": 5}, "macAddress"),
    ],
)
async def test_a_malformed_registration_names_the_field(
    cloud: Running, key: str, change: dict[str, Any], path: str
) -> None:
    reply = await register(cloud, key, **change)

    assert (reply.status_code, reply.json()["details"]["path"]) == (400, path)
    assert "1234" not in reply.text


@pytest.mark.parametrize("key_given", ["", "0" * 64])
async def test_without_a_good_key_nobody_registers(cloud: Running, key_given: str) -> None:
    reply = await register(cloud, key_given)

    assert (reply.status_code, reply.json()["code"]) == (401, "invalid-provisioning-key")


@pytest.mark.parametrize(
    "body",
    [
        {"uuid": OTHER_UUID, "deviceApiKey": KEY},
        {"uuid": UUID, "deviceApiKey": "cd" * 32},
    ],
)
async def test_the_confirmation_must_be_about_itself(
    cloud: Running, key: str, body: dict[str, Any]
) -> None:
    await register(cloud, key)

    reply = await cloud.ask(
        "POST", f"/api/v1/device/{UUID}/key-exchange", body, headers=bearer(KEY)
    )

    assert reply.status_code == 401


async def test_its_target_has_numbers_for_ids(cloud: Running, key: str) -> None:
    await register(cloud, key)
    path = f"/api/v1/devices/{UUID}/target-state"

    await cloud.ok("PUT", path, app(service(service_id="7")), who="operator")

    polled = (await cloud.ok("GET", f"/api/v1/device/{UUID}/state", key=KEY))[UUID]
    assert polled["apps"]["1001"]["services"][0]["serviceId"] == 7
    refused = await cloud.ask("PUT", path, app(service(service_id="web")), who="operator")
    assert refused.status_code == 400
    assert refused.json()["details"]["path"] == "apps.1001.services[0].serviceId"


async def test_before_the_first_target_it_sees_no_version(cloud: Running, key: str) -> None:
    await register(cloud, key)

    polled = await cloud.ok("GET", f"/api/v1/device/{UUID}/state", key=KEY)

    assert polled == {UUID: {"apps": {}, "config": {}}}


async def test_its_logs_are_taken(cloud: Running, key: str) -> None:
    await register(cloud, key)
    for path in ("logs", "logs/dropped-summaries"):
        reply = await cloud.ask(
            "POST", f"/api/v1/device/{UUID}/{path}", content=b'{"message":"x"}\n', key=KEY
        )
        assert (reply.status_code, reply.json()["status"]) == (200, "ok")


async def test_a_configured_broker_is_told(database: Any) -> None:
    face = replace(FACE, mqtt_broker_url="mqtts://broker.example:8883", ca_cert="PEM")
    async with running_cloud(database, face=face) as cloud:
        key = (await cloud.new_key())["key"]

        old = (await register(cloud, key)).json()
        new = (await Device(cloud, key, uuid=OTHER_UUID).register()).json()

    assert old["mqtt"]["broker"] == new["mqtt"]["brokerUrl"] == "mqtts://broker.example:8883"
    assert old["mqtt"]["brokerConfig"]["keepAlive"] == 60
    assert new["mqtt"]["brokerConfig"] == {
        "protocol": "mqtts",
        "host": "broker.example",
        "port": 8883,
        "useTls": True,
        "verifyCertificate": True,
    }
    assert new["mqtt"]["username"] == f"device_{OTHER_UUID}"
    assert new["api"]["tlsConfig"]["caCert"] == old["api"]["tlsConfig"]["caCert"] == "PEM"
