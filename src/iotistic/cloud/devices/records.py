"""The rows of devices, as provisioning writes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.db.tables import devices
from iotistic.model.words import Dialect


class DeviceState(StrEnum):
    """How a device stands in the fleet."""

    REGISTERED = "registered"
    DEPROVISIONED = "deprovisioned"
    """It left by itself; it may come back with its own key."""
    DELETED = "deleted"
    """An operator removed it; only an operator lets it in again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a device says of itself when it registers."""

    uuid: str
    name: str
    type: str
    dialect: Dialect
    public_key: str | None = None
    signs: bool = False
    application_id: int | None = None
    mac_address: str | None = None
    os_version: str | None = None
    agent_version: str | None = None
    architecture: str | None = None

    def values(self) -> dict[str, Any]:
        """The columns it fills."""
        return {
            "type": self.type,
            "dialect": self.dialect.value,
            "public_key": self.public_key,
            "signs": self.signs,
            "application_id": self.application_id,
            "mac_address": self.mac_address,
            "os_version": self.os_version,
            "agent_version": self.agent_version,
            "architecture": self.architecture,
        }


async def device_by_uuid(connection: AsyncConnection, uuid: str) -> Row[Any] | None:
    """The row of a device, locked until the transaction ends where the database locks rows."""
    query = select(devices).where(devices.c.uuid == uuid).with_for_update()
    return (await connection.execute(query)).one_or_none()


async def add_device(
    connection: AsyncConnection,
    said: Introduction,
    *,
    fleet_id: str,
    provisioning_key_id: str,
    now_ms: int,
) -> Row[Any]:
    """A device that was never here."""
    result = await connection.execute(
        insert(devices)
        .values(
            uuid=said.uuid,
            name=said.name,
            fleet_id=fleet_id,
            state=DeviceState.REGISTERED,
            is_active=True,
            provisioning_key_id=provisioning_key_id,
            created_at=now_ms,
            registered_at=now_ms,
            **said.values(),
        )
        .returning(*devices.c)
    )
    return result.one()


async def readmit_device(
    connection: AsyncConnection,
    device_id: int,
    said: Introduction,
    *,
    provisioning_key_id: str,
    now_ms: int,
) -> Row[Any]:
    """The same device again: name and fleet stay as operators have them, a window is used up."""
    result = await connection.execute(
        update(devices)
        .where(devices.c.id == device_id)
        .values(
            state=DeviceState.REGISTERED,
            registered_at=now_ms,
            provisioning_key_id=provisioning_key_id,
            reprovision_until=None,
            machine_hash=None,
            cloned_at=None,
            **said.values(),
        )
        .returning(*devices.c)
    )
    return result.one()
