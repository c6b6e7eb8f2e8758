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
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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
    reply: dict[str, Any]
    try:
        reply = {"result": OPERATIONS[request["operation"]](request["payload"])}
    except _Unfit as error:
        reply = {"error": str(error)}
    except IotisticError as error:
        reply = {"error": error.code}
    except (KeyError, TypeError, ValueError) as error:
        reply = {"error": f"unusable input ({type(error).__name__})"}
    sys.stdout.buffer.write(canonical_json(reply))
    return 0


def generate_keypair(_: Mapping[str, Any]) -> Mapping[str, Any]:
    """A new RSA-2048 pair: PKCS#8 and SPKI, PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    private_pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {"private_key_pem": private_pem.decode("ascii"), "public_key_pem": _spki(private)}


def public_key(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The public half of a private key."""
    return {"public_key_pem": _spki(_private_key(payload))}


def seal(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Encrypt each value under its name: `v1:` + base64(nonce ‖ AES-256-GCM)."""
    cipher = _cipher(payload)
    return {"values": {name: _seal(cipher, name, text) for name, text in payload["values"].items()}}


def unseal(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Decrypt what `seal` made; one changed bit, name or key refuses all of it."""
    cipher = _cipher(payload)
    return {"values": {name: _open(cipher, name, text) for name, text in payload["values"].items()}}


def sign_pss(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """RSASSA-PSS-SHA256 over an ASCII text, base64."""
    signature = _private_key(payload).sign(
        payload["message"].encode("ascii"),
        padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size),
        hashes.SHA256(),
    )
    return {"signature": base64.b64encode(signature).decode("ascii")}


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


def _private_key(payload: Mapping[str, Any]) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(payload["private_key_pem"].encode("ascii"), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _Unfit("the private key is not an RSA key")
    return key


def _spki(private: rsa.RSAPrivateKey) -> str:
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
    )


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "generate-keypair": generate_keypair,
    "public-key": public_key,
    "seal": seal,
    "open": unseal,
    "sign-pss": sign_pss,
}

if __name__ == "__main__":
    sys.exit(main())
