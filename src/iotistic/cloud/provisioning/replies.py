"""What a device is told when it was let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row

from iotistic.cloud.clock import iso
from iotistic.cloud.provisioning.o1 import O1Registered
from iotistic.cloud.provisioning.registrar import Registered
from iotistic.model import jose
from iotistic.model.canonical import canonical_json
from iotistic.model.provisioning import (
    REPLY_ENCRYPTION_JWE,
    ApiGrant,
    DeviceGrant,
    MqttGrant,
    RegisterReply,
    encrypted_reply_to_wire,
)
from iotistic.model.secret import Secret

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 9001, "wss": 9002}
_SECURE = frozenset({"mqtts", "wss"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFace:
    """How the world reaches this cloud. `ca_cert` (PEM) and `ca_pin` only with a private
    authority; `mqtt_broker_url` empty without a broker.
    """

    url: str
    ca_cert: str | None = None
    ca_pin: str | None = None
    mqtt_broker_url: str = ""

    @property
    def api(self) -> str:
        """Where devices are sent."""
        return f"{self.url}/api"


def v2_reply(registered: Registered, face: PublicFace) -> dict[str, Any]:
    """The body for a v2 device, encrypted to its key when it asked for that."""
    device, issued = registered.device, registered.credentials
    mqtt = None
    if face.mqtt_broker_url:
        mqtt = MqttGrant(
            broker_url=face.mqtt_broker_url,
            username=mqtt_username(device),
            password=issued.mqtt_password,
            broker_config=broker_config(face.mqtt_broker_url),
        )
    reply = RegisterReply(
        device=DeviceGrant(device_id=str(device.id), device_name=device.name, uuid=device.uuid),
        api=ApiGrant(device_api_key=issued.api_key, endpoint=face.api, ca_cert=face.ca_cert),
        mqtt=mqtt,
        created_at=iso(device.created_at),
    ).to_wire()
    if registered.said.reply_encryption != REPLY_ENCRYPTION_JWE:
        return reply
    key = jose.load_public_key(registered.public_key)
    return dict(
        encrypted_reply_to_wire(jose.encrypt(canonical_json(reply), key, kid=jose.key_id(key)))
    )


def o1_reply(registered: O1Registered, face: PublicFace) -> dict[str, Any]:
    """The body for an o1 device. It needs `mqtt`, also where there is no broker to reach."""
    device = registered.device
    topics = [f"iot/device/{device.uuid}/#"]
    tls: dict[str, Any] = {"verifyCertificate": True}
    if face.ca_cert is not None:
        tls["caCert"] = face.ca_cert
    return {
        "id": device.id,
        "uuid": device.uuid,
        "deviceName": device.name,
        "deviceType": device.type,
        "applicationId": device.application_id,
        "fleetId": device.fleet_id,
        "createdAt": iso(device.created_at),
        "mqtt": {
            "username": mqtt_username(device),
            "password": _shown(registered.credentials.mqtt_password),
            "broker": face.mqtt_broker_url,
            "brokerConfig": o1_broker_config(face.mqtt_broker_url),
            "topics": {"publish": topics, "subscribe": topics},
        },
        "api": {"tlsConfig": tls},
    }


def o1_confirmed(device: Row[Any]) -> dict[str, Any]:
    """The body for an o1 device that has shown its key."""
    return {
        "status": "ok",
        "message": "the key is known",
        "device": {"id": device.id, "uuid": device.uuid, "deviceName": device.name},
    }


def mqtt_username(device: Row[Any]) -> str:
    """The device's name at the broker."""
    return f"device_{device.uuid}"


def broker_config(url: str) -> dict[str, Any]:
    """A broker's address in parts."""
    parts = urlsplit(url)
    return {
        "protocol": parts.scheme,
        "host": parts.hostname or "",
        "port": parts.port or _PORTS.get(parts.scheme, 8883),
        "useTls": parts.scheme in _SECURE,
        "verifyCertificate": True,
    }


def o1_broker_config(url: str) -> dict[str, Any]:
    """The same with what older agents read besides; empty without a broker."""
    if not url:
        return {}
    return {
        **broker_config(url),
        "clientIdPrefix": "Iotistic",
        "keepAlive": 60,
        "cleanSession": True,
        "reconnectPeriod": 1000,
        "connectTimeout": 30000,
    }


def _shown(secret: Secret) -> str:
    return secret.reveal()
