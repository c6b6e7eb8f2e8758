"""The cloud's own RSA pairs: an active one for 90 days, then the former for another 7.

Private keys lie sealed in the database, so all processes have the same. Two that find the ring
empty (or the active key old) at once both make a pair; the generation number lets one of them in.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from iotistic.cloud.clock import DAY_MS, Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import key_ring
from iotistic.cloud.errors import Gone
from iotistic.cloud.server_key import ServerKey
from iotistic.model import jose

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KEY_BITS = 4096  # carries what a simple client encrypts without a hybrid scheme
ACTIVE_MS = 90 * DAY_MS
OVERLAP_MS = 7 * DAY_MS
_CONTEXT = "key-ring"

_log = logging.getLogger("iotistic.cloud")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """What a device encrypts with."""

    key_id: str
    pem: str


class KeyRing:
    """The active pair and, after a rotation, the former one."""

    def __init__(
        self, database: Database, clock: Clock, *, server_key: ServerKey, key_bits: int = KEY_BITS
    ) -> None:
        self._database = database
        self._clock = clock
        self._server_key = server_key
        self._key_bits = key_bits
        # Loading a key checks it, which takes longer than decrypting with it. What is here is a
        # copy of what can be loaded again at any time.
        self._loaded: dict[str, RSAPrivateKey] = {}

    async def rotate_if_due(self) -> None:
        """Make a pair when there is none, or when the active one is too old."""
        rows = await self._rows()
        now = self._clock()
        if rows and now - rows[0].created_at < ACTIVE_MS:
            return
        generation = rows[0].generation + 1 if rows else 1
        key = await asyncio.to_thread(jose.generate_private_key, self._key_bits)
        public = key.public_key()
        key_id = jose.key_id(public)
        private = jose.private_pem(key).encode("ascii")
        try:
            async with self._database.write() as connection:
                await connection.execute(
                    insert(key_ring).values(
                        generation=generation,
                        key_id=key_id,
                        public_key=jose.public_pem(public),
                        private_key_sealed=self._server_key.seal(private, context=_CONTEXT),
                        created_at=now,
                    )
                )
                await connection.execute(
                    delete(key_ring).where(key_ring.c.generation < generation - 1)
                )
        except IntegrityError:
            return  # another process was faster; its pair is as good
        _log.info("new key for provisioning", extra={"key_id": key_id})

    async def active(self) -> PublicKey:
        """The pair to encrypt with now."""
        rows = await self._rows()
        return PublicKey(key_id=rows[0].key_id, pem=rows[0].public_key)

    async def private_keys(self, key_id: str | None) -> list[RSAPrivateKey]:
        """The keys that may decrypt: the named one, else all. Raises Gone for one that is not."""
        rows = await self._rows()
        now = self._clock()
        # The former key ends a while after its successor was made.
        usable = rows[:1] + [row for row in rows[1:] if now < rows[0].created_at + OVERLAP_MS]
        chosen = [row for row in usable if key_id is None or row.key_id == key_id]
        if not chosen:
            raise Gone(
                "this key is not in use any more",
                code="key-retired",
                remedy="start again with the key exchange",
            )
        return [await self._load(row) for row in chosen]

    async def _load(self, row: Any) -> RSAPrivateKey:
        key = self._loaded.get(row.key_id)
        if key is None:
            pem = self._server_key.open(row.private_key_sealed, context=_CONTEXT).decode("ascii")
            key = await asyncio.to_thread(jose.load_private_key, pem)
            self._loaded = {**self._loaded, row.key_id: key}
        return key

    async def _rows(self) -> list[Any]:
        query = select(key_ring).order_by(key_ring.c.generation.desc()).limit(2)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).all())
