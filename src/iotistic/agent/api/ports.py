"""What the Device API asks of the other rooms. `app` hands in the real ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from iotistic.agent.api.kept_ports import Journal, Locks, Outbox, Store
from iotistic.agent.config import Judgement
from iotistic.agent.provisioning.factory_reset import ResetPlan
from iotistic.agent.provisioning.status import ProvisioningStatus
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.settings import SettingRow
from iotistic.agent.supervisor import ServiceHealth
from iotistic.agent.sync import SyncOutcome, SyncStatus
from iotistic.agent.telemetry.metrics import Details, Metrics
from iotistic.engines.protocol import ContainerLogLine, EngineInfo, EngineTraits, Space
from iotistic.model.errors import IotisticError
from iotistic.model.observation import Resources
from iotistic.model.secret import Secret
from iotistic.planner.foresight import Foreseen
from iotistic.planner.step import Plan
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import Intent, Subject, World

__all__ = ["Journal", "Locks", "Outbox", "Store"]


class AgentProcess(Protocol):
    """The running agent. `started_at_ms` is a wall-clock label, `started_s` on the boot clock."""

    version: str
    engine_kind: str
    pid: int
    started_at_ms: int
    started_s: float
    state_dir: Path
    database_path: Path

    def restart(self) -> None:
        """End in order and come back; returns at once."""
        ...

    def settings_changed(self) -> None:
        """Put settings in force that count at once."""
        ...


class WallClock(Protocol):
    """What the wall clock is worth."""

    @property
    def synced(self) -> bool:
        """Whether a time client keeps it right."""
        ...

    @property
    def problem(self) -> IotisticError | None:
        """Why it cannot be right."""
        ...


class Readings(Protocol):
    """The host's and the containers' figures."""

    @property
    def details(self) -> Details:
        """Those that cost more to read, as they were read last."""
        ...

    async def read(self) -> Metrics:
        """Those that are cheap to read; OSError when that fails."""
        ...


class Traffic(Protocol):
    """The account of what the link to the cloud costs."""

    def as_json(self, *, days: int) -> dict[str, Any]:
        """Today, this month, and the last days."""
        ...


class SafeMode(Protocol):
    """Whether anything is applied in this run."""

    @property
    def is_on(self) -> bool:
        """Nothing is."""
        ...

    def as_json(self) -> dict[str, Any]:
        """How it stands."""
        ...

    async def leave(self, because: str) -> bool:
        """Begin anew and apply; False when this is no safe mode."""
        ...


class Reconciler(Protocol):
    """The one loop that owns the engine."""

    @property
    def wanted(self) -> Wanted:
        """The target as the planner uses it."""
        ...

    def snapshot(self) -> Snapshot:
        """The last round's facts and decisions."""
        ...

    async def look(self) -> Plan:
        """A fresh look and its plan, kept in the snapshot; raises EngineUnavailable."""
        ...

    def wake(self) -> None:
        """Look again soon."""
        ...

    def last_words(self, subject: Subject) -> Sequence[str]:
        """The last lines of a service's container that ended and was made anew."""
        ...

    async def intend(self, intent: Intent) -> None:
        """Store a person's wish, then look."""
        ...

    async def withdraw(self, intent: Intent) -> None:
        """Take a wish back, then look."""
        ...

    async def forget_failures(self, subjects: list[Subject]) -> None:
        """Try again at once what is waiting after failures."""
        ...

    async def retry(self, app_id: int) -> None:
        """Try a release again that was taken back, and whatever failed of the app."""
        ...

    async def foresee(self, document: Any = None) -> tuple[World, Wanted, Foreseen]:
        """What would happen, by the target held now or by one that is not applied.

        Changes nothing. Raises InvalidField or EngineUnavailable.
        """
        ...


