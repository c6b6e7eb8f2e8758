"""The cloud, asked in the dialect v2 by somebody who only read its description."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from scripts.support.programs import Cloud
from tests.wire.wire import (
    Answer,
    ask,
    decrypt_jwe,
    encrypt_jwe,
    encrypt_literally,
    load_public,
    new_key,
    public_pem,
    sign,
    spki_der,
)

pytestmark = pytest.mark.system

EXCHANGE = "/api/provisioning/v2/key-exchange"
REGISTER = "/api/provisioning/v2/register"
DEVICE_KEY = new_key()


def exchange(cloud: Cloud, uuid: str, key: str, device_key: Any = DEVICE_KEY) -> dict[str, Any]:
    """Both key exchanges; the second reply."""
    body = {"deviceUuid": uuid, "provisioningApiKey": key}
    first = ask(cloud.url, "POST", EXCHANGE, body)
    assert first.status == 200
    assert set(first.json) == {"apiPublicKey", "keyId"}
    second = ask(cloud.url, "POST", EXCHANGE, body | {"devicePublicKey": public_pem(device_key)})
    assert second.status == 200
    found: dict[str, Any] = second.json
    assert set(found) == {"apiPublicKey", "keyId", "status", "challenge"}
    assert found["status"] == "ok"
    return found


def said(uuid: str, key: str, **more: str) -> dict[str, str]:
    """What a device says of itself, in the six fields that every one has."""
    return {
        "deviceUuid": uuid,
        "provisioningApiKey": key,
        "deviceName": "gate",
        "deviceType": "edge-gateway",
        "macAddress": "02:42:ac:11:00:02",
        "osVersion": "Debian GNU/Linux 12 (bookworm)",
    } | more


def register_signed(
    cloud: Cloud, uuid: str, key: str, exchanged: dict[str, Any], device_key: Any = DEVICE_KEY
) -> Answer:
    public = load_public(exchanged["apiPublicKey"])
    message = said(uuid, key, challenge=exchanged["challenge"], nonce="00" * 16)
    sealed = encrypt_jwe(public, message, exchanged["keyId"])
    body = {
        "encryptedPayload": sealed,
        "keyId": exchanged["keyId"],
        "signature": sign(device_key, sealed),
    }
    return ask(cloud.url, "POST", REGISTER, body)


def join(cloud: Cloud, uuid: str, key: str) -> str:
    """A registered device's API key."""
    reply = register_signed(cloud, uuid, key, exchange(cloud, uuid, key))
    assert reply.status == 200, reply.raw
    return str(reply.json["api"]["deviceApiKey"])


def state(cloud: Cloud, uuid: str, api_key: str, **headers: str) -> Answer:
    sent = {"X-Device-API-Key": api_key} | headers
    return ask(cloud.url, "GET", f"/api/v1/device/{uuid}/state", headers=sent)


def test_the_clouds_key_is_large_enough_for_the_literal_cipher(
    cloud: Cloud, device_uuid: str, key: str
) -> None:
    exchanged = exchange(cloud, device_uuid, key)
    public = load_public(exchanged["apiPublicKey"])

    assert exchanged["apiPublicKey"].startswith("-----BEGIN PUBLIC KEY-----\n")
    assert public.key_size == 4096
    assert exchanged["keyId"] == hashlib.sha256(spki_der(public)).hexdigest()[:16]


def test_a_literal_client_joins(cloud: Cloud, device_uuid: str, key: str) -> None:
    exchanged = exchange(cloud, device_uuid, key)
    sealed = encrypt_literally(load_public(exchanged["apiPublicKey"]), said(device_uuid, key))

    reply = ask(cloud.url, "POST", REGISTER, {"encryptedPayload": sealed})

    assert reply.status == 200, reply.raw
    found = reply.json
    assert found["device"]["uuid"] == device_uuid
    assert found["device"]["deviceName"] == "gate"
    assert re.fullmatch(r"[0-9]+", found["device"]["deviceId"])
    assert found["api"]["endpoint"] == f"{cloud.url}/api"
    assert re.fullmatch(r"[0-9a-f]{64}", found["api"]["deviceApiKey"])
    assert found["api"]["tlsConfig"]["verifyCertificate"] is True
    assert found["dialect"] == "v2"
    assert found["protocol"] == {"min": 1, "max": 1}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", found["createdAt"])
    assert state(cloud, device_uuid, found["api"]["deviceApiKey"]).status == 200


def test_a_client_that_signs_joins_with_a_jwe(cloud: Cloud, device_uuid: str, key: str) -> None:
    assert state(cloud, device_uuid, join(cloud, device_uuid, key)).status == 200


