"""Encrypted at rest: what is secret in the database and its copies.

The key lies in a file of mode 0600 beside the database. It protects copies (a database sent to
support, a backup), not a stolen disk, which holds the key as well.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Protocol

from iotistic.agent.host.crypto_child import CryptoRefused, Operation
from iotistic.agent.host.files import durable_write, keep_private, read_small
from iotistic.model.secret import Secret

KEY_BYTES = 32
_KEY = re.compile(r"[0-9a-f]{64}")


class Crypto(Protocol):
    """How cryptography is done; `iotistic.agent.host.crypto_child.in_child` in the agent."""

    def __call__(
        self, operation: Operation, payload: Mapping[str, Any], /
    ) -> Awaitable[Mapping[str, Any]]:
        """Do one operation; raises CryptoRefused or CryptoUnavailable."""
        ...


def load_key(path: Path) -> Secret | None:
    """The key (hex), None if the file is missing or holds none."""
    keep_private(path)
    text = (read_small(path, 2 * KEY_BYTES) or b"").decode("ascii", "replace").strip()
    return Secret(text) if _KEY.fullmatch(text) else None


def make_key(path: Path) -> Secret:
    """A new key, on the disk before anything is sealed with it."""
    key = secrets.token_hex(KEY_BYTES)
    durable_write(path, key.encode("ascii"))
    return Secret(key)


class Sealer:
    """Seals and opens texts, each under a name: moved to another place it does not open."""

    def __init__(self, crypto: Crypto, key: Secret) -> None:
        self._crypto = crypto
        self._key = key

    def keep_key(self, path: Path) -> None:
        """Write the key again if its file is gone."""
        if not path.exists():
            durable_write(path, self._key.reveal().encode("ascii"))

    async def seal(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """Seal each value. One child process for all of them, none for no values."""
        return await self._do("seal", values)

    async def unseal(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """Open each value; raises CryptoRefused if one does not open."""
        return await self._do("open", values)

    async def _do(self, operation: Operation, values: Mapping[str, str]) -> Mapping[str, str]:
        if not values:
            return {}
        result = await self._crypto(operation, {"key": self._key.reveal(), "values": values})
        changed: Mapping[str, str] = result["values"]
        if set(changed) != set(values):
            raise CryptoRefused(f"{operation}: the result has other names than the request")
        return changed
