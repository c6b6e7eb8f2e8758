"""The store: one file, one writer, one thread; every write is durable when its call returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from iotistic.agent.store.records import Identity, StoredTarget
from iotistic.planner.world import Attempt, Intent, StepKind, Subject


class Store(Protocol):
    """What the rest of the agent asks of the store (to be replaced by the class itself)."""

    @property
    def identity(self) -> Identity:
        """Who this device is; always present after opening."""
        ...

    async def save_identity(self, identity: Identity) -> None:
        """Sidecar first (temp, fsync, rename, fsync of the folder), then the database's copy."""
        ...

    async def target(self) -> StoredTarget | None:
        """The accepted target."""
        ...

    async def save_target(self, target: StoredTarget) -> None:
        """Database and `target-last-good.json`, before anything is applied."""
        ...

    async def mark_applied(self, state_hash: str, at_ms: int) -> None:
        """The target with this hash has been reached."""
        ...

    async def attempts(self) -> tuple[Attempt, ...]:
        """Failures in a row, with deadlines on this boot's clock."""
        ...

    async def save_attempt(self, attempt: Attempt) -> None:
        """Insert or replace by (subject, step)."""
        ...

    async def clear_attempts(self, subject: Subject, step: StepKind | None = None) -> None:
        """Forget the failures of a subject, of all kinds of step when `step` is None."""
        ...

    async def intents(self) -> tuple[Intent, ...]:
        """What persons asked for, oldest first."""
        ...

    async def save_intent(self, intent: Intent) -> None:
        """Insert or replace by (kind, app, service)."""
        ...

    async def remove_intent(self, intent: Intent) -> None:
        """The wish is fulfilled or taken back."""
        ...

    async def settings(self) -> Mapping[str, str]:
        """What `config set` stored, by name."""
        ...

    async def set_setting(self, name: str, value: str | None) -> None:
        """Store a setting; None removes it."""
        ...

    async def report_baseline(self) -> Mapping[str, Any] | None:
        """The last report the cloud accepted."""
        ...

    async def save_report_baseline(self, report: Mapping[str, Any] | None) -> None:
        """Remember what the cloud accepted; None forgets it."""
        ...
