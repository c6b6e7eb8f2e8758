"""The `device` table: one row, plain where users look, sealed where it is secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iotistic import __version__
from iotistic.agent.store.identity_file import encode_identity
from iotistic.agent.store.records import Identity, ProvisioningPhase
from iotistic.agent.store.sealed_document import secret_values, with_values
from iotistic.model.canonical import canonical_json, keyed_hex
from iotistic.model.errors import MASK

IDENTITY = "device.identity"
_API_KEY = "device.apiKey"
_MQTT_LOGIN = "device.mqttPassword"
_PROVISIONING_KEY = "device.provisioningApiKey"

_UPSERT = """
INSERT INTO device (
  id, uuid, deviceId, deviceName, deviceType, apiKey, apiEndpoint, registeredAt, provisioned,
  mqttBrokerUrl, mqttUsername, mqttPassword, mqttBrokerConfig, apiTlsConfig, provisioningApiKey,
  agentVersion, dialect, creationId, identity, identityHash
) VALUES (
  1, :uuid, :deviceId, :deviceName, :deviceType, :apiKey, :apiEndpoint, :registeredAt,
  :provisioned, :mqttBrokerUrl, :mqttUsername, :mqttPassword, :mqttBrokerConfig, :apiTlsConfig,
  :provisioningApiKey, :agentVersion, :dialect, :creationId, :identity, :identityHash
) ON CONFLICT (id) DO UPDATE SET
  uuid = excluded.uuid, deviceId = excluded.deviceId, deviceName = excluded.deviceName,
  deviceType = excluded.deviceType, apiKey = excluded.apiKey, apiEndpoint = excluded.apiEndpoint,
  registeredAt = excluded.registeredAt, provisioned = excluded.provisioned,
  mqttBrokerUrl = excluded.mqttBrokerUrl, mqttUsername = excluded.mqttUsername,
  mqttPassword = excluded.mqttPassword, mqttBrokerConfig = excluded.mqttBrokerConfig,
  apiTlsConfig = excluded.apiTlsConfig, provisioningApiKey = excluded.provisioningApiKey,
  agentVersion = excluded.agentVersion, dialect = excluded.dialect,
  creationId = excluded.creationId, identity = excluded.identity,
  identityHash = excluded.identityHash, updatedAt = CURRENT_TIMESTAMP
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """What opening asks of the row."""

    uuid: str
    creation_id: str | None
    sealed_identity: str | None
    identity_hash: str | None
    rebuilt_because: str | None


def secrets_of(identity: Identity) -> dict[str, str]:
    """What of an identity goes sealed into the row, by the name it is sealed under."""
    found = {IDENTITY: encode_identity(identity).decode()}
    if identity.cloud is not None:
        found[_API_KEY] = identity.cloud.api_key.reveal()
    if identity.mqtt is not None:
        found[_MQTT_LOGIN] = identity.mqtt.password.reveal()
    if identity.provisioning_api_key is not None:
        found[_PROVISIONING_KEY] = identity.provisioning_api_key.reveal()
    return found


def hash_of(identity: Identity) -> str:
    """Tells whether the row holds this identity without opening what is sealed."""
    return keyed_hex(identity.hash_key.reveal().encode(), encode_identity(identity).decode())


def read_device(connection: sqlite3.Connection) -> DeviceRow | None:
    """The row, None if there is none."""
    row = connection.execute(
        "SELECT uuid, creationId, identity, identityHash, rebuiltBecause FROM device"
        " ORDER BY id LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    return DeviceRow(
        uuid=str(row[0]),
        creation_id=row[1],
        sealed_identity=row[2],
        identity_hash=row[3],
        rebuilt_because=row[4],
    )


def write_device(
    connection: sqlite3.Connection, identity: Identity, sealed: Mapping[str, str]
) -> None:
    """Insert or update the row; `sealed` is what became of `secrets_of(identity)`."""
    values: dict[str, Any] = {
        "uuid": identity.uuid,
        "deviceName": identity.device_name or None,
        "deviceType": identity.device_type or None,
        "registeredAt": identity.registered_at_ms,
        "provisioned": identity.phase is ProvisioningPhase.PROVISIONED,
        "agentVersion": __version__,
        "creationId": identity.creation_id,
        "apiKey": sealed.get(_API_KEY),
        "mqttPassword": sealed.get(_MQTT_LOGIN),
        "provisioningApiKey": sealed.get(_PROVISIONING_KEY),
        "identity": sealed[IDENTITY],
        "identityHash": hash_of(identity),
        **_cloud(identity),
        **_mqtt(identity),
    }
    connection.execute(_UPSERT, values)


def write_creation_id(connection: sqlite3.Connection, creation_id: str) -> None:
    """Pair the database with another identity file."""
    connection.execute("UPDATE device SET creationId = ?", (creation_id,))


def write_rebuilt_because(connection: sqlite3.Connection, reason: str | None) -> None:
    """Remember why this database was made anew, or that somebody dealt with it."""
    connection.execute("UPDATE device SET rebuiltBecause = ?", (reason,))


def _cloud(identity: Identity) -> dict[str, Any]:
    cloud = identity.cloud
    if cloud is None:
        names = ("deviceId", "apiEndpoint", "apiTlsConfig", "dialect")
        return dict.fromkeys(names)
    tls = {"caCert": cloud.ca_cert, "verifyCertificate": cloud.verify_certificate}
    return {
        "deviceId": cloud.device_id,
        "apiEndpoint": cloud.endpoint,
        "apiTlsConfig": canonical_json(tls).decode(),
        "dialect": cloud.dialect.value,
    }


def _mqtt(identity: Identity) -> dict[str, Any]:
    mqtt = identity.mqtt
    if mqtt is None:
        return dict.fromkeys(("mqttBrokerUrl", "mqttUsername", "mqttBrokerConfig"))
    masked = dict.fromkeys(secret_values(mqtt.broker_config), MASK)
    return {
        "mqttBrokerUrl": mqtt.broker_url,
        "mqttUsername": mqtt.username,
        "mqttBrokerConfig": canonical_json(with_values(mqtt.broker_config, masked)).decode(),
    }
