"""Device keys: 256 random bits, of which only a hash is kept.

A registration whose reply is lost leaves a pair that nobody holds, so a repeat makes a fresh
one and both are good. The first use of either ends the other: it shows which one the device
holds, and whoever got hold of the other one is out.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import DeviceCaller
from iotistic.cloud.clock import MINUTE_MS, SECOND_MS, Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import credentials, device_targets, devices
from iotistic.cloud.devices.records import DeviceState
from iotistic.cloud.errors import Forbidden, Gone, Unauthorized
from iotistic.cloud.requests import token_hash
from iotistic.model.errors import Conflict
from iotistic.model.secret import Secret

UNUSED_MAX = 4
UNDER_WAY_MS = 30 * SECOND_MS
SEEN_EVERY_MS = 5 * MINUTE_MS
_KEY_BYTES = 32
_PASSWORD_BYTES = 16
_KEY_LENGTH_MAX = 256
# The format of Mosquitto's password files. The password has 128 random bits: the iterations
# only have to be what a broker accepts.
_ITERATIONS = 101
_SALT_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A fresh pair; shown to the device once."""

    api_key: Secret
    mqtt_password: Secret


class Credentials:
    """Issues, finds, settles and revokes device keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def issue(self, connection: AsyncConnection, device_id: int) -> Issued:
        """A fresh pair beside those that may be in use."""
        issued = Issued(
            api_key=Secret(secrets.token_hex(_KEY_BYTES)), mqtt_password=_new_password()
        )
        await self._add(connection, device_id, issued.api_key, issued.mqtt_password)
        return issued

    async def adopt(self, connection: AsyncConnection, device_id: int, api_key: Secret) -> Issued:
        """Take a key that the device made itself (o1). Raises Conflict when another one has it."""
        issued = Issued(api_key=api_key, mqtt_password=_new_password())
        key_hash = token_hash(api_key.reveal())
        held = (
            await connection.execute(
                select(credentials.c.device_id).where(credentials.c.key_hash == key_hash)
            )
        ).one_or_none()
        if held is None:
            await self._add(connection, device_id, api_key, issued.mqtt_password)
        elif held.device_id != device_id:
            raise Conflict("this deviceApiKey cannot be used", code="device-key-taken")
        else:
            await connection.execute(
                update(credentials)
                .where(credentials.c.key_hash == key_hash)
                .values(mqtt_password_hash=_password_hash(issued.mqtt_password), revoked_at=None)
            )
        return issued

    async def is_key_of(self, connection: AsyncConnection, device_id: int, api_key: Secret) -> bool:
        """Whether this is a key of the device, be it revoked."""
        found = await connection.execute(
            select(credentials.c.id).where(
                credentials.c.key_hash == token_hash(api_key.reveal()),
                credentials.c.device_id == device_id,
            )
        )
        return found.one_or_none() is not None

    async def revoke_all(self, connection: AsyncConnection, device_id: int) -> None:
        """No key of the device is good any more; the hashes stay, to know a farewell again."""
        await connection.execute(
            update(credentials)
            .where(credentials.c.device_id == device_id, credentials.c.revoked_at.is_(None))
            .values(revoked_at=self._clock())
        )

    async def device_of(self, key: str, *, leaving: bool = False) -> DeviceCaller:
        """The device that holds this key: one indexed query, unless it is the key's first use.

        With `leaving` the key of a device that deprovisioned is accepted. Raises Unauthorized
        (unknown and wrong are one), Forbidden (switched off), Gone (removed by an operator).
        """
        row = await self._find(key) if len(key) <= _KEY_LENGTH_MAX else None
        if row is None:
            raise _refused()
        if row.state == DeviceState.DELETED:
            raise Gone(
                "this device was removed from the fleet",
                code="device-deleted",
                remedy="an operator may open it for a new registration",
            )
        is_farewell = leaving and row.state == DeviceState.DEPROVISIONED
        if row.revoked_at is not None and not is_farewell:
            raise _refused()
        if not row.is_active and not leaving:
            raise Forbidden("this device is switched off", code="device-inactive")
        if not row.settled and row.revoked_at is None:
            await self._settle(row.device_id, row.credential_id)
        return DeviceCaller(
            device_id=row.device_id,
            uuid=row.uuid,
            credential_id=row.credential_id,
            dialect=row.dialect,
            state=row.state,
            last_seen_at=row.last_seen_at,
            target_etag=row.etag,
            target_version=row.deployed_version,
        )

    async def seen(self, device: DeviceCaller) -> None:
        """Note that the device was there, but not at each of its polls: that would be a write."""
        now = self._clock()
        if device.last_seen_at is not None and now - device.last_seen_at < SEEN_EVERY_MS:
            return
        async with self._database.write() as connection:
            await connection.execute(
                update(devices).where(devices.c.id == device.device_id).values(last_seen_at=now)
            )

    async def _find(self, key: str) -> Any:
        query = (
            select(
                credentials.c.id.label("credential_id"),
                credentials.c.device_id,
                credentials.c.settled,
                credentials.c.revoked_at,
                devices.c.uuid,
                devices.c.dialect,
                devices.c.state,
                devices.c.is_active,
                devices.c.last_seen_at,
                device_targets.c.etag,
                device_targets.c.deployed_version,
            )
            .select_from(credentials)
            .join(devices, devices.c.id == credentials.c.device_id)
            .outerjoin(device_targets, device_targets.c.device_id == devices.c.id)
            .where(credentials.c.key_hash == token_hash(key))
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).one_or_none()

    async def _settle(self, device_id: int, credential_id: int) -> None:
        """It is in use: the others end. Raises Unauthorized when another one was faster."""
        now = self._clock()
        async with self._database.write() as connection:
            # First a write to the device's row: two first uses at once go one after the other,
            # on databases with row locks as well.
            await connection.execute(
                update(devices)
                .where(devices.c.id == device_id)
                .values(authenticated_at=now, last_seen_at=now)
            )
            query = select(credentials).where(credentials.c.device_id == device_id)
            rows = (await connection.execute(query)).all()
            mine = next((row for row in rows if row.id == credential_id), None)
            if mine is None or mine.revoked_at is not None:
                raise _refused()
            # A call that was under way with the former key while the reply with the new one
            # travelled says nothing about which of them the device holds.
            young = [
                row.id for row in rows if row.id > mine.id and now - row.created_at < UNDER_WAY_MS
            ]
            await connection.execute(
                delete(credentials).where(
                    credentials.c.device_id == device_id,
                    credentials.c.id.not_in([credential_id, *young]),
                )
            )
            await connection.execute(
                update(credentials)
                .where(credentials.c.id == credential_id)
                .values(settled=not young)
            )

    async def _add(
        self, connection: AsyncConnection, device_id: int, api_key: Secret, password: Secret
    ) -> None:
        query = (
            select(credentials.c.id)
            .where(credentials.c.device_id == device_id)
            .order_by(credentials.c.id.desc())
        )
        held = [row.id for row in (await connection.execute(query)).all()]
        # The oldest may be the one in use, the newest the one that was just lost.
        surplus = held[UNUSED_MAX - 1 : -1]
        await connection.execute(delete(credentials).where(credentials.c.id.in_(surplus)))
        await connection.execute(
            update(credentials).where(credentials.c.device_id == device_id).values(settled=False)
        )
        await connection.execute(
            insert(credentials).values(
                device_id=device_id,
                key_hash=token_hash(api_key.reveal()),
                mqtt_password_hash=_password_hash(password),
                settled=False,
                created_at=self._clock(),
            )
        )


def _refused() -> Unauthorized:
    return Unauthorized(
        "this device key is not known here",
        code="device-key-refused",
        remedy="check that it is the key of this cloud's registration",
    )


def _new_password() -> Secret:
    return Secret(base64.b64encode(secrets.token_bytes(_PASSWORD_BYTES)).decode("ascii"))


def _password_hash(password: Secret) -> str:
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.reveal().encode(), salt, _ITERATIONS)
    texts = [base64.b64encode(part).decode("ascii") for part in (salt, digest)]
    return f"$7${_ITERATIONS}${texts[0]}${texts[1]}"
