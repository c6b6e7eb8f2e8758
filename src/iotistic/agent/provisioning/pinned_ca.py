"""First contact with a private authority: a fingerprint from the operator, the certificate from
the wire.

A pin is `sha256:` and the SHA-256, in hex, of the DER form of one certificate that the cloud
presents: its authority's, when the cloud sends the whole chain, or its own. This is what
`openssl x509 -noout -fingerprint -sha256` prints; colons and capitals do not matter.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

from iotistic.agent.endpoint import Endpoint
from iotistic.model.errors import CloudUnavailable, InvalidField

PIN_PREFIX = "sha256:"
TIMEOUT_S = 10.0
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHAIN_LENGTH_MAX = 10
_DER_ENCODING = 2


def is_pin(text: str) -> bool:
    """Whether this is a pin (and not a certificate)."""
    return text.strip().lower().startswith(PIN_PREFIX)


def parse_pin(text: str, *, at: str = "caPin") -> str:
    """The pin in its one form; raises InvalidField for `at`."""
    digest = text.strip().lower().removeprefix(PIN_PREFIX).replace(":", "")
    if not is_pin(text) or not _DIGEST.fullmatch(digest):
        raise InvalidField(at, expected="sha256: and 64 hex digits", found=text)
    return PIN_PREFIX + digest


def pinned(chain: Iterable[bytes], pin: str) -> bytes | None:
    """The certificate (DER) of the chain that has this fingerprint."""
    for certificate in chain:
        if hmac.compare_digest(PIN_PREFIX + hashlib.sha256(certificate).hexdigest(), pin):
            return certificate
    return None


async def fetch_pinned_ca(endpoint: Endpoint, pin: str) -> str:
    """The pinned certificate as PEM, to be trusted from then on.

    The connection in which it is looked for is not verified, and nothing is sent in it: all else
    goes over connections that verify against what was found. Somebody in the middle can show the
    right certificate here, but not prove there that it is theirs. Raises CloudUnavailable.
    """
    parts = urlsplit(endpoint.origin)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                parts.hostname, parts.port or 443, ssl=context
            )
    except (OSError, TimeoutError) as error:
        raise CloudUnavailable(
            f"{endpoint.origin} cannot be reached: {str(error) or 'timeout'}",
            code="cloud-unreachable",
        ) from error
    try:
        found = pinned(_presented(writer.get_extra_info("ssl_object")), pin)
    finally:
        # Not waited for: a peer that does not say goodbye would keep us here.
        writer.transport.abort()
    if found is None:
        raise CloudUnavailable(
            f"no certificate that {endpoint.origin} presents has the fingerprint {pin}",
            code="pin-mismatch",
            remedy="compare it with what the cloud shows, and with the address",
        )
    return ssl.DER_cert_to_PEM_cert(found)


def _presented(connection: ssl.SSLObject) -> list[bytes]:
    """The chain as it came, in DER."""
    own = connection.getpeercert(binary_form=True)
    chain: list[bytes] = [own] if own else []
    # Public from 3.13 on; before that the same method stands one layer below.
    source = (
        connection
        if hasattr(connection, "get_unverified_chain")
        else getattr(connection, "_sslobj", None)
    )
    found = source.get_unverified_chain() if source is not None else None
    return chain + [
        item if isinstance(item, bytes) else item.public_bytes(_DER_ENCODING)
        for item in list(found or ())[:_CHAIN_LENGTH_MAX]
    ]
