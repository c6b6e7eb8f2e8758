"""What has to be done now and then."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from iotistic.cloud.audit import AuditLog
from iotistic.cloud.auth.attempts import Attempts
from iotistic.cloud.auth.sessions import Sessions
from iotistic.cloud.db.database import Database
from iotistic.cloud.provisioning.ring import KeyRing
from iotistic.cloud.records.room import Retention
from iotistic.model.errors import IotisticError

HOUSEKEEPING_S = 600.0

_log = logging.getLogger("iotistic.cloud")


class Housekeeping:
    """Rotates keys and forgets what has expired."""

    def __init__(
        self,
        database: Database,
        *,
        ring: KeyRing,
        sessions: Sessions,
        attempts: Attempts,
        audit_log: AuditLog,
        retention: Retention,
    ) -> None:
        self._database = database
        self._ring = ring
        self._sessions = sessions
        self._attempts = attempts
        self._audit = audit_log
        self._retention = retention

    async def run(self) -> None:
        """Go round until cancelled. A round that fails is told, and the next one comes."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                await self.once()
            except (IotisticError, SQLAlchemyError):
                _log.exception("housekeeping failed")

    async def once(self) -> None:
        """One round."""
        await self.prepare()
        await self._retention.sweep()

    async def prepare(self) -> None:
        """The part that is short, and done before anybody is served."""
        await self._ring.rotate_if_due()
        async with self._database.write() as connection:
            await self._sessions.sweep(connection)
            await self._attempts.sweep(connection)
            await self._audit.sweep(connection)
