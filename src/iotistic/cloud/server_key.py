"""The server's secret: one file, several keys derived from it.

It makes lookups of provisioning keys (a copy of the database alone cannot be searched with
guesses) and seals what must not lie readable in the database. All processes that share a
database need the same file; who loses it loses what was sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from iotistic.cloud.durable_file import read_private, write_private
from iotistic.model.errors import Refused

FILE_NAME = "server.key"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


class ServerKey:
    """Keys for lookup and sealing, all made of one secret of 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._lookup = _derived(secret, b"lookup")
        self._sealing = _derived(secret, b"sealing")
        self.fingerprint = _derived(secret, b"fingerprint").hex()[:32]

    def lookup(self, text: str) -> str:
        """HMAC-SHA256 of a secret text, 64 hex digits: what stands in the database for it."""
        return hmac.new(self._lookup, text.encode(), hashlib.sha256).hexdigest()

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt (AES-256-GCM). Only `open` with the same context gives it back."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + AESGCM(self._sealing).encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """What `seal` was given. Raises Refused when the key, the context or a bit differs."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        version, nonce = sealed[:1], sealed[1 : 1 + _NONCE_BYTES]
        rest = sealed[1 + _NONCE_BYTES :] if version == _VERSION else b""
        try:
            return AESGCM(self._sealing).decrypt(nonce, rest, context.encode())
        except (InvalidTag, ValueError) as error:
            raise Refused(
                f"what is sealed for {context} cannot be opened", code="cannot-unseal"
            ) from error


def load_server_key(folder: Path) -> ServerKey:
    """The key of `folder`, made on first use. Raises Refused when the file cannot be trusted."""
    path = folder / FILE_NAME
    if not path.exists():
        write_private(path, secrets.token_bytes(_KEY_BYTES).hex().encode() + b"\n", replace=False)
    try:
        secret = bytes.fromhex(read_private(path).decode("ascii").strip())
    except ValueError as error:
        raise Refused(f"{path} does not hold hexadecimal digits", code="server-key") from error
    if len(secret) != _KEY_BYTES:
        raise Refused(f"{path} does not hold {_KEY_BYTES} bytes", code="server-key")
    return ServerKey(secret)


def _derived(secret: bytes, label: bytes) -> bytes:
    return hmac.new(secret, b"iotistic-cloud/" + label, hashlib.sha256).digest()
