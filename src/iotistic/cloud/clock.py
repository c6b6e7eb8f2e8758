"""Time of the cloud: milliseconds since the epoch.

Wall time also for spans: they are compared between processes and across restarts, where a
monotonic clock means nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Gives the time now, in ms since the epoch."""

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def system_clock() -> int:
    """The time of this machine."""
    return time.time_ns() // 1_000_000


def iso(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, ending in Z."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_iso(at_ms: int | None) -> str | None:
    """`iso`, or None for never."""
    return None if at_ms is None else iso(at_ms)
