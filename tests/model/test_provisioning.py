"""What one side writes the other reads, and what does not fit is refused by name."""

from typing import Any

import pytest

from iotistic.model import provisioning as wire
from iotistic.model.errors import InvalidField
from iotistic.model.secret import Secret

UUID = "3f0e1f0a-5d8f-4c35-9a0e-0d6a3f6f7a10"


def plaintext() -> wire.RegistrationPlaintext:
    return wire.RegistrationPlaintext(
        device_uuid=UUID,
        provisioning_api_key=Secret("p" * 64),
        device_name="press 4",
        device_type="edge-gateway",
        challenge=Secret("c"),
        reply_encryption=wire.REPLY_ENCRYPTION_JWE,
    )


def reply() -> wire.RegisterReply:
    return wire.RegisterReply(
        device=wire.DeviceGrant(device_id="17", device_name="press 4", uuid=UUID),
        api=wire.ApiGrant(device_api_key=Secret("k"), endpoint="https://c", ca_cert="PEM"),
        mqtt=wire.MqttGrant(
            broker_url="mqtts://b:8883", username="u", password=Secret("p"), broker_config={"a": 1}
        ),
    )


def test_each_message_reads_back_as_it_was_written() -> None:
    exchange = wire.KeyExchangeRequest(
        device_uuid=UUID, provisioning_api_key=Secret("p"), device_public_key="PEM"
    )
    answer = wire.KeyExchangeReply(
        api_public_key="PEM", key_id="k", status="ok", challenge=Secret("c")
    )
    register = wire.RegisterRequest(encrypted_payload="a.b", key_id="k", signature="s")

    assert wire.parse_key_exchange_request(exchange.to_wire()) == exchange
    assert wire.parse_key_exchange_reply(answer.to_wire()) == answer
    assert wire.parse_registration(plaintext().to_wire()) == plaintext()
    assert wire.parse_register_request(register.to_wire()) == register
    assert wire.parse_register_reply(reply().to_wire()) == reply()


def test_a_reply_without_broker_and_with_a_numeric_id_is_whole() -> None:
    raw = reply().to_wire()
    del raw["mqtt"]
    raw["device"]["deviceId"] = 17
    raw["something"] = "new"

    read = wire.parse_register_reply(raw)

    assert read.mqtt is None
    assert read.device.device_id == "17"


def test_secrets_do_not_show() -> None:
    assert "pppp" not in repr(plaintext())
    assert "'k'" not in repr(reply())


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"deviceUuid": UUID.upper()}, "payload.deviceUuid"),
        ({"deviceUuid": 5}, "payload.deviceUuid"),
        ({"provisioningApiKey": ""}, "payload.provisioningApiKey"),
        ({"provisioningApiKey": ["x"]}, "payload.provisioningApiKey"),
        ({"deviceName": None}, "payload.deviceName"),
        ({"deviceName": "x" * 300}, "payload.deviceName"),
        ({"macAddress": {}}, "payload.macAddress"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidField) as refused:
        wire.parse_registration(plaintext().to_wire() | change)
    assert refused.value.path == path


def test_an_encrypted_reply_is_told_from_a_plain_one() -> None:
    assert wire.encrypted_reply(wire.encrypted_reply_to_wire("a.b.c.d.e")) == "a.b.c.d.e"
    assert wire.encrypted_reply(reply().to_wire()) is None
    assert wire.encrypted_reply(["encryptedReply"]) is None
