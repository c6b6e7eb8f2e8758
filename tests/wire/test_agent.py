"""The agent, watched by a cloud that only knows the description of the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.support.programs import Agent
from tests.wire.literal_cloud import (
    API_KEY,
    CHALLENGE,
    CLOUD_KEY,
    KEY_ID,
    PROVISIONING_KEY,
    Asked,
    LiteralCloud,
)
from tests.wire.wire import decrypt_jwe, load_public, verify

pytestmark = pytest.mark.system

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@contextmanager
def running(folder: Path, cloud: LiteralCloud, **more: str) -> Iterator[Agent]:
    agent = Agent(
        folder,
        CONTAINER_ENGINE="simulated",
        CLOUD_API_ENDPOINT=cloud.url,
        PROVISIONING_API_KEY=PROVISIONING_KEY,
        DEVICE_NAME="gate",
        MAC_ADDRESS="02:42:ac:11:00:02",
        OS_VERSION="Debian 12",
        POLL_INTERVAL_MS="1000",
        REPORT_INTERVAL_MS="1000",
        **more,
    )
    agent.start()
    try:
        yield agent
    finally:
        agent.stop()


def polls(cloud: LiteralCloud) -> list[Asked]:
    return [a for a in cloud.find("GET", "/state") if "if-none-match" in a.headers]


def test_an_agent_joins_polls_and_reports_in_v2(tmp_path: Path) -> None:
    with LiteralCloud().serve() as cloud, running(tmp_path, cloud):
        cloud.waits_for(lambda: polls(cloud) and cloud.find("PATCH", "/device/state"))

    exchanges = cloud.find("POST", "/provisioning/v2/key-exchange")
    assert set(exchanges[0].body) == {"deviceUuid", "provisioningApiKey"}
    assert set(exchanges[1].body) == {"deviceUuid", "provisioningApiKey", "devicePublicKey"}
    uuid = exchanges[0].body["deviceUuid"]
    assert UUID.fullmatch(uuid)
    assert exchanges[0].body["provisioningApiKey"] == PROVISIONING_KEY
    device_key = load_public(exchanges[1].body["devicePublicKey"])
    assert device_key.key_size == 2048

    register = cloud.find("POST", "/provisioning/v2/register")[0]
    assert set(register.body) == {"encryptedPayload", "keyId", "signature"}
    assert register.body["keyId"] == KEY_ID
    verify(device_key, register.body["encryptedPayload"], register.body["signature"])
    header, said = decrypt_jwe(CLOUD_KEY, register.body["encryptedPayload"])
    assert header == {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": KEY_ID}
    assert said["deviceUuid"] == uuid
    assert said["provisioningApiKey"] == PROVISIONING_KEY
    assert said["challenge"] == CHALLENGE
    assert said["replyEncryption"] == "jwe"
    assert (said["deviceName"], said["deviceType"]) == ("gate", "edge-gateway")
    assert said["macAddress"] == "02:42:ac:11:00:02"
    assert said["osVersion"] == "Debian 12"
    assert said["agentVersion"]
    assert said["architecture"]
    assert len(said["nonce"]) >= 16

    for asked in cloud.find("GET", "/state"):
        assert asked.path == f"/api/v1/device/{uuid}/state"
        assert asked.headers["x-device-api-key"] == API_KEY
        assert "authorization" not in asked.headers
    report = cloud.find("PATCH", "/device/state")[0]
    assert report.headers["x-device-api-key"] == API_KEY
    assert report.headers["content-encoding"] == "gzip"
    assert report.headers["content-type"].startswith("application/json")
    assert list(report.body) == [uuid]
    assert report.body[uuid]["apps"] == {}
    for asked in cloud.asked:
        assert PROVISIONING_KEY not in asked.path
        assert API_KEY not in asked.path


def test_a_target_is_applied_and_reported_without_its_secrets(tmp_path: Path) -> None:
    cloud = LiteralCloud(
        target={
            "apps": {
                "1001": {
                    "appId": 1001,
                    "appName": "shop",
                    "services": [
                        {
                            "serviceId": 7,
                            "serviceName": "web",
                            "imageName": "web:1",
                            "config": {"image": "web:1", "environment": {"PASSWORD": "hunter2"}},
                        }
                    ],
                }
            },
            "config": {},
            "version": 3,
        }
    )

    def reported() -> bool:
        return any('"running"' in json.dumps(a.body) for a in cloud.find("PATCH", "/state"))

    with cloud.serve(), running(tmp_path, cloud):
        cloud.waits_for(reported)

    reports = [json.dumps(a.body) for a in cloud.find("PATCH", "/state")]
    assert not any("hunter2" in report for report in reports)
    whole = [a.body for a in cloud.find("PATCH", "/state") if '"web"' in json.dumps(a.body)]
    service = next(iter(whole[0].values()))["apps"]["1001"]["services"][0]
    assert service["serviceId"] == 7  # in the type that the target had
    assert service["serviceName"] == "web"
    assert service["imageName"] == "web:1"


def test_a_lost_reply_is_asked_for_again_by_the_same_device(tmp_path: Path) -> None:
    cloud = LiteralCloud(drop_reply_of="/provisioning/v2/register")
    with cloud.serve(), running(tmp_path, cloud):
        cloud.waits_for(lambda: polls(cloud))

    registers = cloud.find("POST", "/provisioning/v2/register")
    assert len(registers) == 2
    sealed = [decrypt_jwe(CLOUD_KEY, r.body["encryptedPayload"])[1] for r in registers]
    assert sealed[0]["deviceUuid"] == sealed[1]["deviceUuid"]
    assert sealed[0]["nonce"] != sealed[1]["nonce"]
    keys = {
        a.body["devicePublicKey"]
        for a in cloud.find("POST", "/provisioning/v2/key-exchange")
        if "devicePublicKey" in a.body
    }
    assert len(keys) == 1


def test_an_agent_killed_while_joining_comes_back_as_itself(tmp_path: Path) -> None:
    with LiteralCloud().serve() as cloud:
        with running(tmp_path, cloud) as agent:
            cloud.waits_for(lambda: cloud.find("POST", "/provisioning/v2/register"))
            agent.kill()
        with running(tmp_path, cloud):
            cloud.waits_for(lambda: polls(cloud))

    uuids = {a.body["deviceUuid"] for a in cloud.find("POST", "/v2/key-exchange")}
    assert len(uuids) == 1


def test_an_agent_speaks_the_older_dialect_with_an_older_cloud(tmp_path: Path) -> None:
    with LiteralCloud(v2=False).serve() as cloud, running(tmp_path, cloud):
        cloud.waits_for(lambda: polls(cloud) and cloud.find("PATCH", "/device/state"))

    register = cloud.find("POST", "/device/register")[0]
    assert register.headers["authorization"] == f"Bearer {PROVISIONING_KEY}"
    body = register.body
    assert {"uuid", "deviceName", "deviceType", "deviceApiKey"} <= set(body)
    assert re.fullmatch(r"[0-9a-f]{64}", body["deviceApiKey"])
    exchange = cloud.find("POST", f"/device/{body['uuid']}/key-exchange")[0]
    assert exchange.body == {"uuid": body["uuid"], "deviceApiKey": body["deviceApiKey"]}
    assert exchange.headers["authorization"] == f"Bearer {body['deviceApiKey']}"
    report = cloud.find("PATCH", "/device/state")[0]
    assert list(report.body) == [body["uuid"]]
    assert report.headers["content-encoding"] == "gzip"
