"""A device that joins, written from the wire alone: with nothing of the project's cryptography."""

from __future__ import annotations

import base64
import itertools
import json
import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from tests.cloud.running import UUID, Running

EXCHANGE = "/api/provisioning/v2/key-exchange"
REGISTER = "/api/provisioning/v2/register"
_NUMBERS = itertools.cycle(range(4))


@cache
def pair(number: int) -> RSAPrivateKey:
    """One of a few pairs, which take a while to make; devices made in a row differ."""
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Device:
    """One device with its pair. `key` is the provisioning key."""

    cloud: Running
    key: str
    uuid: str = UUID
    address: str = "192.0.2.1"
    pair: RSAPrivateKey = field(default_factory=lambda: pair(next(_NUMBERS)))

    @property
    def public_pem(self) -> str:
        return (
            self.pair.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    async def exchange(self, **more: Any) -> httpx.Response:
        body = {"deviceUuid": self.uuid, "provisioningApiKey": self.key, **more}
        return await self.cloud.ask("POST", EXCHANGE, body, address=self.address)

    async def exchanged(self) -> dict[str, Any]:
        """The second exchange, which must succeed."""
        reply = await self.exchange(devicePublicKey=self.public_pem)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    def plaintext(self, **more: Any) -> dict[str, Any]:
        said = {
            "deviceUuid": self.uuid,
            "provisioningApiKey": self.key,
            "deviceName": "press 4",
            "deviceType": "edge-gateway",
            "macAddress": "02:42:ac:11:00:02",
            "osVersion": "Debian GNU/Linux 12 (bookworm)",
        } | more
        return {name: value for name, value in said.items() if value is not None}

    def request(
        self, answer: dict[str, Any], *, literal: bool = False, sign: bool = True, **more: Any
    ) -> dict[str, Any]:
        """The body of a registration: a signed JWE, or what a simple client encrypts."""
        public = load_pem_public_key(answer["apiPublicKey"].encode())
        assert isinstance(public, RSAPublicKey)
        raw = json.dumps(self.plaintext(**more)).encode()
        if literal:
            return {"encryptedPayload": literal_cipher(raw, public)}
        payload = jwe(raw, public, kid=answer["keyId"])
        body = {"encryptedPayload": payload, "keyId": answer["keyId"]}
        return body | ({"signature": self.sign(payload)} if sign else {})

    def sign(self, text: str) -> str:
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return base64.b64encode(self.pair.sign(text.encode(), pss, hashes.SHA256())).decode()

    async def send(self, request: dict[str, Any]) -> httpx.Response:
        return await self.cloud.ask("POST", REGISTER, request, address=self.address)

    async def register(self, **how: Any) -> httpx.Response:
        """All of it, from the second exchange on."""
        answer = await self.exchanged()
        if not how.get("literal"):
            how.setdefault("challenge", answer["challenge"])
        return await self.send(self.request(answer, **how))

    async def joined(self, **how: Any) -> str:
        """Register with success; gives the device's key."""
        reply = await self.register(**how)
        assert reply.status_code == 200, reply.text
        key: str = reply.json()["api"]["deviceApiKey"]
        return key

    async def poll(self, api_key: str) -> int:
        reply = await self.cloud.ask("GET", f"/api/v1/device/{self.uuid}/state", key=api_key)
        return reply.status_code


def literal_cipher(raw: bytes, public: RSAPublicKey, *, sha256: bool = False) -> str:
    """What `crypto.publicEncrypt` of Node.js makes: OAEP with SHA-1, no label."""
    algorithm = hashes.SHA256 if sha256 else hashes.SHA1
    oaep = padding.OAEP(padding.MGF1(algorithm()), algorithm(), None)
    return base64.b64encode(public.encrypt(raw, oaep)).decode()


def jwe(raw: bytes, public: RSAPublicKey, *, kid: str) -> str:
    header = _b64(json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid}).encode())
    key, nonce = os.urandom(32), os.urandom(12)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = AESGCM(key).encrypt(nonce, raw, header.encode())
    parts = (public.encrypt(key, oaep), nonce, sealed[:-16], sealed[-16:])
    return ".".join((header, *(_b64(part) for part in parts)))


def open_jwe(token: str, private: RSAPrivateKey) -> Any:
    header, *parts = token.split(".")
    wrapped, nonce, ciphertext, tag = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts
    )
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    opened = AESGCM(private.decrypt(wrapped, oaep)).decrypt(
        nonce, ciphertext + tag, header.encode()
    )
    return json.loads(opened)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
