"""What stands in a lock file: written by us, or by a container that nobody trusts (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from iotistic.model.canonical import canonical_json

OWNER = "iotistic-agent"
BYTES_MAX = 4096
REASON_MAX = 200
SPAN_MAX_S = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """What a lock file says: until when on the boot clock, for how long since it was first seen."""

    is_ours: bool = False
    reason: str = ""
    for_s: float | None = None
    until_s: float | None = None


def parse(data: bytes) -> LockFile:
    """Read what can be read: an object with known fields, or a plain text as the reason."""
    if len(data) > BYTES_MAX:
        return LockFile()
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return LockFile(reason=_shown(data.decode("utf-8", "replace")))
    if not isinstance(raw, dict):
        return LockFile(reason=_shown(raw) if isinstance(raw, str) else "")
    reason = raw.get("reason")
    return LockFile(
        is_ours=raw.get("owner") == OWNER,
        reason=_shown(reason) if isinstance(reason, str) else "",
        for_s=_seconds(raw.get("for_s"), high=SPAN_MAX_S),
        until_s=_seconds(raw.get("until_s"), high=math.inf),
    )


def ours(boot_id: str) -> bytes:
    """What we write."""
    return canonical_json(
        {"owner": OWNER, "boot_id": boot_id, "reason": "an update of the app is under way"}
    )


def _seconds(value: object, *, high: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return min(max(0.0, seconds), high) if math.isfinite(seconds) else None


def _shown(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * REASON_MAX])
    return " ".join(printable.split())[:REASON_MAX]
