"""One run of the agent: its rooms under their supervisor, from the first to how it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from random import Random
from typing import Any

from iotistic import __version__
from iotistic.agent.clock import Clock
from iotistic.agent.host.service_manager import sd_notify
from iotistic.agent.logs import LogBook
from iotistic.agent.supervisor import Supervision, supervise

Run = Callable[[], Coroutine[Any, Any, None]]


class Ending(Enum):
    """How a run of the agent ended."""

    STOPPED = auto()
    RESTART = auto()
    """A fresh process is to take over: a person asked, or the state was replaced."""


@dataclass(slots=True, kw_only=True)
class AgentProcess:
    """The running agent, as the Device API tells of it."""

    engine_kind: str
    state_dir: Path
    database_path: Path
    started_at_ms: int
    started_s: float
    apply_settings: Callable[[], None]
    version: str = __version__
    pid: int = field(default_factory=os.getpid)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    def restart(self) -> None:
        """End in order and come back."""
        self.ending.set()

    def settings_changed(self) -> None:
        """Put settings in force that count at once."""
        self.apply_settings()


@dataclass(frozen=True, slots=True)
class Room:
    """A room as the supervisor knows it."""

    name: str
    run: Run


class Running:
    """The rooms of one run, and how it ends."""

    process: AgentProcess

    def __init__(self, book: LogBook, clock: Clock, rng: Random) -> None:
        self._log = book.logger()
        self._clock = clock
        self._rng = rng
        self.on_ending: Callable[[], None] = lambda: None
        self.supervision = Supervision()
        self.ending = asyncio.Event()
        self.rooms: tuple[Room, ...] = ()

    def restart(self) -> None:
        """End in order; a fresh process takes over."""
        self.ending.set()

    async def run(self) -> Ending:
        """Run all rooms until cancelled or until a restart is asked for."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    supervise(
                        room,
                        clock=self._clock,
                        rng=self._rng,
                        log=self._log,
                        register=self.supervision,
                    ),
                    name=room.name,
                )
                for room in self.rooms
            ]
            self._log.info("agent started", version=__version__, pid=self.process.pid)
            sd_notify("READY=1")
            try:
                await self.ending.wait()
                # Not "stopping": the service manager would kill what takes over.
                sd_notify("STATUS=restarting")
                self.on_ending()
            except asyncio.CancelledError:
                sd_notify("STOPPING=1")
                raise
            finally:
                self._log.info("agent ends, services go on")
                for task in tasks:
                    task.cancel()
        return Ending.RESTART
