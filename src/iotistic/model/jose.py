"""The cryptography of provisioning: encrypting to an RSA key, and signing with one (pure).

Two forms of one secret message: compact JWE (RFC 7516, `RSA-OAEP-256` + `A256GCM`, any length),
and the literal base64 of RSA-OAEP that simple clients make. `cryptography` is imported inside
the functions, since a normal start of the agent must not pay for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField, Refused
from iotistic.model.reader import decode_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import OAEP, PSS
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

ALGORITHM = "RSA-OAEP-256"
ENCRYPTION = "A256GCM"
TOKEN_LENGTH_MAX = 64 * 1024
PEM_LENGTH_MAX = 8 * 1024
KEY_BITS_MIN = 2048
KEY_BITS_MAX = 4096
_EXPONENT_MAX = 2**32
_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HASHES = {"RSA-OAEP": "sha1", "RSA-OAEP-256": "sha256"}


class BadPayload(Refused):
    """It cannot be decrypted. One text for all causes: which one it was is not for the sender."""

    code = "bad-payload"

    def __init__(self) -> None:
        super().__init__(
            "the encrypted payload cannot be read",
            remedy="fetch the public key again and encrypt with that",
        )


def encrypt(plaintext: bytes, public_key: RSAPublicKey, *, kid: str) -> str:
    """A compact JWE of `plaintext` that only the holder of the private key can read."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = canonical_json({"alg": ALGORITHM, "enc": ENCRYPTION, "kid": kid})
    content_key, nonce = os.urandom(_KEY_BYTES), os.urandom(_NONCE_BYTES)
    protected = _encode(header)
    sealed = AESGCM(content_key).encrypt(nonce, plaintext, protected.encode("ascii"))
    parts = (
        public_key.encrypt(content_key, _oaep("sha256")),
        nonce,
        sealed[:-_TAG_BYTES],
        sealed[-_TAG_BYTES:],
    )
    return ".".join((protected, *(_encode(part) for part in parts)))


def decrypt(
    token: str, private_key: RSAPrivateKey, *, algorithms: Collection[str] = (ALGORITHM,)
) -> bytes:
    """What a compact JWE holds. Raises BadPayload.

    `algorithms` are the key encryptions that are accepted, of RSA-OAEP and RSA-OAEP-256.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    parts = token.split(".")
    if len(token) > TOKEN_LENGTH_MAX or len(parts) != 5:
        raise BadPayload
    header = _header(parts[0])
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise BadPayload
    # "crit" and "zip" would change what the rest means; we make neither.
    if header.get("enc") != ENCRYPTION or "crit" in header or "zip" in header:
        raise BadPayload
    wrapped, nonce, ciphertext, tag = (_decode(part) for part in parts[1:])
    if len(nonce) != _NONCE_BYTES or len(tag) != _TAG_BYTES:
        raise BadPayload
    try:
        content_key = private_key.decrypt(wrapped, _oaep(_HASHES[algorithm]))
    except ValueError:
        content_key = b""
    if len(content_key) != _KEY_BYTES:
        # RFC 7516, 11.5: go on with a random key, so that a key that does not unwrap cannot be
        # told from one that does not fit.
        content_key = os.urandom(_KEY_BYTES)
    try:
        return AESGCM(content_key).decrypt(nonce, ciphertext + tag, parts[0].encode("ascii"))
    except InvalidTag as error:
        raise BadPayload from error


def decrypt_oaep(text: str, private_key: RSAPrivateKey) -> bytes:
    """What base64 of RSA-OAEP holds, with SHA-1 or with SHA-256. Raises BadPayload."""
    if len(text) > TOKEN_LENGTH_MAX:
        raise BadPayload
    try:
        ciphertext = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPayload from error
    for hash_name in ("sha1", "sha256"):
        try:
            return private_key.decrypt(ciphertext, _oaep(hash_name))
        except ValueError:
            continue
    raise BadPayload


def decrypt_any(text: str, private_key: RSAPrivateKey) -> bytes:
    """A JWE when there is a dot in it, else base64 of RSA-OAEP. Raises BadPayload."""
    return decrypt(text, private_key) if "." in text else decrypt_oaep(text, private_key)


def sign(message: str, private_key: RSAPrivateKey) -> str:
    """RSASSA-PSS-SHA256 over an ASCII text, base64."""
    from cryptography.hazmat.primitives import hashes

    signature = private_key.sign(message.encode("ascii"), _pss(), hashes.SHA256())
    return base64.b64encode(signature).decode("ascii")


def verify(message: str, signature: str, public_key: RSAPublicKey) -> bool:
    """Whether `sign` made `signature` of `message` with the private half of this key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes

    try:
        raw = base64.b64decode(signature, validate=True)
        public_key.verify(raw, message.encode("ascii"), _pss(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def load_public_key(pem: str, *, at: str = "publicKey") -> RSAPublicKey:
    """An RSA key of 2048 to 4096 bits from PEM (SPKI or PKCS#1). Raises InvalidField for `at`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    expected = f"an RSA public key of {KEY_BITS_MIN} to {KEY_BITS_MAX} bits as PEM"
    if len(pem) > PEM_LENGTH_MAX:
        raise InvalidField(at, expected=expected, found="a longer text")
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidField(at, expected=expected, found="something else") from error
    if not isinstance(key, RSAPublicKey) or not KEY_BITS_MIN <= key.key_size <= KEY_BITS_MAX:
        raise InvalidField(at, expected=expected, found="another kind or size of key")
    if key.public_numbers().e > _EXPONENT_MAX:
        raise InvalidField(at, expected=expected, found="a key with a huge exponent")
    return key


def load_private_key(pem: str, *, at: str = "privateKey") -> RSAPrivateKey:
    """An RSA key from PKCS#8 PEM without a password. Raises InvalidField for `at`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode("ascii"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidField(at, expected="an RSA private key as PEM", secret=True) from error
    if not isinstance(key, RSAPrivateKey):
        raise InvalidField(at, expected="an RSA private key as PEM", secret=True)
    return key


def generate_private_key(bits: int) -> RSAPrivateKey:
    """A new RSA key; 4096 bits take about half a second of a desktop's core."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def private_pem(key: RSAPrivateKey) -> str:
    """PKCS#8 PEM without a password."""
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def public_pem(key: RSAPublicKey) -> str:
    """SPKI PEM."""
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode("ascii")


def key_id(key: RSAPublicKey) -> str:
    """The first 16 hex digits of SHA-256 over the SPKI DER."""
    from cryptography.hazmat.primitives import serialization

    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()[:16]


def token_key_id(token: str) -> str | None:
    """The `kid` in the header of a compact JWE, or None. Raises BadPayload."""
    kid = _header(token.split(".", 1)[0]).get("kid")
    return kid if isinstance(kid, str) else None


def _header(part: str) -> dict[str, Any]:
    try:
        header = decode_json(_decode(part), at="header", bytes_max=4096)
    except InvalidField as error:
        raise BadPayload from error
    if not isinstance(header, dict):
        raise BadPayload
    return header


def _oaep(hash_name: str) -> OAEP:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    # SHA-1 is what the usual encrypt call of other languages does when not told otherwise; in
    # OAEP it needs no collision resistance.
    kind = hashes.SHA1 if hash_name == "sha1" else hashes.SHA256
    return padding.OAEP(mgf=padding.MGF1(kind()), algorithm=kind(), label=None)


def _pss() -> PSS:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPayload from error
