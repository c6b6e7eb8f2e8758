"""class Memory: what the agent remembers beside who it is and what should run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.store import agent_memory, agent_tables, time_left
from iotistic.agent.store.container_table import ContainerTable
from iotistic.agent.store.database import Database, Kept
from iotistic.agent.store.image_table import ImageTable
from iotistic.agent.store.journal_table import Journal
from iotistic.agent.store.lock_table import LockTable
from iotistic.agent.store.release_table import ReleaseTable
from iotistic.planner.world import Attempt, Intent, StepKind, Subject


class Memory:
    """The part of the store that the reconciler and persons write.

    What every round asks for is kept in memory: `releases`, `locks`, `images`, `containers` and
    `intents` are read from the file once.
    """

    def __init__(self, database: Database, clock: Clock, releases: ReleaseTable) -> None:
        self._database = database
        self._clock = clock
        self._intents = Kept(database, agent_tables.read_intents)
        self._settings = Kept(database, agent_tables.read_settings)
        self._time_left_written_s = clock.now_s()
        self.releases = releases
        self.locks = LockTable(database, clock)
        self.images = ImageTable(database)
        self.containers = ContainerTable(database)
        self.journal = Journal(database)

    async def attempts(self) -> tuple[Attempt, ...]:
        """Failures in a row, with deadlines on this boot's clock."""
        return await self._database.read(agent_tables.read_attempts)

    async def save_attempt(self, attempt: Attempt) -> None:
        """Insert or replace by (subject, step)."""
        await self._database.write(
            lambda db: agent_tables.write_attempt(db, attempt, self._clock), spare=True
        )

    async def clear_attempts(self, subject: Subject, step: StepKind | None = None) -> None:
        """Forget the failures of a subject, of all kinds of step when `step` is None."""
        await self._database.write(lambda db: agent_tables.delete_attempts(db, subject, step))

    async def intents(self) -> tuple[Intent, ...]:
        """What persons asked for, oldest first."""
        return await self._intents.get()

    async def save_intent(self, intent: Intent) -> None:
        """Insert or replace by (kind, app, service)."""
        await self._intents.change(lambda db: agent_tables.write_intent(db, intent))

    async def remove_intent(self, intent: Intent) -> None:
        """The wish is fulfilled or taken back. A newer one that took its place stays."""
        await self._intents.change(lambda db: agent_tables.delete_intent(db, intent))

    async def save_time_left(self) -> None:
        """Bring what is left of deadlines up to date, for the next boot; to be called every round.

        Writes nothing when no deadline runs, or when it was done less than half a minute ago.
        """
        now_s = self._clock.now_s()
        if now_s < self._time_left_written_s + time_left.WRITTEN_EVERY_S:
            return
        releases, locks = await self.releases.all(), await self.locks.all()
        if releases.candidates or any(lock.until_s is not None for lock in locks):
            await self._database.write(lambda db: time_left.write(db, self._clock), spare=True)
        self._time_left_written_s = now_s

    async def forget_apps(self, keep: Collection[int]) -> None:
        """Apps but for these are neither wanted nor here; cheap when nothing is to be forgotten.

        What is known of their images stays, by which they can be removed, and their journal.
        """
        releases = await self.releases.all()
        known = {good.app_id for good in releases.good}
        known |= {candidate.app_id for candidate in releases.candidates}
        known |= {rejection.app_id for rejection in releases.rejected}
        known |= {lock.app_id for lock in await self.locks.all()}
        known |= {one.app_id for one in await self.containers.completed()}
        if gone := known - set(keep):
            await self._database.write(lambda db: agent_memory.forget_apps(db, gone))
            self._database.outdate()

    async def settings(self) -> Mapping[str, str]:
        """What `config set` stored, by name."""
        return await self._settings.get()

    async def change_settings(self, changes: Mapping[str, str | None]) -> None:
        """Store settings, all or none of them; None removes one."""
        await self._settings.change(lambda db: agent_tables.write_settings(db, changes))

    def remembered(self) -> Mapping[str, Any]:
        """Parts of a `Salvage` that are known without reading the file, by name."""
        completed, born = self.containers.remembered()
        parts = {
            "settings": self._settings.remembered(),
            "intents": self._intents.remembered(),
            "locks": self.locks.remembered(),
            "releases": self.releases.remembered(),
            "pulled": self.images.remembered(),
            "completed": completed,
            "born": born,
        }
        return {name: part for name, part in parts.items() if part is not None}
