"""The messages of provisioning, dialect `v2`, as both sides read and write them.

    KeyExchangeRequest -> KeyExchangeReply      twice; the second time with the device's key
    RegisterRequest    -> RegisterReply         RegistrationPlaintext is what the request encrypts

Parsers are tolerant of unknown fields and strict about known ones. What `to_wire` gives holds
secrets in clear: it goes into a request body and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UUID_EXPECTED = "a UUID in lower case"
REPLY_ENCRYPTION_JWE = "jwe"
PROTOCOL = 1
_NAME_LENGTH_MAX = 255
_KEY_LENGTH_MAX = 512
_PEM_LENGTH_MAX = 8 * 1024
_CERTIFICATES_LENGTH_MAX = 64 * 1024
_PAYLOAD_LENGTH_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExchangeRequest:
    """Asks for the cloud's public key; with `device_public_key` (PEM) it also hands in ours."""

    device_uuid: str
    provisioning_api_key: Secret
    device_public_key: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """The JSON body."""
        return _present(
            deviceUuid=self.device_uuid,
            provisioningApiKey=self.provisioning_api_key.reveal(),
            devicePublicKey=self.device_public_key,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExchangeReply:
    """The cloud's public key (PEM) and its id.

    `challenge` comes with the second exchange: single use, and part of the plaintext to sign.
    """

    api_public_key: str
    key_id: str
    status: str | None = None
    challenge: Secret | None = None

    def to_wire(self) -> dict[str, Any]:
        """The JSON body."""
        return _present(
            apiPublicKey=self.api_public_key,
            keyId=self.key_id,
            status=self.status,
            challenge=self.challenge.reveal() if self.challenge else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPlaintext:
    """What a device says of itself when it registers; travels encrypted."""

    device_uuid: str
    provisioning_api_key: Secret
    device_name: str
    device_type: str
    mac_address: str | None = None
    os_version: str | None = None
    agent_version: str | None = None
    architecture: str | None = None
    nonce: str | None = None
    challenge: Secret | None = None
    reply_encryption: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """The JSON object to encrypt."""
        return _present(
            deviceUuid=self.device_uuid,
            provisioningApiKey=self.provisioning_api_key.reveal(),
            deviceName=self.device_name,
            deviceType=self.device_type,
            macAddress=self.mac_address,
            osVersion=self.os_version,
            agentVersion=self.agent_version,
            architecture=self.architecture,
            nonce=self.nonce,
            challenge=self.challenge.reveal() if self.challenge else None,
            replyEncryption=self.reply_encryption,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRequest:
    """`encrypted_payload` is a compact JWE or base64 of RSA-OAEP.

    `signature`: base64 RSASSA-PSS-SHA256 over the ASCII of `encrypted_payload`.
    """

    encrypted_payload: str
    key_id: str | None = None
    signature: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """The JSON body."""
        return _present(
            encryptedPayload=self.encrypted_payload, keyId=self.key_id, signature=self.signature
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGrant:
    """Who the device is to the cloud."""

    device_id: str
    device_name: str
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttGrant:
    """How the device reaches the broker, where there is one."""

    broker_url: str
    username: str
    password: Secret
    broker_config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiGrant:
    """How the device reaches the cloud from now on.

    `endpoint` None: the cloud gave none, stay with the address that was used. `ca_cert` is PEM.
    """

    device_api_key: Secret
    endpoint: str | None = None
    ca_cert: str | None = None
    verify_certificate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterReply:
    """All that a device needs to be one of the fleet. `mqtt` None: this cloud has no broker."""

    device: DeviceGrant
    api: ApiGrant
    mqtt: MqttGrant | None = None
    dialect: Dialect = Dialect.V2
    created_at: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """The JSON body."""
        return _present(
            device={
                "deviceId": self.device.device_id,
                "deviceName": self.device.device_name,
                "uuid": self.device.uuid,
            },
            mqtt=_mqtt_to_wire(self.mqtt),
            api=_present(
                endpoint=self.api.endpoint,
                deviceApiKey=self.api.device_api_key.reveal(),
                tlsConfig=_present(
                    caCert=self.api.ca_cert, verifyCertificate=self.api.verify_certificate
                ),
            ),
            dialect=self.dialect.value,
            protocol={"min": PROTOCOL, "max": PROTOCOL},
            createdAt=self.created_at,
        )


def parse_key_exchange_request(raw: object) -> KeyExchangeRequest:
    """Read the body of a key exchange. Raises InvalidField."""
    fields = Fields(raw, "")
    return KeyExchangeRequest(
        device_uuid=_uuid(fields, "deviceUuid"),
        provisioning_api_key=_key(fields, "provisioningApiKey"),
        device_public_key=fields.optional_text("devicePublicKey", length_max=_PEM_LENGTH_MAX),
    )


def parse_key_exchange_reply(raw: object) -> KeyExchangeReply:
    """Read what a cloud answers to a key exchange. Raises InvalidField."""
    fields = Fields(raw, "reply")
    return KeyExchangeReply(
        api_public_key=fields.text("apiPublicKey", length_max=_PEM_LENGTH_MAX),
        key_id=fields.text("keyId", length_max=_NAME_LENGTH_MAX),
        status=fields.optional_text("status", length_max=_NAME_LENGTH_MAX),
        challenge=_optional_key(fields, "challenge"),
    )


def parse_register_request(raw: object) -> RegisterRequest:
    """Read the body of a registration. Raises InvalidField."""
    fields = Fields(raw, "")
    return RegisterRequest(
        encrypted_payload=fields.text("encryptedPayload", length_max=_PAYLOAD_LENGTH_MAX),
        key_id=fields.optional_text("keyId", length_max=64),
        signature=fields.optional_text("signature", length_max=2048),
    )


def parse_registration(raw: object) -> RegistrationPlaintext:
    """Read what was encrypted. Raises InvalidField."""
    fields = Fields(raw, "payload")
    return RegistrationPlaintext(
        device_uuid=_uuid(fields, "deviceUuid"),
        provisioning_api_key=_key(fields, "provisioningApiKey"),
        device_name=fields.text("deviceName", length_max=_NAME_LENGTH_MAX),
        device_type=fields.text("deviceType", length_max=_NAME_LENGTH_MAX),
        mac_address=_short(fields, "macAddress"),
        os_version=_short(fields, "osVersion"),
        agent_version=_short(fields, "agentVersion"),
        architecture=_short(fields, "architecture"),
        nonce=_short(fields, "nonce"),
        challenge=_optional_key(fields, "challenge"),
        reply_encryption=_short(fields, "replyEncryption"),
    )


def parse_register_reply(raw: object) -> RegisterReply:
    """Read what a cloud answers to a registration. Raises InvalidField."""
    fields = Fields(raw, "reply")
    return RegisterReply(
        device=_device(fields),
        api=_api(fields),
        mqtt=_mqtt(fields),
        dialect=fields.choice("dialect", Dialect, default=Dialect.V2),
        created_at=_short(fields, "createdAt"),
    )


def encrypted_reply(raw: object) -> str | None:
    """The compact JWE when a reply is `{"encryptedReply": …}`, to the device's key; else None."""
    found = raw.get("encryptedReply") if isinstance(raw, Mapping) else None
    return found if isinstance(found, str) else None


def encrypted_reply_to_wire(token: str) -> dict[str, str]:
    """The body that carries a reply encrypted to the device's key."""
    return {"encryptedReply": token}


def _device(reply: Fields) -> DeviceGrant:
    fields = Fields(reply.required("device", expected="an object"), reply.path("device"))
    return DeviceGrant(
        device_id=_id(fields, "deviceId", "id"),
        device_name=fields.text("deviceName", length_max=_NAME_LENGTH_MAX),
        uuid=_uuid(fields, "uuid"),
    )


def _api(reply: Fields) -> ApiGrant:
    fields = Fields(reply.required("api", expected="an object"), reply.path("api"))
    tls = fields.child("tlsConfig")
    return ApiGrant(
        device_api_key=_key(fields, "deviceApiKey"),
        endpoint=fields.optional_text("endpoint", length_max=2048) or None,
        ca_cert=tls.optional_text("caCert", length_max=_CERTIFICATES_LENGTH_MAX) or None,
        verify_certificate=tls.boolean("verifyCertificate", default=True),
    )


def _mqtt(reply: Fields) -> MqttGrant | None:
    raw = reply.raw("mqtt")
    if raw is None:
        return None
    fields = Fields(raw, reply.path("mqtt"))
    return MqttGrant(
        broker_url=fields.text("brokerUrl", "broker", length_max=2048),
        username=fields.text("username", length_max=_NAME_LENGTH_MAX),
        password=_key(fields, "password"),
        broker_config=dict(fields.mapping("brokerConfig")),
    )


def _mqtt_to_wire(mqtt: MqttGrant | None) -> dict[str, Any] | None:
    if mqtt is None:
        return None
    return {
        "brokerUrl": mqtt.broker_url,
        "username": mqtt.username,
        "password": mqtt.password.reveal(),
        "brokerConfig": dict(mqtt.broker_config),
    }


def _uuid(fields: Fields, name: str) -> str:
    return fields.text(name, pattern=UUID, expected=UUID_EXPECTED)


def _id(fields: Fields, *names: str) -> str:
    found = fields.required(*names, expected="a number or a short text")
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return fields.text(*names, length_max=64, expected="a number or a short text")


def _key(fields: Fields, name: str) -> Secret:
    found = _optional_key(fields, name)
    if not found:
        raise InvalidField(fields.path(name), expected="a key")
    return found


def _optional_key(fields: Fields, name: str) -> Secret | None:
    found = fields.optional_text(name, length_max=_KEY_LENGTH_MAX, expected="a key", secret=True)
    return None if found is None else Secret(found)


def _short(fields: Fields, name: str) -> str | None:
    return fields.optional_text(name, length_max=_NAME_LENGTH_MAX)


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
