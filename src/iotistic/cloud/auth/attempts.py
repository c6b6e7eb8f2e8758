"""Failures are counted, and too many of a kind end in 429. Successes never count."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.clock import HOUR_MS, MINUTE_MS, Clock
from iotistic.cloud.db.tables import failures
from iotistic.cloud.errors import TooManyAttempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `failures_max` failures of one subject within `window_ms`."""

    kind: str
    failures_max: int
    window_ms: int


# An account is closed for the address that guesses, not for its owner at another one; what all
# addresses together may guess is bounded as well, far above what one of them can do.
LOGIN_OF_ACCOUNT_HERE = Limit(kind="login-here", failures_max=10, window_ms=15 * MINUTE_MS)
LOGIN_OF_ACCOUNT = Limit(kind="login-account", failures_max=100, window_ms=15 * MINUTE_MS)
LOGIN_FROM_ADDRESS = Limit(kind="login-address", failures_max=30, window_ms=15 * MINUTE_MS)
PASSWORD_CHANGE = Limit(kind="password-change", failures_max=10, window_ms=15 * MINUTE_MS)
SETUP_FROM_ADDRESS = Limit(kind="setup-address", failures_max=10, window_ms=15 * MINUTE_MS)
PROVISIONING_KEY = Limit(kind="provisioning-key", failures_max=10, window_ms=HOUR_MS)
PAYLOAD = Limit(kind="payload", failures_max=10, window_ms=HOUR_MS)
LONGEST_WINDOW_MS = HOUR_MS


class Attempts:
    """Counts failures in the database, for all processes together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def reserve(self, connection: AsyncConnection, limit: Limit, subject: str) -> int:
        """Count a failure before it is known to be one; gives its id for `forgive`.

        Counted first, so that many attempts at once cannot all slip in below the limit. Raises
        TooManyAttempts, and counts nothing, when the limit is reached.
        """
        hashed = _hashed(subject)
        await self.check(connection, limit, subject)
        result = await connection.execute(
            insert(failures)
            .values(kind=limit.kind, subject=hashed, at=self._clock())
            .returning(failures.c.id)
        )
        return int(result.scalar_one())

    async def check(self, connection: AsyncConnection, limit: Limit, subject: str) -> None:
        """Raise TooManyAttempts when the limit is reached."""
        now = self._clock()
        count, oldest = (
            await connection.execute(
                select(func.count(), func.min(failures.c.at)).where(
                    failures.c.kind == limit.kind,
                    failures.c.subject == _hashed(subject),
                    failures.c.at > now - limit.window_ms,
                )
            )
        ).one()
        if count >= limit.failures_max:
            raise TooManyAttempts(
                "too many failed attempts",
                remedy="wait as long as Retry-After says",
                retry_after_s=max(1.0, (oldest + limit.window_ms - now) / 1000),
            )

    async def forgive(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        """It was no failure after all."""
        await connection.execute(delete(failures).where(failures.c.id.in_(ids)))

    async def sweep(self, connection: AsyncConnection) -> None:
        """Forget what no limit looks at any more."""
        before = self._clock() - LONGEST_WINDOW_MS
        await connection.execute(delete(failures).where(failures.c.at < before))


def neighborhood(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that an IPv6 user has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:  # how a socket for both kinds shows IPv4
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), 64), strict=False))


def _hashed(subject: str) -> str:
    # People type passwords into the field for names: what was typed is not kept.
    return hashlib.sha256(subject.encode()).hexdigest()
