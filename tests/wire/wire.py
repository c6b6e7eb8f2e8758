"""The wire, spoken by hand: standard library and `cryptography`, nothing of the project.

So a change of what goes over the wire cannot pass unnoticed: it would have to be made here too.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass(frozen=True)
class Answer:
    """One HTTP response, as it came."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].split(";")[0] == "application/json"
        return json.loads(self.raw)


def ask(
    url: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    packed: bool = False,
) -> Answer:
    """One request; `body` goes as JSON, gzipped when `packed`."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    sent = dict(headers or {})
    data: bytes | None = None
    if body is not None:
        data = json.dumps(body).encode()
        sent["Content-Type"] = "application/json; charset=utf-8"
        if packed:
            data = gzip.compress(data)
            sent["Content-Encoding"] = "gzip"
    try:
        connection.request(method, path, body=data, headers=sent)
        response = connection.getresponse()
        raw = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, raw)
    finally:
        connection.close()


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """SPKI, as `BEGIN PUBLIC KEY`."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def spki_der(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def load_public(pem: str) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def encrypt_literally(key: rsa.RSAPublicKey, message: Mapping[str, Any]) -> str:
    """What `crypto.publicEncrypt(key, JSON.stringify(message)).toString('base64')` makes."""
    plain = json.dumps(message, separators=(",", ":")).encode()
    sealed = key.encrypt(plain, oaep(hashes.SHA1()))  # noqa: S303 what that call does by default
    return base64.b64encode(sealed).decode()


def oaep(kind: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(kind), algorithm=kind, label=None)


def encrypt_jwe(key: rsa.RSAPublicKey, message: Mapping[str, Any], kid: str) -> str:
    """A compact JWE by RFC 7516, `RSA-OAEP-256` and `A256GCM`."""
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid}
    protected = to_base64url(json.dumps(header).encode())
    content_key, nonce = os.urandom(32), os.urandom(12)
    sealed = AESGCM(content_key).encrypt(nonce, json.dumps(message).encode(), protected.encode())
    parts = (
        key.encrypt(content_key, oaep(hashes.SHA256())),
        nonce,
        sealed[:-16],
        sealed[-16:],
    )
    return ".".join([protected, *(to_base64url(part) for part in parts)])


def decrypt_jwe(key: rsa.RSAPrivateKey, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and message of a compact JWE."""
    protected, *parts = token.split(".")
    sealed_key, nonce, sealed, tag = (from_base64url(part) for part in parts)
    content_key = key.decrypt(sealed_key, oaep(hashes.SHA256()))
    plain = AESGCM(content_key).decrypt(nonce, sealed + tag, protected.encode())
    return json.loads(from_base64url(protected)), json.loads(plain)


def sign(key: rsa.RSAPrivateKey, message: str) -> str:
    """Base64 of RSASSA-PSS, SHA-256, salt of 32 bytes."""
    return base64.b64encode(key.sign(message.encode("ascii"), pss(), hashes.SHA256())).decode()


def verify(key: rsa.RSAPublicKey, message: str, signature: str) -> None:
    """Raises InvalidSignature."""
    key.verify(base64.b64decode(signature), message.encode("ascii"), pss(), hashes.SHA256())


def pss() -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
