"""What the child process can do: one request from stdin, one reply to stdout, then gone.

Run by `crypto_child`; never imported by the agent itself. Errors name what is wrong, never
quote the input.
"""

from __future__ import annotations

import base64
import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from iotistic.model import jose
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import IotisticError
from iotistic.model.reader import decode_json

REQUEST_BYTES_MAX = 64 * 1024 * 1024
SEALED_PREFIX = "v1:"
_NONCE_BYTES = 12
_KEY_BITS = 2048


class _Unfit(Exception):
    """An input that cannot be used; the text goes to the parent."""


def main() -> int:
    """Answer one request; 0 when an answer was written, also when it is a refusal."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the keys
    request = decode_json(sys.stdin.buffer.read(REQUEST_BYTES_MAX + 1), bytes_max=REQUEST_BYTES_MAX)
    sys.stdout.buffer.write(canonical_json(answer(request["operation"], request["payload"])))
    return 0


def answer(operation: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{"result": …}`, or `{"error": sentence}` for inputs that do not fit."""
    try:
        return {"result": OPERATIONS[operation](payload)}
    except _Unfit as error:
        return {"error": str(error)}
    except IotisticError as error:
        return {"error": error.message}
    except (KeyError, TypeError, ValueError) as error:
        return {"error": f"unusable input ({type(error).__name__})"}


def generate_keypair(_: Mapping[str, Any]) -> Mapping[str, Any]:
    """A new RSA-2048 pair: PKCS#8 and SPKI, PEM."""
    private = jose.generate_private_key(_KEY_BITS)
    return {
        "private_key_pem": jose.private_pem(private),
        "public_key_pem": jose.public_pem(private.public_key()),
    }


def public_key(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The public half of a private key."""
    return {"public_key_pem": jose.public_pem(_private_key(payload).public_key())}


def wrap_jwe(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Encrypt a text to the holder of a key."""
    key = jose.load_public_key(payload["public_key_pem"], at="public_key_pem")
    return {"jwe": jose.encrypt(payload["plaintext"].encode(), key, kid=payload["kid"])}


def unwrap_jwe(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read what was encrypted to us."""
    return {"plaintext": jose.decrypt(payload["jwe"], _private_key(payload)).decode()}


def sign_pss(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """RSASSA-PSS-SHA256 over an ASCII text, base64."""
    return {"signature": jose.sign(payload["message"], _private_key(payload))}


def seal(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Encrypt each value under its name: `v1:` + base64(nonce ‖ AES-256-GCM)."""
    cipher = _cipher(payload)
    return {"values": {name: _seal(cipher, name, text) for name, text in payload["values"].items()}}


def unseal(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Decrypt what `seal` made; one changed bit, name or key refuses all of it."""
    cipher = _cipher(payload)
    return {"values": {name: _open(cipher, name, text) for name, text in payload["values"].items()}}


def _seal(cipher: AESGCM, name: str, text: str) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, text.encode(), name.encode())
    return SEALED_PREFIX + base64.b64encode(sealed).decode("ascii")


def _open(cipher: AESGCM, name: str, text: str) -> str:
    if not text.startswith(SEALED_PREFIX):
        raise _Unfit("a value is not sealed")
    sealed = base64.b64decode(text.removeprefix(SEALED_PREFIX), validate=True)
    try:
        opened = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
    except InvalidTag as error:
        raise _Unfit("the key does not fit, or a value was changed") from error
    return opened.decode()


def _cipher(payload: Mapping[str, Any]) -> AESGCM:
    return AESGCM(bytes.fromhex(payload["key"]))


def _private_key(payload: Mapping[str, Any]) -> RSAPrivateKey:
    return jose.load_private_key(payload["private_key_pem"], at="private_key_pem")


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "generate-keypair": generate_keypair,
    "public-key": public_key,
    "seal": seal,
    "open": unseal,
    "wrap-jwe": wrap_jwe,
    "unwrap-jwe": unwrap_jwe,
    "sign-pss": sign_pss,
}

if __name__ == "__main__":
    sys.exit(main())
