"""The older dialect `o1`: the device makes its own key, and comes again with it for ever."""

from __future__ import annotations

import hmac
import logging
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import DeviceCaller
from iotistic.cloud.audit import AuditLog
from iotistic.cloud.auth.attempts import PROVISIONING_KEY
from iotistic.cloud.clock import Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import devices
from iotistic.cloud.devices.credentials import Credentials, Issued
from iotistic.cloud.devices.records import (
    Introduction,
    add_device,
    device_by_uuid,
    readmit_device,
)
from iotistic.cloud.errors import Unauthorized
from iotistic.cloud.provisioning.decision import Proof, Refusal, admission
from iotistic.cloud.provisioning.keys import InvalidProvisioningKey, ProvisioningKeys
from iotistic.cloud.provisioning.refusals import Refusals
from iotistic.cloud.provisioning.registrar import known_of, refused
from iotistic.model.errors import Conflict
from iotistic.model.provisioning import UUID, UUID_EXPECTED
from iotistic.model.reader import Fields
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

_API_KEY = re.compile(r"[0-9a-fA-F]{64}")
_NAME_LENGTH_MAX = 255

_log = logging.getLogger("iotistic.cloud")


@dataclass(frozen=True, slots=True, kw_only=True)
class O1Request:
    """What a device says when it registers, and the key it made."""

    said: Introduction
    api_key: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class O1Registered:
    """A device that was let in."""

    device: Row[Any]
    credentials: Issued


def parse_o1_register(raw: object) -> O1Request:
    """Read the body of a registration. Raises InvalidField."""
    fields = Fields(raw, "")
    application = fields.raw("applicationId")
    return O1Request(
        said=Introduction(
            uuid=fields.text("uuid", pattern=UUID, expected=UUID_EXPECTED),
            name=fields.text("deviceName", length_max=_NAME_LENGTH_MAX),
            type=fields.text("deviceType", length_max=_NAME_LENGTH_MAX),
            dialect=Dialect.O1,
            application_id=_number(application),
            mac_address=fields.optional_text("macAddress", length_max=_NAME_LENGTH_MAX),
            os_version=fields.optional_text("osVersion", length_max=_NAME_LENGTH_MAX),
            agent_version=fields.optional_text("agentVersion", length_max=_NAME_LENGTH_MAX),
        ),
        api_key=Secret(
            fields.text(
                "deviceApiKey", pattern=_API_KEY, expected="64 hexadecimal digits", secret=True
            )
        ),
    )


def _number(value: object) -> int | None:
    # It comes as a number or as the text of one, and says nothing that is needed here.
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


class O1Registrar:
    """Lets devices of the older dialect in."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        keys: ProvisioningKeys,
        credentials: Credentials,
        refusals: Refusals,
        audit_log: AuditLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._credentials = credentials
        self._refusals = refusals
        self._audit = audit_log

    async def register(self, request: O1Request, key: str | None, address: str) -> O1Registered:
        """One registration; the same uuid with the same key is the same device, as often as it
        likes. Raises InvalidProvisioningKey, Conflict and TooManyAttempts.
        """
        provisioning_key = Secret(key or "")
        try:
            async with self._database.write() as connection:
                registered = await self._admit(connection, request, provisioning_key, address)
        except IntegrityError as error:
            raise Conflict(
                "this device registers twice at this moment", code="registration-raced"
            ) from error
        except InvalidProvisioningKey as error:
            await self._refusals.refuse(
                error, limit=PROVISIONING_KEY, uuid=request.said.uuid, address=address
            )
        _log.info("device registered", extra={"uuid": request.said.uuid, "dialect": "o1"})
        return registered

    async def _admit(
        self, connection: AsyncConnection, request: O1Request, key: Secret, address: str
    ) -> O1Registered:
        said = request.said
        judged = await self._keys.judge(connection, key, said.uuid)
        if isinstance(judged, InvalidProvisioningKey):
            raise judged
        found = await device_by_uuid(connection, said.uuid)
        proof = Proof(
            dialect=Dialect.O1,
            own_key=found is not None
            and await self._credentials.is_key_of(connection, found.id, request.api_key),
        )
        now = self._clock()
        decided = admission(known_of(found), proof, now_ms=now)
        if isinstance(decided, Refusal):
            raise refused(decided)
        if found is not None:
            device = await readmit_device(
                connection, found.id, said, provisioning_key_id=judged.id, now_ms=now
            )
        else:
            await self._keys.count_use(connection, judged.id)
            device = await add_device(
                connection,
                said,
                fleet_id=judged.fleet_id,
                provisioning_key_id=judged.id,
                now_ms=now,
            )
        issued = await self._credentials.adopt(connection, device.id, request.api_key)
        await self._audit.record(
            connection,
            actor=f"device:{device.uuid}",
            action="device-registered",
            subject=f"device:{device.uuid}",
            address=address,
            admission=decided,
            dialect=Dialect.O1,
            provisioningKey=judged.id,
        )
        return O1Registered(device=device, credentials=issued)

    async def confirm(self, caller: DeviceCaller, raw: object, held: str | None) -> Row[Any]:
        """The second call: the device shows that it has stored its key. Raises Unauthorized."""
        fields = Fields(raw, "")
        uuid = fields.text("uuid", pattern=UUID, expected=UUID_EXPECTED)
        key = fields.text("deviceApiKey", length_max=256, expected="a key", secret=True)
        if uuid != caller.uuid or not hmac.compare_digest(key.encode(), (held or "").encode()):
            raise Unauthorized(
                "uuid or deviceApiKey are not those of this call", code="device-key-refused"
            )
        return await self.device(caller)

    async def device(self, caller: DeviceCaller) -> Row[Any]:
        """The row of the device that calls."""
        async with self._database.read() as connection:
            query = select(devices).where(devices.c.id == caller.device_id)
            row: Row[Any] = (await connection.execute(query)).one()
            return row
