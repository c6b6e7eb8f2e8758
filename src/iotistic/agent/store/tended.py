"""class Tended: keeps the files of the state folder in order while they are in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from iotistic.agent.store import agent_memory, device_table, mending
from iotistic.agent.store.database import Database, Fault
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.agent.store.memory import Memory
from iotistic.agent.store.opening import Opened, Opener
from iotistic.agent.store.records import Finding, StoredTarget
from iotistic.agent.store.release_table import ReleaseTable
from iotistic.agent.store.space import with_room
from iotistic.model.errors import Unavailable

FINDINGS_MAX = 20


class Tended(Memory):
    """The part of the store that mends: what is damaged, what somebody took away, what is full.

    Services and the rest of the agent go on meanwhile, with what is known in memory.
    """

    def __init__(
        self,
        opener: Opener,
        opened: Opened,
        *,
        on_found: Callable[[Finding], None],
    ) -> None:
        self._opener = opener
        self._files = opener.files
        self._worker = opener.worker
        self._space = opener.space
        self._on_found = on_found
        self._findings: tuple[Finding, ...] = ()
        self._target_file_is_stale = False
        self._writing = asyncio.Lock()  # what is done in several parts, one after the other
        database = Database(self._worker, opened.connection, mend=self._mend, space=self._space)
        releases = ReleaseTable(database, lambda: self._sealer, opener.clock, self._found)
        super().__init__(database, opener.clock, releases)
        self._take(opened)

    def _take(self, opened: Opened) -> None:
        self._database.exchange(opened.connection)
        self._identity = opened.identity
        self._sealer = opened.sealer
        self._rebuilt_because = opened.rebuilt_because
        for finding in opened.findings:
            self._found(finding)
        self._reset = opened.reset
        self._set_aside = opened.set_aside
        self._target: StoredTarget | None = None
        self._target_known = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found and dealt with, at opening and since."""
        return self._findings

    def _found(self, finding: Finding) -> None:
        self._findings = (*self._findings, finding)[-FINDINGS_MAX:]
        self._on_found(finding)

    async def _reopen(self, known: Mapping[str, Any] | None = None, *, force: bool = False) -> None:
        await self._worker.run(self._database.close)
        self._take(await self._opener.open(known, force=force))

    # -- what happens to the files from outside

    async def look_after(self) -> None:
        """Put back what is gone of the files, and write what there was no room for."""
        await self._database.look()
        stale, self._target_file_is_stale = self._target_file_is_stale, False
        try:
            await self._database.change(
                lambda db: mending.keep_files(
                    self._files,
                    db,
                    self._identity,
                    self._sealer,
                    self._opener.held,
                    target_is_stale=stale,
                )
            )
        except Unavailable:
            self._target_file_is_stale |= stale
            raise

    async def check(self) -> None:
        """Look for damage that nobody has met yet, and mend it. Reads the whole file, apart."""
        try:
            await asyncio.to_thread(lambda: mending.check_apart(self._files.database))
        except DatabaseCorrupt as error:
            await self._database.mend(error)

    async def probe(self) -> None:
        """Write something that changes nothing; raises as every method may."""
        await self._database.write(
            lambda db: device_table.write_creation_id(db, self._identity.creation_id)
        )

    async def _mend(self, fault: Fault) -> None:
        error = fault.error
        if fault.lost:
            try:
                self._found(await self._worker.run(lambda: self._put_back(fault)))
            except DatabaseCorrupt as damage:
                error = damage
        known, before = self.remembered(), self._findings
        await self._reopen(known, force=fault.again)
        connection = self._database.connection
        if error is not None and await self._worker.run(
            lambda: agent_memory.is_behind(connection, known, self._clock)
        ):
            await self._reopen(known, force=True)
        if error is not None and self._findings == before:
            self._found(Finding(code="database-reopened", message=error.message))

    def _put_back(self, fault: Fault) -> Finding:
        return mending.put_back(
            self._files,
            self._database.connection,
            self._identity,
            self._sealer,
            self._opener.held,
            lost=fault.lost,
            wall_ms=self._clock.wall_ms(),
        )

    async def _put(self, write: Callable[[], None]) -> None:
        """Write a file, with room made for it if need be."""

        async def put() -> None:
            await self._worker.run(write)

        try:
            await with_room(put, self._space)
        except Unavailable as error:
            self._space.told(error)
            raise
