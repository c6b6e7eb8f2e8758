"""From when to when a server's certificate is valid, as the server shows it.

Asked only to tell people what is wrong when a certificate's dates and the clock of the device do
not fit. Nothing is believed because of it: the connection is not verified, and nothing is sent in
it.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

TIMEOUT_S = 5.0
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


@dataclass(frozen=True, slots=True)
class Validity:
    """The two dates of a certificate."""

    begins: datetime
    ends: datetime

    def __str__(self) -> str:
        return f"{self.begins:%Y-%m-%d} to {self.ends:%Y-%m-%d}"


async def fetch_validity(origin: str) -> Validity | None:
    """The dates of the certificate at `https://host[:port]`; None when they cannot be had."""
    parts = urlsplit(origin)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                parts.hostname, parts.port or 443, ssl=context
            )
    except (OSError, TimeoutError):
        return None
    try:
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        # Not waited for: a peer that does not say goodbye would keep us here.
        writer.transport.abort()
    return read_validity(found or b"")


def read_validity(certificate: bytes) -> Validity | None:
    """The dates in a certificate in DER; None for what is none.

    Read by hand: a library for it would be 10 MB of memory for the sake of two dates.
    Source: RFC 5280, 4.1 (TBSCertificate), and X.690 for the encoding.
    """
    try:
        _, outer, _ = _element(certificate)
        _, fields, _ = _element(outer)
        tag, _, rest = _element(fields)
        # version (left out in the oldest), serialNumber, signature, issuer; then validity
        for _ in range(3 if tag == _VERSION else 2):
            _, _, rest = _element(rest)
        tag, dates, _ = _element(rest)
        if tag != _SEQUENCE:
            return None
        first, begins, after = _element(dates)
        second, ends, _ = _element(after)
        return Validity(_time(first, begins), _time(second, ends))
    except (ValueError, IndexError):
        return None


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element's tag and content, and what follows it."""
    tag, size, at = data[0], data[1], 2
    if size & 0x80:
        count = size & 0x7F
        size, at = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if at + size > len(data):
        raise ValueError("an element longer than what holds it")
    return tag, data[at : at + size], data[at + size :]


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # of two digits, those from 50 on are of the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
