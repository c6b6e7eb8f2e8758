"""Phase one of v2: the cloud's public key goes out, the device's comes in."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.auth.attempts import PROVISIONING_KEY
from iotistic.cloud.clock import HOUR_MS, Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import pending_exchanges
from iotistic.cloud.errors import TooManyAttempts
from iotistic.cloud.provisioning.keys import InvalidProvisioningKey, ProvisioningKeys
from iotistic.cloud.provisioning.refusals import Refusals
from iotistic.cloud.provisioning.ring import KeyRing
from iotistic.cloud.requests import token_hash
from iotistic.model import jose
from iotistic.model.errors import Conflict
from iotistic.model.provisioning import KeyExchangeReply, KeyExchangeRequest
from iotistic.model.secret import Secret

PENDING_MS = HOUR_MS
PENDING_PER_DEVICE_MAX = 4
PENDING_PER_KEY_MAX = 20_000
_CHALLENGE_BYTES = 32


class KeyExchange:
    """Answers key exchanges, and remembers the second one for an hour.

    What is remembered belongs to (provisioning key, uuid), so that nobody with another key can
    put theirs in a device's place.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        keys: ProvisioningKeys,
        ring: KeyRing,
        refusals: Refusals,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._ring = ring
        self._refusals = refusals

    async def answer(self, request: KeyExchangeRequest, address: str) -> KeyExchangeReply:
        """Raises InvalidProvisioningKey, InvalidField, TooManyAttempts."""
        device_key = None
        if request.device_public_key is not None:
            loaded = jose.load_public_key(request.device_public_key, at="devicePublicKey")
            device_key = jose.public_pem(loaded)
        async with self._database.read() as connection:
            key = await self._keys.judge(
                connection, request.provisioning_api_key, request.device_uuid
            )
        if isinstance(key, InvalidProvisioningKey):
            await self._refusals.refuse(
                key, limit=PROVISIONING_KEY, uuid=request.device_uuid, address=address
            )
        active = await self._ring.active()
        if device_key is None:
            return KeyExchangeReply(api_public_key=active.pem, key_id=active.key_id)
        challenge = await self._remember(key.id, request.device_uuid, device_key)
        return KeyExchangeReply(
            api_public_key=active.pem, key_id=active.key_id, status="ok", challenge=challenge
        )

    async def _remember(self, key_id: str, uuid: str, device_key: str) -> Secret:
        challenge, now = secrets.token_urlsafe(_CHALLENGE_BYTES), self._clock()
        table = pending_exchanges.c
        mine = (table.provisioning_key_id == key_id) & (table.uuid == uuid)
        async with self._database.write() as connection:
            await connection.execute(delete(pending_exchanges).where(table.expires_at <= now))
            newest = (
                select(table.challenge_hash)
                .where(mine)
                .order_by(table.created_at.desc())
                .limit(PENDING_PER_DEVICE_MAX - 1)
            )
            await connection.execute(
                delete(pending_exchanges).where(mine, table.challenge_hash.not_in(newest))
            )
            count = await connection.execute(
                select(func.count()).where(table.provisioning_key_id == key_id)
            )
            if count.scalar_one() >= PENDING_PER_KEY_MAX:
                raise TooManyAttempts("too many devices join with this key", retry_after_s=60)
            await connection.execute(
                insert(pending_exchanges).values(
                    challenge_hash=token_hash(challenge),
                    provisioning_key_id=key_id,
                    uuid=uuid,
                    public_key=device_key,
                    created_at=now,
                    expires_at=now + PENDING_MS,
                )
            )
        return Secret(challenge)

    async def spend(
        self, connection: AsyncConnection, *, key_id: str, uuid: str, challenge: Secret | None
    ) -> Row[Any]:
        """The second exchange that a registration completes; it is used up by that.

        Without a challenge (a client that does not know of it) the newest one. Raises Conflict
        when there is none, or when another registration has just used it.
        """
        table = pending_exchanges.c
        query = (
            select(pending_exchanges)
            .where(
                table.provisioning_key_id == key_id,
                table.uuid == uuid,
                table.expires_at > self._clock(),
            )
            .order_by(table.created_at.desc())
            .limit(1)
        )
        if challenge is not None:
            query = query.where(table.challenge_hash == token_hash(challenge.reveal()))
        row = (await connection.execute(query)).one_or_none()
        if row is not None:
            spent = await connection.execute(
                delete(pending_exchanges).where(table.challenge_hash == row.challenge_hash)
            )
            if spent.rowcount == 1:
                return row
        raise Conflict(
            "there is no key exchange that this registration completes, or it was used already",
            code="exchange-missing",
            remedy="start again with the key exchange",
        )
