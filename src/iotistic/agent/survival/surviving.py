"""Which rooms a run has: all of them, or in safe mode the few that apply nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.running import Room
from iotistic.agent.survival.progress import Progress
from iotistic.agent.survival.safe_mode import SafeMode
from iotistic.agent.survival.status_line import status_line
from iotistic.agent.survival.watchdog import Watchdog
from iotistic.agent.sync import SyncStatus

IN_SAFE_MODE = frozenset(
    {
        "device-api",
        "provisioning",
        "cloud-sync",
        "traffic",
        "cloud-logs",
        "events",
        "storage",
        "wall-clock",
    }
)


def surviving(
    rooms: Iterable[Room],
    *,
    safe_mode: SafeMode,
    progress: Progress,
    snapshot: Callable[[], Snapshot],
    cloud: Callable[[], SyncStatus | None],
    log: AgentLogger,
) -> tuple[Room, ...]:
    """The rooms that run, with those that see to the agent's own life."""

    def line() -> str:
        status = cloud()
        state = str(status.state) if status is not None else None
        return status_line(snapshot(), cloud=state, is_safe=safe_mode.is_on)

    kept = [
        Room(room.name, progress.until_end(room.name, room.run))
        for room in rooms
        if not safe_mode.is_on or room.name in IN_SAFE_MODE
    ]
    watchdog = Watchdog(progress, line, log)
    if watchdog.is_wanted:
        kept.append(Room("watchdog", watchdog.run))
    return (*kept, Room("safe-mode", safe_mode.run))
