"""Joining in the present dialect, from outside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.cloud.joining import Device, jwe, literal_cipher, open_jwe
from tests.cloud.running import FACE, OTHER_UUID, UUID, ManualClock, Running


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


async def test_a_device_joins_and_its_key_opens_its_state(cloud: Running, device: Device) -> None:
    reply = (await device.register()).json()

    assert reply["device"] == {"deviceId": "1", "deviceName": "press 4", "uuid": UUID}
    assert reply["api"]["endpoint"] == f"{FACE.url}/api"
    assert reply["api"]["tlsConfig"] == {"verifyCertificate": True}
    assert reply["dialect"] == "v2"
    assert "mqtt" not in reply
    assert await device.poll(reply["api"]["deviceApiKey"]) == 200
    assert await used(cloud) == 1


async def test_the_literal_cipher_of_a_simple_client_works(cloud: Running, device: Device) -> None:
    first = (await device.exchange()).json()
    assert set(first) == {"apiPublicKey", "keyId"}

    key = await device.joined(literal=True)

    assert await device.poll(key) == 200


async def test_the_literal_cipher_may_use_sha256_and_name_no_key(
    cloud: Running, device: Device
) -> None:
    answer = await device.exchanged()
    public = load_pem_public_key(answer["apiPublicKey"].encode())
    assert isinstance(public, RSAPublicKey)
    raw = str(device.plaintext()).replace("'", '"').encode()

    reply = await device.send({"encryptedPayload": literal_cipher(raw, public, sha256=True)})

    assert reply.status_code == 200, reply.text


async def test_the_reply_can_be_for_the_eyes_of_the_device_only(device: Device) -> None:
    reply = (await device.register(replyEncryption="jwe")).json()

    assert set(reply) == {"encryptedReply"}
    opened = open_jwe(reply["encryptedReply"], device.pair)
    assert await device.poll(opened["api"]["deviceApiKey"]) == 200


async def test_the_last_place_of_a_key_is_given_once(cloud: Running, second: Running) -> None:
    key = (await cloud.new_key(maxDevices=1))["key"]
    one, other = Device(cloud, key), Device(second, key, uuid=OTHER_UUID)
    requests = []
    for device in (one, other):
        answer = await device.exchanged()
        requests.append(device.request(answer, challenge=answer["challenge"]))

    replies = await asyncio.gather(one.send(requests[0]), other.send(requests[1]))

    assert sorted(reply.status_code for reply in replies) == [200, 401]
    loser = next(reply for reply in replies if reply.status_code == 401)
    assert loser.json()["code"] == "device-limit-exceeded"
    devices = await cloud.ok("GET", "/api/v1/devices", who="viewer")
    assert devices["count"] == 1


async def test_a_used_up_key_still_serves_the_device_that_used_it(cloud: Running) -> None:
    key = (await cloud.new_key(maxDevices=1))["key"]
    device = Device(cloud, key)
    await device.joined()

    await refuse(Device(cloud, key, uuid=OTHER_UUID).exchange(), 401, "device-limit-exceeded")
    assert await device.poll(await device.joined()) == 200


async def test_unknown_and_revoked_keys_get_the_same_answer(cloud: Running) -> None:
    made = await cloud.new_key()
    await cloud.ok("DELETE", f"/api/v1/provisioning-keys/{made['id']}", who="operator")

    revoked = (await Device(cloud, made["key"]).exchange()).json()
    unknown = (await Device(cloud, "0" * 64).exchange()).json()

    assert revoked["message"] == unknown["message"] == "Invalid provisioning key"
    assert revoked["code"] == unknown["code"]


async def test_a_key_that_is_revoked_between_the_phases_is_refused(cloud: Running) -> None:
    made = await cloud.new_key()
    device = Device(cloud, made["key"])
    answer = await device.exchanged()
    await cloud.ok("DELETE", f"/api/v1/provisioning-keys/{made['id']}", who="operator")

    sent = device.send(device.request(answer, challenge=answer["challenge"]))

    await refuse(sent, 401, "invalid-provisioning-key")


async def test_an_expired_key_says_so(cloud: Running, clock: ManualClock) -> None:
    key = (await cloud.new_key(expiresInDays=1))["key"]
    clock.advance(days=1.01)

    await refuse(Device(cloud, key).exchange(), 401, "provisioning-key-expired")


async def test_the_uuid_inside_must_be_the_exchanged_one(cloud: Running, device: Device) -> None:
    answer = await device.exchanged()
    request = device.request(answer, challenge=answer["challenge"], deviceUuid=OTHER_UUID)

    await refuse(device.send(request), 409, "exchange-missing")
    await refuse(device.register(challenge=None, deviceUuid=OTHER_UUID), 409, "exchange-missing")


async def test_a_pending_key_belongs_to_who_has_the_provisioning_key(
    cloud: Running, device: Device
) -> None:
    answer = await device.exchanged()
    stranger = Device(cloud, (await cloud.new_key())["key"])
    await stranger.exchanged()

    reply = await device.send(device.request(answer, challenge=answer["challenge"]))

    assert reply.status_code == 200


async def test_a_signature_by_another_key_is_refused(cloud: Running, device: Device) -> None:
    answer = await device.exchanged()
    request = device.request(answer, challenge=answer["challenge"])
    request["signature"] = Device(cloud, device.key).sign(request["encryptedPayload"])

    await refuse(device.send(request), 401, "bad-signature")
    assert await used(cloud) == 0


async def test_an_exchange_is_forgotten_after_an_hour(device: Device, clock: ManualClock) -> None:
    answer = await device.exchanged()
    clock.advance(h=1.01)

    sent = device.send(device.request(answer, challenge=answer["challenge"]))

    await refuse(sent, 409, "exchange-missing")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="empty"),
        pytest.param("nonsense", id="no base64"),
        pytest.param("a.b.c.d.e", id="dots"),
        pytest.param("A" * 683 + "=", id="random"),
    ],
)
async def test_every_unreadable_payload_gets_one_answer(device: Device, payload: str) -> None:
    await refuse(device.send({"encryptedPayload": payload}), 400, "bad-payload")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{", id="half a JSON"),
        pytest.param(b"[" * 5000, id="deep"),
        pytest.param(b'{"deviceUuid": 5}', id="wrong types"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
async def test_nonsense_inside_is_a_400_that_names_the_place(device: Device, raw: bytes) -> None:
    answer = await device.exchanged()
    public = load_pem_public_key(answer["apiPublicKey"].encode())
    assert isinstance(public, RSAPublicKey)

    reply = await device.send({"encryptedPayload": jwe(raw, public, kid=answer["keyId"])})

    assert reply.status_code == 400
    assert reply.json()["details"]["path"].startswith("payload")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"deviceUuid": UUID}, "provisioningApiKey"),
        ({"provisioningApiKey": "x"}, "deviceUuid"),
        ({"deviceUuid": "x" * 36, "provisioningApiKey": "x"}, "deviceUuid"),
        ({"deviceUuid": UUID, "provisioningApiKey": ["x"]}, "provisioningApiKey"),
    ],
)
async def test_a_malformed_exchange_names_the_field(
    cloud: Running, body: dict[str, Any], path: str
) -> None:
    reply = await cloud.ask("POST", "/api/provisioning/v2/key-exchange", body)

    assert reply.status_code == 400
    assert reply.json()["details"]["path"] == path


async def test_a_device_key_that_is_none_is_refused(device: Device) -> None:
    reply = await device.exchange(devicePublicKey="-----BEGIN PUBLIC KEY-----")

    assert reply.status_code == 400
    assert reply.json()["details"]["path"] == "devicePublicKey"


async def test_failures_end_in_429_and_spare_the_neighbours(
    cloud: Running, device: Device, clock: ManualClock
) -> None:
    wrong = Device(cloud, "0" * 64, uuid=OTHER_UUID)
    for _ in range(10):
        await refuse(wrong.exchange(), 401, "invalid-provisioning-key")

    blocked = await wrong.exchange()

    assert blocked.status_code == 429
    assert 0 < int(blocked.headers["Retry-After"]) <= 3600
    # Devices at the same address with a good key join all the same.
    assert await device.poll(await device.joined()) == 200
    clock.advance(h=1.01)
    await refuse(wrong.exchange(), 401, "invalid-provisioning-key")


async def test_unreadable_payloads_end_in_429_and_spare_the_neighbours(device: Device) -> None:
    for _ in range(10):
        await refuse(device.send({"encryptedPayload": "AAAA"}), 400, "bad-payload")

    assert (await device.send({"encryptedPayload": "AAAA"})).status_code == 429
    assert (await device.register()).status_code == 200


async def test_what_was_encrypted_is_never_shown(device: Device) -> None:
    answer = await device.exchanged()
    public = load_pem_public_key(answer["apiPublicKey"].encode())
    assert isinstance(public, RSAPublicKey)
    # Such as the content key of a message that somebody wrote down.
    recorded = literal_cipher(b"a key of another message", public)

    reply = await device.send({"encryptedPayload": recorded})

    assert reply.status_code == 400
    assert "another message" not in reply.text


async def test_what_happened_is_in_the_audit_log_without_secrets(
    cloud: Running, device: Device
) -> None:
    key = await device.joined()
    await Device(cloud, "0" * 64).exchange()

    log = await cloud.ask("GET", "/api/v1/audit", who="admin")

    actions = [entry["action"] for entry in log.json()["entries"]]
    assert actions[:3] == ["provisioning-refused", "device-registered", "provisioning-key-created"]
    assert device.key not in log.text
    assert key not in log.text