class Engine(Protocol):
    """What the API may ask of the engine: to look and to listen, never to change anything."""

    async def info(self) -> EngineInfo:
        """Which engine this is; also the check whether it answers."""
        ...

    async def traits(self) -> EngineTraits:
        """How it is set up."""
        ...

    async def resources(self) -> Resources:
        """Images, and this device's networks and volumes."""
        ...

    async def space(self) -> Space | None:
        """How much room there is where the engine keeps images; None: not to be seen."""
        ...

    async def started_at(self, container_id: str) -> str | None:
        """The engine's text for when the container last started."""
        ...

    def logs(
        self, container_id: str, *, tail: int, follow: bool, since_s: float | None = None
    ) -> AsyncGenerator[ContainerLogLine, None]:
        """A container's output; who leaves it early closes it."""
        ...


class Cloud(Protocol):
    """The link to the cloud."""

    def status(self) -> SyncStatus | None:
        """How the link is; None on a device without a cloud."""
        ...

    async def sync_now(self) -> SyncOutcome:
        """Poll and report now; has no deadline. Raises Refused or CloudUnavailable."""
        ...


class CurrentState(Protocol):
    """How things are, as they are reported."""

    async def gather(self, accepted: Mapping[str, Any] | None) -> dict[str, Any]:
        """The document now; whole with None."""
        ...


class Provisioning(Protocol):
    """Joining a cloud and leaving it; errors as `DeviceManager` says."""

    @property
    def machine_matches(self) -> bool:
        """Whether this state folder was made on this machine."""
        ...

    def status(self) -> ProvisioningStatus:
        """How it stands now."""
        ...

    async def provision(
        self,
        key: str,
        *,
        endpoint: str | None = None,
        device_name: str | None = None,
        device_type: str | None = None,
        ca: str | None = None,
    ) -> ProvisioningStatus:
        """Store the wish to join; the rest goes on in the background. `ca`: PEM text or a pin."""
        ...

    async def deprovision(self) -> bool:
        """Leave the cloud; whether it knows already."""
        ...

    async def set_endpoint(self, endpoint: str, *, ca_cert: str | None = None) -> None:
        """Change the cloud's address once the new one answered; else all is as before."""
        ...

    async def describe_reset(
        self, *, keep_volumes: bool = False, keep_identity: bool = False
    ) -> ResetPlan:
        """List what a factory reset would remove."""
        ...

    async def factory_reset(
        self, confirm: str, *, keep_volumes: bool = False, keep_identity: bool = False
    ) -> None:
        """Store the wish to start over; it is carried out over any crash."""
        ...

    async def renew_identity(self, confirm: str) -> None:
        """Make a copied disk a device of its own."""
        ...


class Settings(Protocol):
    """The settings in force, and where each value comes from."""

    def secrets(self) -> list[Secret]:
        """Every secret value that is set."""
        ...

    def rows(self) -> list[SettingRow]:
        """All settings, sorted by name."""
        ...

    def row(self, name: str) -> SettingRow:
        """One setting; raises NotFound (`setting-not-found`)."""
        ...

    def check_change(self, name: str, text: str | None) -> None:
        """Raise when a local value cannot be set (or, with None, removed)."""
        ...

    def change(self, name: str, text: str | None) -> None:
        """Put a local value in force that was checked and stored."""
        ...


class Config(Protocol):
    """The cloud's say in the settings."""

    def judgement(self) -> Judgement:
        """What came of each key of the target's config, as things are now."""
        ...


class LogBook(Protocol):
    """The agent's own log."""

    def records(self) -> list[dict[str, Any]]:
        """The records still in memory, oldest first."""
        ...

    def follow(self, *, after_seq: int) -> AsyncGenerator[dict[str, Any], None]:
        """Records after that one, as they come; who leaves it early closes it."""
        ...


class Supervision(Protocol):
    """How the agent's own services fare."""

    @property
    def services(self) -> Mapping[str, ServiceHealth]:
        """Every service by name."""
        ...

    @property
    def healthy(self) -> bool:
        """No service waits to be started again."""
        ...
