"""What a cloud's reply to a registration comes to (pure). All of it is hostile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iotistic.agent.store.records import CloudLink, MqttCredentials
from iotistic.agent.trust import normalize_pem
from iotistic.model.errors import InvalidField
from iotistic.model.provisioning import parse_register_reply
from iotistic.model.reader import Fields, check_integer, check_text
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

_CERTIFICATES_LENGTH_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a registration gave. `link.ca_cert` is what the cloud said, None for nothing."""

    link: CloudLink
    mqtt: MqttCredentials | None
    device_name: str


def joined_v2(body: Any, *, uuid: str, asked: str) -> Joined:
    """Read a v2 registration; `asked` is the endpoint that answered.

    Raises InvalidField, also when the reply is about another device.
    """
    reply = parse_register_reply(body)
    _check_uuid(reply.device.uuid, uuid, "reply.device.uuid")
    mqtt = reply.mqtt
    return Joined(
        link=CloudLink(
            endpoint=reply.api.endpoint or asked,
            dialect=Dialect.V2,
            device_id=reply.device.device_id,
            api_key=reply.api.device_api_key,
            ca_cert=_pem(reply.api.ca_cert),
            verify_certificate=reply.api.verify_certificate,
        ),
        mqtt=MqttCredentials(
            broker_url=mqtt.broker_url,
            username=mqtt.username,
            password=mqtt.password,
            broker_config=mqtt.broker_config,
        )
        if mqtt
        else None,
        device_name=reply.device.device_name,
    )


def joined_o1(body: Any, *, uuid: str, asked: str, api_key: Secret) -> Joined:
    """Read a registration in the older dialect, where the device has made its key itself."""
    fields = Fields(body, "reply")
    _check_uuid(fields.text("uuid", length_max=64).lower(), uuid, "reply.uuid")
    tls = fields.child("api").child("tlsConfig")
    return Joined(
        link=CloudLink(
            endpoint=asked,
            dialect=Dialect.O1,
            device_id=_device_id(fields),
            api_key=api_key,
            ca_cert=_pem(tls.optional_text("caCert", length_max=_CERTIFICATES_LENGTH_MAX)),
            verify_certificate=tls.boolean("verifyCertificate", default=True),
        ),
        mqtt=_mqtt_o1(fields),
        device_name=fields.optional_text("deviceName", length_max=255) or "",
    )


def _check_uuid(found: str, uuid: str, at: str) -> None:
    if found != uuid:
        raise InvalidField(at, expected=f"our own, {uuid}", found=found)


def _device_id(fields: Fields) -> str:
    found = fields.required("id", expected="a device id")
    if isinstance(found, int):
        return str(check_integer(found, fields.path("id")))
    return check_text(found, fields.path("id"), length_max=64)


def _mqtt_o1(fields: Fields) -> MqttCredentials | None:
    """The broker's part; None where the cloud has no broker, and all goes over HTTP."""
    mqtt = fields.child("mqtt")
    url = mqtt.optional_text("broker", length_max=2048)
    if not url:
        return None
    return MqttCredentials(
        broker_url=url,
        username=mqtt.text("username", length_max=255),
        password=Secret(mqtt.text("password", length_max=512, secret=True)),
        broker_config=dict(mqtt.mapping("brokerConfig")),
    )


def _pem(text: str | None) -> str | None:
    return normalize_pem(text) if text and text.strip() else None
