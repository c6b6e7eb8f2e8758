"""What a cloud answers to a registration, read at the edge (pure). All of it is hostile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iotistic.agent.store.records import CloudLink, MqttCredentials
from iotistic.agent.trust import normalize_pem
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_integer, check_text
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

_KEY = re.compile(r"[\x21-\x7e]{8,512}")
_PEM_LENGTH_MAX = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExchange:
    """The cloud's public key. `challenge` comes with the second exchange and is used once."""

    api_public_key: str
    key_id: str
    challenge: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a registration gave. `link.ca_cert` is what the cloud said, None for nothing."""

    link: CloudLink
    mqtt: MqttCredentials | None
    device_name: str


def parse_key_exchange(body: Any) -> KeyExchange:
    """Read the reply of either v2 key exchange."""
    fields = Fields(body, "reply")
    return KeyExchange(
        api_public_key=fields.text("apiPublicKey", length_max=_PEM_LENGTH_MAX),
        key_id=fields.text("keyId", length_max=64),
        challenge=fields.optional_text("challenge", length_max=256),
    )


def parse_v2(body: Any, *, uuid: str, asked: str) -> Joined:
    """Read a v2 registration; `asked` is the endpoint that answered.

    Raises InvalidField, also when the reply is about another device.
    """
    fields = Fields(body, "reply")
    device, api = fields.child("device"), fields.child("api")
    _check_uuid(device, uuid)
    tls = api.child("tlsConfig")
    return Joined(
        link=CloudLink(
            endpoint=api.optional_text("endpoint", length_max=2048) or asked,
            dialect=Dialect.V2,
            device_id=_device_id(device, "deviceId"),
            api_key=Secret(_key(api, "deviceApiKey")),
            ca_cert=_ca_cert(tls),
            verify_certificate=tls.boolean("verifyCertificate", default=True),
        ),
        mqtt=_mqtt(fields, "brokerUrl"),
        device_name=device.optional_text("deviceName", length_max=255) or "",
    )


def parse_o1(body: Any, *, uuid: str, asked: str, api_key: Secret) -> Joined:
    """Read a registration in the older dialect, where the device has made its key itself."""
    fields = Fields(body, "reply")
    _check_uuid(fields, uuid)
    tls = fields.child("api").child("tlsConfig")
    return Joined(
        link=CloudLink(
            endpoint=asked,
            dialect=Dialect.O1,
            device_id=_device_id(fields, "id"),
            api_key=api_key,
            ca_cert=_ca_cert(tls),
            verify_certificate=tls.boolean("verifyCertificate", default=True),
        ),
        mqtt=_mqtt(fields, "broker"),
        device_name=fields.optional_text("deviceName", length_max=255) or "",
    )


def _check_uuid(fields: Fields, uuid: str) -> None:
    found = fields.text("uuid", length_max=64)
    if found.lower() != uuid:
        raise InvalidField(fields.path("uuid"), expected=f"our own, {uuid}", found=found)


def _device_id(fields: Fields, name: str) -> str:
    # A number in the older dialect, a text in v2; clouds mix them.
    found = fields.required(name, expected="a device id")
    if isinstance(found, int):
        return str(check_integer(found, fields.path(name)))
    return check_text(found, fields.path(name), length_max=64)


def _key(fields: Fields, name: str) -> str:
    return fields.text(name, pattern=_KEY, expected="a key", secret=True)


def _ca_cert(tls: Fields) -> str | None:
    found = tls.optional_text("caCert", length_max=_PEM_LENGTH_MAX)
    return normalize_pem(found) if found and found.strip() else None


def _mqtt(fields: Fields, url_name: str) -> MqttCredentials | None:
    """The broker's part; None where the cloud has no broker, which carries all over HTTP."""
    mqtt = fields.child("mqtt")
    url = mqtt.optional_text(url_name, length_max=2048)
    if not url:
        return None
    config: Mapping[str, Any] = mqtt.mapping("brokerConfig")
    return MqttCredentials(
        broker_url=url,
        username=mqtt.text("username", length_max=255),
        password=Secret(mqtt.text("password", length_max=512, secret=True)),
        broker_config=dict(config),
    )
