"""Phase two of v2: a device gets its place and its credentials."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.audit import AuditLog
from iotistic.cloud.auth.attempts import PAYLOAD, PROVISIONING_KEY
from iotistic.cloud.clock import Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.devices.credentials import Credentials, Issued
from iotistic.cloud.devices.records import (
    DeviceState,
    Introduction,
    add_device,
    device_by_uuid,
    readmit_device,
)
from iotistic.cloud.errors import Unauthorized
from iotistic.cloud.provisioning.decision import Admission, Known, Proof, Refusal, admission
from iotistic.cloud.provisioning.decryption import Decryption
from iotistic.cloud.provisioning.exchange import KeyExchange
from iotistic.cloud.provisioning.keys import InvalidProvisioningKey, ProvisioningKeys
from iotistic.cloud.provisioning.refusals import Refusals
from iotistic.model import jose
from iotistic.model.errors import Conflict, InvalidField
from iotistic.model.provisioning import (
    RegisterRequest,
    RegistrationPlaintext,
    parse_registration,
)
from iotistic.model.reader import decode_json
from iotistic.model.words import Dialect

PLAINTEXT_BYTES_MAX = 32 * 1024

_REFUSED = {
    Refusal.ALREADY_REGISTERED: "a device with this uuid is registered already",
    Refusal.CHALLENGE_MISSING: "a repeated registration needs the challenge of its key exchange",
    Refusal.DELETED: "a device with this uuid was removed from the fleet",
    Refusal.DIALECT_DOWNGRADE: "this device registered with a newer dialect before",
}

_log = logging.getLogger("iotistic.cloud")


class BadSignature(Unauthorized):
    """The registration is not signed by the key that it names."""

    code = "bad-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A device that was let in. `public_key` is the one it handed in."""

    device: Row[Any]
    credentials: Issued
    admission: Admission
    public_key: str
    said: RegistrationPlaintext


class Registrar:
    """Lets devices in, once each."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        keys: ProvisioningKeys,
        exchange: KeyExchange,
        decryption: Decryption,
        credentials: Credentials,
        refusals: Refusals,
        audit_log: AuditLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._exchange = exchange
        self._decryption = decryption
        self._credentials = credentials
        self._refusals = refusals
        self._audit = audit_log

    async def register(self, request: RegisterRequest, address: str) -> Registered:
        """One registration, all of it or nothing.

        Raises BadPayload, InvalidField, InvalidProvisioningKey, BadSignature, Conflict, Gone and
        TooManyAttempts.
        """
        said = await self._read(request, address)
        try:
            async with self._database.write() as connection:
                registered = await self._admit(connection, request, said, address)
        except IntegrityError as error:
            raise Conflict(
                "this device registers twice at this moment",
                code="registration-raced",
                remedy="start again with the key exchange",
            ) from error
        except (InvalidProvisioningKey, BadSignature) as error:
            # The transaction is undone: the failure is counted in one of its own.
            await self._refusals.refuse(
                error, limit=PROVISIONING_KEY, uuid=said.device_uuid, address=address
            )
        told = {"uuid": said.device_uuid, "admission": registered.admission, "dialect": "v2"}
        _log.info("device registered", extra=told)
        return registered

    async def _read(self, request: RegisterRequest, address: str) -> RegistrationPlaintext:
        try:
            plaintext = await self._decryption.decrypt(request)
        except jose.BadPayload as error:
            await self._refusals.refuse(error, limit=PAYLOAD, uuid="", address=address)
        try:
            raw = decode_json(plaintext, at="payload", bytes_max=PLAINTEXT_BYTES_MAX)
        except InvalidField as error:
            # What was found is what was encrypted. It may be a part of somebody else's message.
            raise InvalidField("payload", expected=error.expected, secret=True) from error
        return parse_registration(raw)

    async def _admit(
        self,
        connection: AsyncConnection,
        request: RegisterRequest,
        said: RegistrationPlaintext,
        address: str,
    ) -> Registered:
        key = await self._keys.judge(connection, said.provisioning_api_key, said.device_uuid)
        if isinstance(key, InvalidProvisioningKey):
            raise key
        found = await device_by_uuid(connection, said.device_uuid)
        pending = await self._exchange.spend(
            connection, key_id=key.id, uuid=said.device_uuid, challenge=said.challenge
        )
        known = known_of(found)
        proof = Proof(
            dialect=Dialect.V2,
            own_key=found is not None and _is_signed(request, found.public_key),
            challenge=said.challenge is not None,
            signed=request.signature is not None,
        )
        decided = admission(known, proof, now_ms=self._clock())
        if isinstance(decided, Refusal):
            raise refused(decided)
        if (
            request.signature is not None
            and decided is not Admission.PROVEN
            and not _is_signed(request, pending.public_key)
        ):
            raise BadSignature("the signature does not fit to devicePublicKey")
        introduction = _introduction(said, pending.public_key, signs=proof.signed)
        device = await self._place(connection, found, introduction, key)
        credentials = await self._credentials.issue(connection, device.id)
        await self._audit.record(
            connection,
            actor=f"device:{device.uuid}",
            action="device-registered",
            subject=f"device:{device.uuid}",
            address=address,
            admission=decided,
            dialect=Dialect.V2,
            provisioningKey=key.id,
        )
        return Registered(
            device=device,
            credentials=credentials,
            admission=decided,
            public_key=pending.public_key,
            said=said,
        )

    async def _place(
        self,
        connection: AsyncConnection,
        found: Row[Any] | None,
        introduction: Introduction,
        key: Row[Any],
    ) -> Row[Any]:
        now = self._clock()
        if found is not None:
            return await readmit_device(
                connection, found.id, introduction, provisioning_key_id=key.id, now_ms=now
            )
        await self._keys.count_use(connection, key.id)
        return await add_device(
            connection,
            introduction,
            fleet_id=key.fleet_id,
            provisioning_key_id=key.id,
            now_ms=now,
        )


def known_of(row: Row[Any] | None) -> Known | None:
    """What the decision needs of a device's row."""
    if row is None:
        return None
    return Known(
        state=DeviceState(row.state),
        dialect=Dialect(row.dialect),
        registered_at=row.registered_at,
        signs=row.signs,
        authenticated_at=row.authenticated_at,
        reprovision_until=row.reprovision_until,
    )


def refused(refusal: Refusal) -> Conflict:
    """The 409 for a refusal."""
    return Conflict(
        _REFUSED[refusal],
        code=refusal.value,
        remedy="an operator can let it register anew: POST /api/v1/devices/{uuid}/reprovision",
    )


def _is_signed(request: RegisterRequest, public_key: str | None) -> bool:
    if request.signature is None or public_key is None:
        return False
    loaded = jose.load_public_key(public_key)
    return jose.verify(request.encrypted_payload, request.signature, loaded)


def _introduction(said: RegistrationPlaintext, public_key: str, *, signs: bool) -> Introduction:
    return Introduction(
        uuid=said.device_uuid,
        name=said.device_name,
        type=said.device_type,
        dialect=Dialect.V2,
        public_key=public_key,
        signs=signs,
        mac_address=said.mac_address,
        os_version=said.os_version,
        agent_version=said.agent_version,
        architecture=said.architecture,
    )
