"""What the store keeps, as the rest of the agent sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from iotistic.model.canonical import sha256_hex
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect


class ProvisioningPhase(StrEnum):
    """How far joining the cloud has come. What each means on the next start: provisioning room."""

    NEW = "new"
    """A uuid and keys, nothing asked of any cloud yet."""
    PENDING = "pending"
    """Registration was begun; its reply may be lost. Goes on from the key exchange."""
    REGISTERED = "registered"
    """The whole reply is stored; no authenticated call has been answered yet."""
    PROVISIONED = "provisioned"
    """The credentials have been used with success; the provisioning key is erased."""
    DEPROVISIONED = "deprovisioned"
    """Left the cloud on purpose. uuid and keys are kept; only a person's wish starts it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudLink:
    """Where the cloud is and how to be let in. `ca_cert` is PEM."""

    endpoint: str
    dialect: Dialect
    device_id: str
    api_key: Secret
    ca_cert: str | None = None
    verify_certificate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttCredentials:
    """What provisioning gave for the broker; `broker_config` as it came."""

    broker_url: str
    username: str
    password: Secret
    broker_config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDeadline:
    """A deadline that outlives a boot: `at_s` on the boot clock of `boot_id`, and what was left
    when that was last written.
    """

    boot_id: str
    at_s: int
    left_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this device is. Lives in `identity.json`, which wins over the database.

    `creation_id` pairs the file with the database it was made with. `hash_key` (hex, 32 bytes)
    keys the hashes on labels. `machine_hash` is of /etc/machine-id: another one means the disk
    was cloned. `farewell` is a link that was left and has not been told yet; how long that is
    tried is set with the first try that failed.
    """

    uuid: str
    creation_id: str
    private_key_pem: Secret
    hash_key: Secret
    created_at_ms: int
    machine_hash: str = ""
    phase: ProvisioningPhase = ProvisioningPhase.NEW
    device_name: str = ""
    device_type: str = ""
    cloud: CloudLink | None = None
    mqtt: MqttCredentials | None = None
    registered_at_ms: int | None = None
    provisioning_api_key: Secret | None = None
    provisioning_endpoint: str | None = None
    provisioning_ca_cert: str | None = None
    spent_key_hash: str | None = None
    farewell: CloudLink | None = None
    farewell_until: KeptDeadline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTarget:
    """The target as it was accepted, with what belongs to it.

    `apps` and `config` are the wire's JSON documents (validated, kept as they came). `version`
    and `epoch` as in `iotistic.model.target.TargetState`. Times are wall-clock ms.
    """

    apps: Mapping[str, Any]
    config: Mapping[str, Any]
    version: int | None
    epoch: str | None
    etag: str | None
    state_hash: str
    received_at_ms: int
    applied_at_ms: int | None = None


def target_hash(apps: object, config: object) -> str:
    """`state_hash`, by which two targets are told apart: of the canonical JSON of both."""
    return sha256_hex({"apps": apps, "config": config})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetOptions:
    """What a factory reset leaves."""

    keep_volumes: bool = False
    keep_identity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that opening the store found and dealt with; worth a line in the log."""

    code: str
    message: str


class JournalEvent(StrEnum):
    """What kind of thing an entry of the journal tells."""

    STEP_DONE = "step-done"
    STEP_FAILED = "step-failed"
    RELEASE_VERIFYING = "release-verifying"
    RELEASE_GOOD = "release-good"
    RELEASE_REJECTED = "release-rejected"
    RELEASE_RETRY = "release-retry"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    STOPPED_BY_PERSON = "stopped-by-person"
    STARTED_BY_PERSON = "started-by-person"
    RESTARTED_BY_PERSON = "restarted-by-person"
    PURGED_BY_PERSON = "purged-by-person"
    TARGET_ACCEPTED = "target-accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Something that happened to an app (or, with `service_id`, to one of its services), and why.

    `detail` is small and JSON-ready. `id` is given by the store: later entries have larger ones.
    """

    at_ms: int
    app_id: int
    event: JournalEvent
    service_id: str = ""
    service_name: str = ""
    release: str = ""
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
