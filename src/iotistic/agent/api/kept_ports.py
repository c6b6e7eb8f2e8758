"""What the Device API asks of what is kept: the store, the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from iotistic.agent.outbox import ClassLedger, DeadLetter, DropReason
from iotistic.agent.store.compaction import Bulk
from iotistic.agent.store.records import Finding, Identity, JournalEntry, StoredTarget
from iotistic.model.records import RecordClass
from iotistic.planner.world import Intent, Lock, LockOwner


class Journal(Protocol):
    """What was done to apps and why."""

    async def add(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries, all or none."""
        ...

    async def of(
        self, app_id: int, service_id: str | None = None, *, limit: int = 200
    ) -> tuple[JournalEntry, ...]:
        """The newest of an app, newest first; with a service those about it and about the app."""
        ...


class Locks(Protocol):
    """The locks of persons and of the agent."""

    async def all(self) -> tuple[Lock, ...]:
        """Those in force."""
        ...

    async def save(self, lock: Lock) -> None:
        """Insert or replace by (app, owner)."""
        ...

    async def remove(self, app_id: int, owner: LockOwner) -> None:
        """Let go of a lock, if there is one."""
        ...


class Store(Protocol):
    """What the API asks of the store."""

    @property
    def journal(self) -> Journal:
        """What was done and why."""
        ...

    @property
    def locks(self) -> Locks:
        """What holds changes of apps off."""
        ...

    @property
    def identity(self) -> Identity:
        """Who this device is."""
        ...

    async def target(self) -> StoredTarget | None:
        """The accepted target."""
        ...

    async def intents(self) -> tuple[Intent, ...]:
        """What persons asked for."""
        ...

    async def change_settings(self, changes: Mapping[str, str | None]) -> None:
        """Store settings, all or none of them; None removes one."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What opening found and dealt with."""
        ...

    async def bulk(self) -> Bulk:
        """How large the database is, and how much of it is empty."""
        ...

    async def compact(self) -> Bulk:
        """Give back what is empty; how large it is now."""
        ...

    async def backup(self, file: Path) -> None:
        """Write a consistent copy to a new file of mode 0600."""
        ...

    async def restore(self, file: Path) -> Path | None:
        """Put a backup into the place of the database, and say where that one is kept now.

        Raises Refused, and then nothing has changed, for a file that does not fit.
        """
        ...


class Outbox(Protocol):
    """What waits to leave the device."""

    def ledger(self) -> Mapping[RecordClass, ClassLedger]:
        """What became of all records, by class."""
        ...

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """What the far side refused, newest first."""
        ...

    async def clear(self, record_class: RecordClass | None, reason: DropReason) -> int:
        """Drop what waits, of one class or of all; how many there were."""
        ...
