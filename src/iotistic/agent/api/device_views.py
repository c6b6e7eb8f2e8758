"""Device, cloud, provisioning and settings as JSON. Pure."""

from __future__ import annotations

from iotistic.agent.api.rows import Facts
from iotistic.agent.api.views import Json, error_json
from iotistic.agent.config import Outcome
from iotistic.agent.provisioning.status import ProvisioningStatus
from iotistic.agent.settings import SettingRow
from iotistic.agent.store.records import StoredTarget
from iotistic.agent.supervisor import ServiceHealth
from iotistic.agent.sync import SyncStatus


def device_json(
    status: ProvisioningStatus, *, cloud: SyncStatus | None, apps: int, version: str
) -> Json:
    """Who this device is."""
    return {
        "uuid": status.uuid,
        "deviceId": status.device_id,
        "deviceName": status.device_name,
        "deviceType": status.device_type,
        "provisioned": status.provisioned,
        "apiEndpoint": status.endpoint,
        "agentVersion": version,
        "apps": apps,
        "status": _status(status, cloud),
    }


def _status(status: ProvisioningStatus, cloud: SyncStatus | None) -> str:
    if not status.provisioned:
        return "unprovisioned"
    # Without a word from the link yet nothing has been heard of the cloud.
    return str(cloud.state) if cloud else "offline"


def identity_json(status: ProvisioningStatus, *, created_at_ms: int, machine_matches: bool) -> Json:
    """The identity, nothing secret."""
    return {
        "uuid": status.uuid,
        "deviceId": status.device_id,
        "phase": str(status.phase),
        "dialect": str(status.dialect) if status.dialect else None,
        "createdAt": created_at_ms,
        "registeredAt": status.registered_at_ms,
        "machineMatches": machine_matches,
    }


def cloud_json(cloud: SyncStatus | None) -> Json | None:
    """The link to the cloud, channel by channel."""
    if cloud is None:
        return None
    return {
        "state": str(cloud.state),
        "since": cloud.since_ms,
        "lastContactAt": cloud.last_contact_ms,
        "error": error_json(cloud.error),
        "channels": [
            {
                "name": channel.name,
                "state": str(channel.state),
                "failures": channel.failures,
                "lastSuccessAt": channel.last_success_ms,
                "error": error_json(channel.error),
            }
            for channel in cloud.channels
        ],
        "takesRecords": not cloud.records_refused,
        "clockSkew": cloud.clock_skew_s,
    }


def target_summary_json(target: StoredTarget | None, facts: Facts) -> Json | None:
    """Which target is held, and which was offered."""
    snapshot = facts.snapshot
    if target is None and snapshot.refusal is None:
        return None
    return {
        "version": target.version if target else None,
        "receivedAt": target.received_at_ms if target else None,
        "appliedAt": target.applied_at_ms if target else None,
        "offeredVersion": snapshot.offered_version,
        "refusal": error_json(snapshot.refusal),
    }


def setting_json(row: SettingRow) -> Json:
    """One setting; a secret one comes masked."""
    return {
        "name": row.name,
        "value": row.value,
        "source": str(row.source),
        "default": row.default,
        "secret": row.secret,
        "localOnly": row.local_only,
        "restart": row.restart,
    }


def outcome_json(outcome: Outcome) -> Json:
    """What came of one key of the target's config."""
    return {
        "key": outcome.path,
        "setting": outcome.setting,
        "outcome": str(outcome.kind),
        "reason": str(outcome.reason) if outcome.reason else None,
        "message": outcome.message,
    }


def endpoints_json(status: ProvisioningStatus) -> Json:
    """The cloud's address. One that is being tried is not in force, and no other is kept."""
    return {
        "apiEndpoint": status.endpoint,
        "pendingApiEndpoint": None,
        "previousApiEndpoint": None,
    }


def health_json(health: ServiceHealth) -> Json:
    """How one of the agent's own services fares."""
    return {
        "name": health.name,
        "state": str(health.state),
        "restarts": health.restarts,
        "startedAt": health.started_at_ms,
        "error": error_json(health.error),
    }
