"""Provisioning keys: 32 random bytes as hex, shown once, kept as a keyed hash."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import Caller
from iotistic.cloud.audit import AuditLog
from iotistic.cloud.clock import DAY_MS, Clock, iso, optional_iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import devices, provisioning_keys
from iotistic.cloud.errors import Unauthorized
from iotistic.cloud.server_key import ServerKey
from iotistic.model.errors import NotFound
from iotistic.model.secret import Secret

DEFAULT_FLEET = "default-fleet"
DEVICES_MAX = 10_000
DAYS_MAX = 3650
_KEY_BYTES = 32
_KEY_LENGTH_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWish:
    """What an operator asks for."""

    fleet_id: str = DEFAULT_FLEET
    max_devices: int = 100
    expires_in_days: int = 365
    description: str = ""


class InvalidProvisioningKey(Unauthorized):
    """The key is unknown or revoked (one text for both), expired, or used up."""

    code = "invalid-provisioning-key"


class ProvisioningKeys:
    """Makes, lists, revokes, checks and counts them."""

    def __init__(
        self, database: Database, clock: Clock, *, server_key: ServerKey, audit_log: AuditLog
    ) -> None:
        self._database = database
        self._clock = clock
        self._server_key = server_key
        self._audit = audit_log

    async def create(
        self, connection: AsyncConnection, caller: Caller, wish: KeyWish
    ) -> tuple[Secret, dict[str, Any]]:
        """A new key and how the API shows it; the key itself can never be shown again."""
        key = Secret(secrets.token_hex(_KEY_BYTES))
        now = self._clock()
        result = await connection.execute(
            insert(provisioning_keys)
            .values(
                id=secrets.token_hex(8),
                lookup=self._server_key.lookup(key.reveal()),
                fleet_id=wish.fleet_id,
                description=wish.description,
                max_devices=wish.max_devices,
                used_devices=0,
                created_at=now,
                created_by=caller.username,
                expires_at=now + wish.expires_in_days * DAY_MS,
            )
            .returning(*provisioning_keys.c)
        )
        row = result.one()
        await self._record(connection, caller, "provisioning-key-created", row.id)
        return key, self._shown(row)

    async def all(self, fleet_id: str | None) -> list[dict[str, Any]]:
        """All of them (of one fleet), newest first."""
        query = select(provisioning_keys).order_by(provisioning_keys.c.created_at.desc())
        if fleet_id is not None:
            query = query.where(provisioning_keys.c.fleet_id == fleet_id)
        async with self._database.read() as connection:
            return [self._shown(row) for row in (await connection.execute(query)).all()]

    async def revoke(
        self, connection: AsyncConnection, caller: Caller, key_id: str, reason: str
    ) -> dict[str, Any]:
        """End a key for new registrations; devices that joined with it stay. Raises NotFound."""
        await connection.execute(
            update(provisioning_keys)
            .where(provisioning_keys.c.id == key_id, provisioning_keys.c.revoked_at.is_(None))
            .values(revoked_at=self._clock(), revoke_reason=reason)
        )
        query = select(provisioning_keys).where(provisioning_keys.c.id == key_id)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"there is no provisioning key {key_id}", code="no-such-key")
        await self._record(connection, caller, "provisioning-key-revoked", key_id, reason=reason)
        return self._shown(row)

    async def judge(
        self, connection: AsyncConnection, key: Secret, uuid: str
    ) -> Row[Any] | InvalidProvisioningKey:
        """The key's row when `uuid` may use it now, or why not.

        A key that is used up still serves devices that joined already: their repeat is no new use.
        """
        text = key.reveal()
        row = None
        if len(text) <= _KEY_LENGTH_MAX:
            query = select(provisioning_keys).where(
                provisioning_keys.c.lookup == self._server_key.lookup(text)
            )
            row = (await connection.execute(query)).one_or_none()
        if row is None or row.revoked_at is not None:
            return InvalidProvisioningKey(
                "Invalid provisioning key", remedy="ask an operator for a new one"
            )
        if row.expires_at <= self._clock():
            return InvalidProvisioningKey(
                "this provisioning key has expired", code="provisioning-key-expired"
            )
        if row.used_devices >= row.max_devices:
            known = await connection.execute(select(devices.c.id).where(devices.c.uuid == uuid))
            if known.one_or_none() is None:
                return used_up()
        return row

    async def count_use(self, connection: AsyncConnection, key_id: str) -> None:
        """One more device. Raises InvalidProvisioningKey when that would be one too many.

        One statement compares and counts, so of two devices that come at once for the last place
        one gets it.
        """
        counted = await connection.execute(
            update(provisioning_keys)
            .where(
                provisioning_keys.c.id == key_id,
                provisioning_keys.c.used_devices < provisioning_keys.c.max_devices,
                provisioning_keys.c.revoked_at.is_(None),
                provisioning_keys.c.expires_at > self._clock(),
            )
            .values(used_devices=provisioning_keys.c.used_devices + 1)
        )
        if counted.rowcount != 1:
            raise used_up()

    def _shown(self, row: Row[Any]) -> dict[str, Any]:
        now = self._clock()
        state = (
            "revoked"
            if row.revoked_at is not None
            else "expired"
            if row.expires_at <= now
            else "used-up"
            if row.used_devices >= row.max_devices
            else "active"
        )
        return {
            "id": row.id,
            "fleetId": row.fleet_id,
            "description": row.description,
            "maxDevices": row.max_devices,
            "usedDevices": row.used_devices,
            "state": state,
            "createdAt": iso(row.created_at),
            "createdBy": row.created_by,
            "expiresAt": iso(row.expires_at),
            "revokedAt": optional_iso(row.revoked_at),
        }

    async def _record(
        self, connection: AsyncConnection, caller: Caller, action: str, key_id: str, **details: Any
    ) -> None:
        await self._audit.record(
            connection,
            actor=caller.actor,
            action=action,
            subject=f"provisioning-key:{key_id}",
            address=caller.address,
            **details,
        )


def used_up() -> InvalidProvisioningKey:
    """All places of the key are taken."""
    return InvalidProvisioningKey(
        "device limit exceeded: this provisioning key is used up", code="device-limit-exceeded"
    )