def test_a_reply_may_be_asked_for_in_a_jwe(cloud: Cloud, device_uuid: str, key: str) -> None:
    exchanged = exchange(cloud, device_uuid, key)
    message = said(device_uuid, key, challenge=exchanged["challenge"], replyEncryption="jwe")
    sealed = encrypt_jwe(load_public(exchanged["apiPublicKey"]), message, exchanged["keyId"])
    body = {
        "encryptedPayload": sealed,
        "keyId": exchanged["keyId"],
        "signature": sign(DEVICE_KEY, sealed),
    }

    reply = ask(cloud.url, "POST", REGISTER, body)

    assert reply.status == 200, reply.raw
    assert set(reply.json) == {"encryptedReply"}
    header, found = decrypt_jwe(DEVICE_KEY, reply.json["encryptedReply"])
    assert (header["alg"], header["enc"]) == ("RSA-OAEP-256", "A256GCM")
    assert found["device"]["uuid"] == device_uuid
    assert state(cloud, device_uuid, found["api"]["deviceApiKey"]).status == 200


class TestALostReply:
    def test_is_the_same_device_and_costs_no_use(
        self, cloud: Cloud, device_uuid: str, key: str
    ) -> None:
        lost = register_signed(cloud, device_uuid, key, exchange(cloud, device_uuid, key))
        again = register_signed(cloud, device_uuid, key, exchange(cloud, device_uuid, key))

        assert again.status == 200
        assert again.json["device"]["deviceId"] == lost.json["device"]["deviceId"]
        assert again.json["api"]["deviceApiKey"] != lost.json["api"]["deviceApiKey"]
        found = state(cloud, device_uuid, again.json["api"]["deviceApiKey"])
        assert found.status == 200
        assert state(cloud, device_uuid, lost.json["api"]["deviceApiKey"]).status == 401

    def test_is_not_repaired_by_a_recording(self, cloud: Cloud, device_uuid: str, key: str) -> None:
        exchanged = exchange(cloud, device_uuid, key)
        assert register_signed(cloud, device_uuid, key, exchanged).status == 200

        assert register_signed(cloud, device_uuid, key, exchanged).status == 409

    def test_is_not_repaired_by_another_key(self, cloud: Cloud, device_uuid: str, key: str) -> None:
        join(cloud, device_uuid, key)
        thief = new_key()
        body = {"deviceUuid": device_uuid, "provisioningApiKey": key}
        offered = ask(cloud.url, "POST", EXCHANGE, body | {"devicePublicKey": public_pem(thief)})

        assert offered.status in (200, 409)
        if offered.status == 200:
            reply = register_signed(cloud, device_uuid, key, offered.json, thief)
            assert reply.status == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 400, id="nothing"),
        pytest.param([], 400, id="a list"),
        pytest.param({"deviceUuid": "x", "provisioningApiKey": "y"}, 400, id="no uuid"),
        pytest.param(
            {"deviceUuid": "00000000-0000-4000-8000-000000000000", "provisioningApiKey": "ab" * 32},
            401,
            id="an unknown key",
        ),
    ],
)
def test_a_bad_exchange_is_refused_with_a_code(cloud: Cloud, body: Any, status: int) -> None:
    reply = ask(cloud.url, "POST", EXCHANGE, body)

    assert reply.status == status
    assert {"error", "message", "code", "requestId"} <= set(reply.json)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", reply.json["code"])


@pytest.mark.parametrize("payload", ["AAAA", "a.b.c.d.e", "!", "e30." * 4 + "e30"])
def test_what_cannot_be_opened_gets_one_answer_whatever_is_wrong(
    cloud: Cloud, payload: str
) -> None:
    reply = ask(cloud.url, "POST", REGISTER, {"encryptedPayload": payload})

    assert (reply.status, reply.json["code"]) == (400, "bad-payload")


def test_a_key_lets_in_as_many_devices_as_it_says(cloud: Cloud, device_uuid: str, key: str) -> None:
    join(cloud, device_uuid, key)
    other = "11111111" + device_uuid[8:]
    body = {"deviceUuid": other, "provisioningApiKey": key}
    offered = ask(cloud.url, "POST", EXCHANGE, body | {"devicePublicKey": public_pem(DEVICE_KEY)})

    if offered.status == 200:
        assert register_signed(cloud, other, key, offered.json).status == 401
    else:
        assert offered.status == 401


