"""Everything the handlers work with, in one hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iotistic.agent.api import ports
from iotistic.agent.api.rows import Facts
from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.model.errors import IotisticError
from iotistic.planner.policy import Policy


@dataclass(slots=True)
class Listening:
    """Where the API can be reached. `problems` are why a way in is missing, by way."""

    port: int | None = None
    problems: dict[str, IotisticError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The rooms of the agent that the API speaks for.

    `runtime_dir` is the folder in memory for secrets of services.
    """

    agent: ports.AgentProcess
    store: ports.Store
    outbox: ports.Outbox
    reconciler: ports.Reconciler
    engine: ports.Engine
    provisioning: ports.Provisioning
    cloud: ports.Cloud
    current: ports.CurrentState
    settings: ports.Settings
    config: ports.Config
    book: ports.LogBook
    supervision: ports.Supervision
    clock: Clock
    wall_clock: ports.WallClock
    readings: ports.Readings
    log: AgentLogger
    policy: Policy = field(default_factory=Policy)
    storage: Callable[[], Sequence[IotisticError]] = tuple
    """What somebody should know of the state folder."""
    link: Callable[[], Sequence[IotisticError]] = tuple
    """What somebody should know of the link to the cloud."""
    traffic: ports.Traffic | None = None
    safe_mode: ports.SafeMode | None = None
    runtime_dir: Path | None = None
    logs: Callable[[], Mapping[str, Any]] = dict
    """What became of log lines since the start."""
    listening: Listening = field(default_factory=Listening)

    def facts(self) -> Facts:
        """All that is known now."""
        return Facts(
            snapshot=self.reconciler.snapshot(),
            wanted=self.reconciler.wanted,
            now_s=self.clock.now_s(),
            wall_ms=self.clock.wall_ms(),
        )
