"""The devices as operators see and change them, and as they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import Caller, DeviceCaller
from iotistic.cloud.audit import AuditLog
from iotistic.cloud.clock import DAY_MS, Clock, iso, optional_iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import current_states, device_targets, devices
from iotistic.cloud.devices.credentials import Credentials
from iotistic.cloud.devices.records import DeviceState
from iotistic.cloud.records.shelf import sums
from iotistic.model.errors import NotFound
from iotistic.model.words import ConnectionState

WINDOW_MS = DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChange:
    """What an operator changes; None leaves it."""

    name: str | None = None
    is_active: bool | None = None


class Fleet:
    """Lists, shows, changes and removes devices."""

    def __init__(
        self, database: Database, clock: Clock, *, credentials: Credentials, audit_log: AuditLog
    ) -> None:
        self._database = database
        self._clock = clock
        self._credentials = credentials
        self._audit = audit_log

    async def page(
        self, *, fleet_id: str | None, after: int, limit: int, removed: bool
    ) -> list[dict[str, Any]]:
        """Devices with an id above `after`, in order of their ids; without removed ones unless
        asked for.
        """
        query = _query().where(devices.c.id > after).order_by(devices.c.id).limit(limit)
        if fleet_id is not None:
            query = query.where(devices.c.fleet_id == fleet_id)
        if not removed:
            query = query.where(devices.c.state != DeviceState.DELETED)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [self._shown(row) for row in rows]

    async def show(self, uuid: str) -> dict[str, Any]:
        """One device, and what came of its records. Raises NotFound."""
        async with self._database.read() as connection:
            row = await self._row(connection, uuid)
            return {**self._shown(row), "records": await sums(connection, row.id)}

    async def find(self, uuid: str) -> Row[Any]:
        """The row of a device that is in the fleet. Raises NotFound."""
        async with self._database.read() as connection:
            row = await self._row(connection, uuid)
        if row.state == DeviceState.DELETED:
            raise _not_found(uuid)
        return row

    async def change(self, caller: Caller, uuid: str, change: DeviceChange) -> dict[str, Any]:
        """Rename it, switch it off or on. Raises NotFound."""
        values: dict[str, Any] = {}
        if change.name is not None:
            values["name"] = change.name
        if change.is_active is not None:
            values["is_active"] = change.is_active
        async with self._database.write() as connection:
            row = await self._row(connection, uuid)
            if values:
                await connection.execute(
                    update(devices).where(devices.c.id == row.id).values(values)
                )
                await self._record(connection, caller, "device-changed", uuid, **values)
            return self._shown(await self._row(connection, uuid))

    async def remove(self, caller: Caller, uuid: str) -> None:
        """Take it out of the fleet; its row stays, so that it learns of it and cannot come back
        by itself. Raises NotFound.
        """
        now = self._clock()
        async with self._database.write() as connection:
            row = await self._row(connection, uuid)
            await connection.execute(
                update(devices)
                .where(devices.c.id == row.id)
                .values(state=DeviceState.DELETED, reprovision_until=None, last_seen_at=now)
            )
            # Who comes back through a window gets a new key: whoever held the old one is out.
            await self._credentials.revoke_all(connection, row.id)
            await self._record(connection, caller, "device-removed", uuid)

    async def open_window(self, caller: Caller, uuid: str) -> dict[str, Any]:
        """Let it register anew, once, within a day, whatever it can prove. Raises NotFound."""
        async with self._database.write() as connection:
            row = await self._row(connection, uuid)
            await connection.execute(
                update(devices)
                .where(devices.c.id == row.id)
                .values(reprovision_until=self._clock() + WINDOW_MS)
            )
            await self._record(connection, caller, "reprovisioning-opened", uuid)
            return self._shown(await self._row(connection, uuid))

    async def let_go(self, device: DeviceCaller, address: str) -> None:
        """The device leaves by itself: its keys end. Again is as good as once."""
        if device.state == DeviceState.DEPROVISIONED:
            return
        async with self._database.write() as connection:
            await connection.execute(
                update(devices)
                .where(devices.c.id == device.device_id, devices.c.state != DeviceState.DELETED)
                .values(state=DeviceState.DEPROVISIONED, offline_at=self._clock())
            )
            await self._credentials.revoke_all(connection, device.device_id)
            await self._audit.record(
                connection,
                actor=f"device:{device.uuid}",
                action="device-deprovisioned",
                subject=f"device:{device.uuid}",
                address=address,
            )

    async def _row(self, connection: AsyncConnection, uuid: str) -> Row[Any]:
        query = _query().where(devices.c.uuid == uuid)
        row: Row[Any] | None = (await connection.execute(query)).one_or_none()
        if row is None:
            raise _not_found(uuid)
        return row

    def _shown(self, row: Row[Any]) -> dict[str, Any]:
        return {
            "id": row.id,
            "uuid": row.uuid,
            "deviceName": row.name,
            "deviceType": row.type,
            "fleetId": row.fleet_id,
            "dialect": row.dialect,
            "state": row.state,
            "isActive": row.is_active,
            "connection": connection_state(row, self._clock()),
            "lastSeenAt": optional_iso(row.last_seen_at),
            "createdAt": iso(row.created_at),
            "registeredAt": iso(row.registered_at),
            "macAddress": row.mac_address,
            "osVersion": row.os_version,
            "agentVersion": row.agent_version,
            "architecture": row.architecture,
            "targetVersion": row.deployed_version,
            "currentVersion": row.current_version,
            "cloned": row.cloned_at is not None,
            "reprovisionUntil": optional_iso(row.reprovision_until),
        }

    async def _record(
        self, connection: AsyncConnection, caller: Caller, action: str, uuid: str, **details: Any
    ) -> None:
        await self._audit.record(
            connection,
            actor=caller.actor,
            action=action,
            subject=f"device:{uuid}",
            address=caller.address,
            **details,
        )


def connection_state(row: Row[Any], now_ms: int) -> ConnectionState:
    """Online until three times the promised span went by without a report."""
    is_late = row.offline_at is None or row.offline_at <= now_ms
    there = row.state == DeviceState.REGISTERED and not is_late
    return ConnectionState.ONLINE if there else ConnectionState.OFFLINE


def _query() -> Select[Any]:
    return (
        select(
            devices,
            device_targets.c.deployed_version,
            current_states.c.version.label("current_version"),
        )
        .select_from(devices)
        .outerjoin(device_targets, device_targets.c.device_id == devices.c.id)
        .outerjoin(current_states, current_states.c.device_id == devices.c.id)
    )


def _not_found(uuid: str) -> NotFound:
    return NotFound(f"there is no device {uuid[:36]}", code="no-such-device")