class TestAPoll:
    def test_says_nothing_until_a_target_was_set(
        self, cloud: Cloud, device_uuid: str, key: str
    ) -> None:
        reply = state(cloud, device_uuid, join(cloud, device_uuid, key))

        assert set(reply.json) == {device_uuid}
        found = reply.json[device_uuid]
        assert (found["apps"], found["config"], found["version"]) == ({}, {}, None)

    def test_costs_nothing_while_nothing_changes(
        self, cloud: Cloud, device_uuid: str, key: str
    ) -> None:
        api_key = join(cloud, device_uuid, key)
        cloud.set_target(device_uuid, APPS)

        first = state(cloud, device_uuid, api_key)
        etag = first.headers["etag"]
        again = state(cloud, device_uuid, api_key, **{"If-None-Match": etag})

        assert first.json[device_uuid]["version"] == 1
        assert first.json[device_uuid]["apps"]["1001"]["services"][0]["imageName"] == "web:1"
        assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
        assert (again.status, again.raw) == (304, b"")
        for spelled in (f"W/{etag}", etag.strip('"')):
            weak = state(cloud, device_uuid, api_key, **{"If-None-Match": spelled})
            assert weak.status == 304

        cloud.set_target(device_uuid, {})
        changed = state(cloud, device_uuid, api_key, **{"If-None-Match": etag})
        assert changed.status == 200
        assert changed.json[device_uuid]["version"] == 2

    @pytest.mark.parametrize("header", ["X-Device-API-Key", "Authorization"])
    def test_takes_the_key_in_either_header(
        self, cloud: Cloud, device_uuid: str, key: str, header: str
    ) -> None:
        api_key = join(cloud, device_uuid, key)
        value = f"Bearer {api_key}" if header == "Authorization" else api_key
        path = f"/api/v1/device/{device_uuid}/state"

        assert ask(cloud.url, "GET", path, headers={header: value}).status == 200

    def test_lets_nobody_else_in(self, cloud: Cloud, device_uuid: str, key: str) -> None:
        api_key = join(cloud, device_uuid, key)
        path = f"/api/v1/device/{device_uuid}/state"

        assert ask(cloud.url, "GET", path).status == 401
        assert state(cloud, device_uuid, "ab" * 32).status == 401
        assert ask(cloud.url, "GET", f"{path}?apiKey={api_key}").status == 401
        foreign = "22222222" + device_uuid[8:]
        assert state(cloud, foreign, api_key).status == 403


class TestAReport:
    PATH = "/api/v1/device/state"

    def test_is_taken_packed_and_shown_to_people(
        self, cloud: Cloud, device_uuid: str, key: str
    ) -> None:
        headers = {"X-Device-API-Key": join(cloud, device_uuid, key)}
        report: dict[str, Any] = {
            "apps": {},
            "version": None,
            "is_online": True,
            "os_version": "Debian 12",
        }

        reply = ask(
            cloud.url, "PATCH", self.PATH, {device_uuid: report}, headers=headers, packed=True
        )

        assert reply.status == 200, reply.raw
        assert reply.json["status"] == "ok"
        shown = cloud.call("GET", f"/api/v1/devices/{device_uuid}/current-state")
        assert shown["apps"] == {}

    def test_about_another_device_is_refused(
        self, cloud: Cloud, device_uuid: str, key: str
    ) -> None:
        headers = {"X-Device-API-Key": join(cloud, device_uuid, key)}
        foreign = "22222222" + device_uuid[8:]

        bodies: list[Any] = [{foreign: {}}, {device_uuid: {}, foreign: {}}]
        for body in bodies:
            reply = ask(cloud.url, "PATCH", self.PATH, body, headers=headers)
            assert reply.status in (400, 403)

    def test_on_an_unknown_base_is_asked_for_in_whole(
        self, cloud: Cloud, device_uuid: str, key: str
    ) -> None:
        headers = {"X-Device-API-Key": join(cloud, device_uuid, key)}
        body: dict[str, Any] = {device_uuid: {"base": "ab" * 32, "cpu_usage": 5}}

        reply = ask(cloud.url, "PATCH", self.PATH, body, headers=headers, packed=True)

        assert (reply.status, reply.json["code"]) == (409, "resync")


def test_a_device_that_leaves_is_not_let_in_again_by_its_key(
    cloud: Cloud, device_uuid: str, key: str
) -> None:
    api_key = join(cloud, device_uuid, key)
    headers = {"X-Device-API-Key": api_key}

    left = ask(cloud.url, "POST", f"/api/v1/device/{device_uuid}/deprovision", headers=headers)

    assert (left.status, left.raw) == (204, b"")
    assert state(cloud, device_uuid, api_key).status in (401, 403, 410)
    assert state(cloud, device_uuid, join(cloud, device_uuid, key)).status == 200


APPS = {
    "1001": {
        "appId": 1001,
        "appName": "shop",
        "services": [{"serviceId": "1", "serviceName": "web", "imageName": "web:1", "config": {}}],
    }
}
