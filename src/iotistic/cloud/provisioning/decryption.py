"""Decrypting registrations: one at a time, a short queue, then "come back later"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from iotistic.cloud.errors import TooManyAttempts
from iotistic.cloud.provisioning.ring import KeyRing
from iotistic.model import jose
from iotistic.model.provisioning import RegisterRequest

QUEUE_MAX = 8
_RETRY_AFTER_S = 1.0


class Decryption:
    """Uses the ring's private keys.

    An RSA-4096 decryption takes milliseconds of a core, and anybody may ask for one: the queue
    is what keeps the rest of the cloud answering meanwhile.
    """

    def __init__(self, ring: KeyRing, *, queue_max: int = QUEUE_MAX) -> None:
        self._ring = ring
        self._queue_max = queue_max
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def decrypt(self, request: RegisterRequest) -> bytes:
        """The plaintext. Raises BadPayload, Gone (key retired), TooManyAttempts (queue full)."""
        async with self._place():
            key_id = request.key_id
            if key_id is None and "." in request.encrypted_payload:
                key_id = jose.token_key_id(request.encrypted_payload)
            keys = await self._ring.private_keys(key_id)
            for number, key in enumerate(keys, start=1):
                try:
                    return await asyncio.to_thread(jose.decrypt_any, request.encrypted_payload, key)
                except jose.BadPayload:
                    if number == len(keys):
                        raise
        raise jose.BadPayload

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._waiting > self._queue_max:  # the one being served counts as well
            raise TooManyAttempts(
                "too many devices register at this moment",
                code="busy",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1
