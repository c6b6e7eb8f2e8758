"""`identity.json`: who this device is, in a file that no broken database can take along."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from iotistic.agent.host.files import durable_write, keep_private, read_small
from iotistic.agent.store.errors import DatabaseNewer
from iotistic.agent.store.records import (
    CloudLink,
    Identity,
    KeptDeadline,
    MqttCredentials,
    ProvisioningPhase,
)
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, decode_json
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

FORMAT = 1
BYTES_MAX = 1024 * 1024
_PEM_LENGTH_MAX = 256 * 1024


def load_identity(path: Path) -> Identity | None:
    """Who we are, None if there is no such file; raises InvalidField if it makes no sense.

    Raises DatabaseNewer for a format of a newer agent.
    """
    data = read_small(path, BYTES_MAX)
    if data is None:
        return None
    keep_private(path)
    return decode_identity(data, path)


def save_identity(path: Path, identity: Identity) -> None:
    """Replace the file durably."""
    durable_write(path, encode_identity(identity))


def encode_identity(identity: Identity) -> bytes:
    """The file's content; also what is sealed into the database."""
    return canonical_json(
        {
            "format": FORMAT,
            "uuid": identity.uuid,
            "creation_id": identity.creation_id,
            "private_key_pem": identity.private_key_pem.reveal(),
            "hash_key": identity.hash_key.reveal(),
            "created_at_ms": identity.created_at_ms,
            "machine_hash": identity.machine_hash,
            "phase": identity.phase,
            "device_name": identity.device_name,
            "device_type": identity.device_type,
            "cloud": _link_out(identity.cloud),
            "mqtt": _mqtt_out(identity.mqtt),
            "registered_at_ms": identity.registered_at_ms,
            "provisioning_api_key": _revealed(identity.provisioning_api_key),
            "provisioning_endpoint": identity.provisioning_endpoint,
            "provisioning_ca_cert": identity.provisioning_ca_cert,
            "spent_key_hash": identity.spent_key_hash,
            "farewell": _link_out(identity.farewell),
            "farewell_until": _deadline_out(identity.farewell_until),
        }
    )


def decode_identity(data: bytes, path: Path) -> Identity:
    """Read what `encode_identity` wrote; `path` is named in errors."""
    try:
        raw = decode_json(data, at=path.name, bytes_max=BYTES_MAX)
    except InvalidField:
        # Not chained: it quotes the beginning of the file, and that is an API key.
        raise InvalidField(path.name, expected="JSON", found="something else") from None
    fields = Fields(raw, path.name)
    if (found := fields.integer("format", low=1)) > FORMAT:
        raise DatabaseNewer(path, found, FORMAT)
    return Identity(
        uuid=fields.text("uuid", length_max=64),
        creation_id=fields.text("creation_id", length_max=64),
        private_key_pem=Secret(fields.text("private_key_pem", secret=True)),
        hash_key=Secret(fields.text("hash_key", length_max=64, secret=True)),
        created_at_ms=fields.integer("created_at_ms"),
        machine_hash=fields.optional_text("machine_hash") or "",
        phase=fields.choice("phase", ProvisioningPhase, default=ProvisioningPhase.NEW),
        device_name=fields.optional_text("device_name") or "",
        device_type=fields.optional_text("device_type") or "",
        cloud=_link_in(fields, "cloud"),
        mqtt=_mqtt_in(fields),
        registered_at_ms=fields.optional_integer("registered_at_ms"),
        provisioning_api_key=_secret(fields, "provisioning_api_key"),
        provisioning_endpoint=fields.optional_text("provisioning_endpoint"),
        provisioning_ca_cert=_pem(fields, "provisioning_ca_cert"),
        spent_key_hash=fields.optional_text("spent_key_hash"),
        farewell=_link_in(fields, "farewell"),
        farewell_until=_deadline_in(fields, "farewell_until"),
    )


def _link_out(link: CloudLink | None) -> dict[str, Any] | None:
    if link is None:
        return None
    return {
        "endpoint": link.endpoint,
        "dialect": link.dialect,
        "device_id": link.device_id,
        "api_key": link.api_key.reveal(),
        "ca_cert": link.ca_cert,
        "verify_certificate": link.verify_certificate,
    }


def _link_in(fields: Fields, name: str) -> CloudLink | None:
    if fields.raw(name) is None:
        return None
    link = fields.child(name)
    return CloudLink(
        endpoint=link.text("endpoint"),
        dialect=link.choice("dialect", Dialect, default=Dialect.V2),
        device_id=link.text("device_id"),
        api_key=Secret(link.text("api_key", secret=True)),
        ca_cert=_pem(link, "ca_cert"),
        verify_certificate=link.boolean("verify_certificate", default=True),
    )


def _deadline_out(deadline: KeptDeadline | None) -> dict[str, Any] | None:
    return None if deadline is None else asdict(deadline)


def _deadline_in(fields: Fields, name: str) -> KeptDeadline | None:
    if fields.raw(name) is None:
        return None
    deadline = fields.child(name)
    return KeptDeadline(
        boot_id=deadline.text("boot_id"),
        at_s=deadline.integer("at_s"),
        left_s=deadline.integer("left_s"),
    )


def _mqtt_out(mqtt: MqttCredentials | None) -> dict[str, Any] | None:
    if mqtt is None:
        return None
    return {
        "broker_url": mqtt.broker_url,
        "username": mqtt.username,
        "password": mqtt.password.reveal(),
        "broker_config": mqtt.broker_config,
    }


def _mqtt_in(fields: Fields) -> MqttCredentials | None:
    if fields.raw("mqtt") is None:
        return None
    mqtt = fields.child("mqtt")
    return MqttCredentials(
        broker_url=mqtt.text("broker_url"),
        username=mqtt.text("username"),
        password=Secret(mqtt.text("password", secret=True)),
        broker_config=mqtt.mapping("broker_config"),
    )


def _pem(fields: Fields, name: str) -> str | None:
    return fields.optional_text(name, length_max=_PEM_LENGTH_MAX, expected="a PEM text")


def _secret(fields: Fields, name: str) -> Secret | None:
    text = fields.optional_text(name, secret=True)
    return None if text is None else Secret(text)


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()
