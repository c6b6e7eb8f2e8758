"""Refused attempts: counted, written down, answered."""

from __future__ import annotations

from typing import NoReturn

from iotistic.cloud.audit import NOBODY, AuditLog
from iotistic.cloud.auth.attempts import Attempts, Limit, neighborhood
from iotistic.cloud.db.database import Database
from iotistic.model.errors import IotisticError


class Refusals:
    """What happens after a "no" in provisioning."""

    def __init__(self, database: Database, *, attempts: Attempts, audit_log: AuditLog) -> None:
        self._database = database
        self._attempts = attempts
        self._audit = audit_log

    async def refuse(
        self, error: IotisticError, *, limit: Limit, uuid: str, address: str
    ) -> NoReturn:
        """Raise `error`, or TooManyAttempts when this address was refused too often already.

        Only failures are counted, and a good key or payload is let through before anybody counts:
        devices that share an address with a misconfigured one must be able to join. That payloads
        are decrypted for nothing is bounded by the queue.
        """
        async with self._database.write() as connection:
            await self._attempts.reserve(connection, limit, neighborhood(address))
            await self._audit.record(
                connection,
                actor=NOBODY,
                action="provisioning-refused",
                subject=f"device:{uuid}" if uuid else "device",
                address=address,
                code=error.code,
            )
        raise error
