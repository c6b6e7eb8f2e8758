"""The cloud, asked in the older dialect as an agent of that time asks."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from scripts.support.programs import Cloud
from tests.wire.wire import Answer, ask

pytestmark = pytest.mark.system


def own_key(uuid: str) -> str:
    """The key that this device made itself: 64 hex digits."""
    return hashlib.sha256(uuid.encode()).hexdigest()


def register(cloud: Cloud, uuid: str, key: str, api_key: str = "") -> Answer:
    body = {
        "uuid": uuid,
        "deviceName": "gate",
        "deviceType": "standalone",
        "deviceApiKey": api_key or own_key(uuid),
        "macAddress": "02:42:ac:11:00:02",
        "osVersion": "Debian GNU/Linux 11",
        "agentVersion": "1.0.0",
    }
    headers = {"Authorization": f"Bearer {key}"}
    return ask(cloud.url, "POST", "/api/v1/device/register", body, headers=headers)


def confirm(cloud: Cloud, uuid: str, api_key: str = "") -> Answer:
    api_key = api_key or own_key(uuid)
    body = {"uuid": uuid, "deviceApiKey": api_key}
    headers = {"Authorization": f"Bearer {api_key}"}
    return ask(cloud.url, "POST", f"/api/v1/device/{uuid}/key-exchange", body, headers=headers)


def test_a_device_registers_and_proves_its_key(cloud: Cloud, device_uuid: str, key: str) -> None:
    reply = register(cloud, device_uuid, key)

    assert reply.status == 200, reply.raw
    found: dict[str, Any] = reply.json
    assert isinstance(found["id"], int)
    assert (found["uuid"], found["deviceName"]) == (device_uuid, "gate")
    assert found["deviceType"] == "standalone"
    assert found["applicationId"] is None
    # Without these two an older agent gives up.
    assert found["mqtt"]["username"] == f"device_{device_uuid}"
    assert found["mqtt"]["password"]
    assert found["mqtt"]["topics"] == {
        "publish": [f"iot/device/{device_uuid}/#"],
        "subscribe": [f"iot/device/{device_uuid}/#"],
    }
    assert found["api"]["tlsConfig"]["verifyCertificate"] is True
    proven = confirm(cloud, device_uuid)
    assert proven.status == 200
    assert proven.json["status"] == "ok"
    assert proven.json["device"] == {
        "id": found["id"],
        "uuid": device_uuid,
        "deviceName": "gate",
    }


def test_the_same_device_with_the_same_key_is_let_in_again(
    cloud: Cloud, device_uuid: str, key: str
) -> None:
    first = register(cloud, device_uuid, key)
    confirm(cloud, device_uuid)

    again = register(cloud, device_uuid, key)

    assert again.status == 200
    assert again.json["id"] == first.json["id"]
    assert register(cloud, device_uuid, key, "ff" * 32).status == 409


@pytest.mark.parametrize("missing", ["uuid", "deviceName", "deviceType", "deviceApiKey"])
def test_what_is_needed_is_asked_for(
    cloud: Cloud, device_uuid: str, key: str, missing: str
) -> None:
    body = {
        "uuid": device_uuid,
        "deviceName": "gate",
        "deviceType": "standalone",
        "deviceApiKey": own_key(device_uuid),
    }
    del body[missing]
    headers = {"Authorization": f"Bearer {key}"}

    reply = ask(cloud.url, "POST", "/api/v1/device/register", body, headers=headers)

    assert reply.status == 400


def test_a_wrong_provisioning_key_is_refused(cloud: Cloud, device_uuid: str) -> None:
    assert register(cloud, device_uuid, "ab" * 32).status == 401


def test_a_wrong_device_key_proves_nothing(cloud: Cloud, device_uuid: str, key: str) -> None:
    register(cloud, device_uuid, key)

    assert confirm(cloud, device_uuid, "ff" * 32).status == 401


def test_it_polls_and_reports_with_its_key(cloud: Cloud, device_uuid: str, key: str) -> None:
    register(cloud, device_uuid, key)
    confirm(cloud, device_uuid)
    bearer = {"Authorization": f"Bearer {own_key(device_uuid)}"}
    path = f"/api/v1/device/{device_uuid}/state"

    first = ask(cloud.url, "GET", path, headers=bearer)
    etag = {"If-None-Match": first.headers["etag"]}
    again = ask(cloud.url, "GET", path, headers=bearer | etag)

    assert set(first.json) == {device_uuid}
    assert again.status == 304
    report = {
        device_uuid: {
            "apps": {
                "1001": {
                    "appId": 1001,
                    "appName": "shop",
                    "services": [
                        {
                            "appId": 1001,
                            "appName": "shop",
                            "serviceId": 1,
                            "serviceName": "web",
                            "imageName": "web:1",
                            "containerId": "4f1c",
                            "status": "running",
                            "config": {"image": "web:1", "environment": {"PASSWORD": "secret"}},
                        }
                    ],
                }
            },
            "config": {},
            "version": 1,
            "is_online": True,
            "uptime": 12.5,
        }
    }
    sent = ask(cloud.url, "PATCH", "/api/v1/device/state", report, headers=bearer, packed=True)
    assert sent.status == 200, sent.raw
    assert sent.json["status"] == "ok"
    shown = cloud.call("GET", f"/api/v1/devices/{device_uuid}/current-state")
    assert shown["apps"]["1001"]["services"][0]["status"] == "running"
    assert "secret" not in str(shown)
