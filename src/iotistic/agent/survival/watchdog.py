"""Tells the service manager (systemd) that the agent lives, as long as nothing in it is stuck."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

from iotistic.agent.host.service_manager import sd_notify
from iotistic.agent.logs import AgentLogger
from iotistic.agent.survival.progress import Progress
from iotistic.model.words import LogComponent

STATUS_EVERY_S = 10.0
_PING_SHARE = 1 / 3
_STATUS_LENGTH_MAX = 200


def watchdog_s(environment: Mapping[str, str], pid: int) -> float | None:
    """Within how many seconds the service manager wants to hear of process `pid`; None: never.

    Source: sd_watchdog_enabled(3).
    """
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    try:
        span_us = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return span_us / 1_000_000 if span_us > 0 else None


class Watchdog:
    """Pings from the event loop, so a loop that hangs is silent; and not while a room is stuck.

    The network and the engine have no say: rooms that wait for them keep their promises.
    """

    def __init__(
        self,
        progress: Progress,
        status: Callable[[], str],
        log: AgentLogger,
        *,
        environment: Mapping[str, str] | None = None,
        pid: int | None = None,
    ) -> None:
        self._environment = dict(os.environ) if environment is None else environment
        self._pid = os.getpid() if pid is None else pid
        self._progress = progress
        self._status = status
        self._log = log.bind(component=LogComponent.SUPERVISOR)
        self._told = ""
        self._is_silent = False

    @property
    def is_wanted(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self._environment.get("NOTIFY_SOCKET"))

    async def run(self) -> None:
        """Tell until cancelled."""
        within_s = watchdog_s(self._environment, self._pid)
        every_s = STATUS_EVERY_S
        if within_s is not None:
            every_s = min(every_s, within_s * _PING_SHARE)
        while True:
            self._tell(pings=within_s is not None)
            await asyncio.sleep(every_s)

    def _tell(self, *, pings: bool) -> None:
        late = self._progress.late
        status = f"stuck: {', '.join(late)}" if late else self._status()
        lines = []
        if status != self._told:
            lines.append(f"STATUS={' '.join(status.split())[:_STATUS_LENGTH_MAX]}")
        if pings and not late:
            lines.append("WATCHDOG=1")
        if late and not self._is_silent:
            self._log.error("no progress, the service manager is told no more", rooms=list(late))
        self._is_silent = bool(late)
        if lines and sd_notify("\n".join(lines), self._environment):
            self._told = status
