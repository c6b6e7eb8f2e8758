"""Canonical JSON and the hashes made of it: equal meaning, equal bytes.

Keys sorted, UTF-8, no spaces, integers below 2**53 in size (beyond that JSON readers disagree).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

INTEGER_MAX = 2**53 - 1

_encoder = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Any) -> bytes:
    """The one encoding of `value` (dicts, lists, strings, numbers, booleans, None)."""
    return _encoder.encode(value)


def sha256_hex(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def keyed_hex(key: bytes, value: Any) -> str:
    """HMAC-SHA256 of the canonical JSON of `value`, 64 hex digits.

    For hashes that stand where others can read them (labels) and are made of what they must not
    be able to guess (environment values).
    """
    return hmac.digest(key, canonical_json(value), "sha256").hex()


def etag_of(value: Any) -> str:
    """The quoted ETag of a reply body: the first 32 hex digits of its hash."""
    return f'"{sha256_hex(value)[:32]}"'


def same_etag(one: str | None, other: str | None) -> bool:
    """Weak comparison: the prefix `W/` and missing quotes do not matter. None equals nothing."""
    if one is None or other is None:
        return False
    return _bare(one) == _bare(other)


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')
