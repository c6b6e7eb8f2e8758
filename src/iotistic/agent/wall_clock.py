"""What the wall clock of this device is worth. It is a label only, but certificates are judged by
it, and people read it.

Three things are known without a network: whether a time client keeps it right, that no time
before this version was made can be, and that time does not go back behind what was last written
down. A clock that is wrong stops nothing: it is told, and looked at again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from iotistic.agent.clock import Clock
from iotistic.agent.host.files import durable_write, read_small
from iotistic.agent.logs import AgentLogger
from iotistic.model.errors import IotisticError
from iotistic.model.words import LogComponent

BUILT_MS = 1_735_689_600_000
"""2025-01-01. An earlier date is that of a clock that was never set: no device with this agent has
it, and no certificate of a cloud that runs today began to be valid before."""
YEAR_MS = 365 * 86_400_000
FUTURE_MS = BUILT_MS + 20 * YEAR_MS
"""Nobody runs this version then."""
LAST_TIME_FILE = "last-time"
SLACK_MS = 2 * 86_400_000
"""How far back behind the time last written down is still believed: somebody may have set it."""
LOOK_EVERY_S = 60.0
WRITE_EVERY_S = 6 * 3600.0
ASK_EVERY_S = 2.0
"""How long an answer about synchronization holds: it is asked for with every record."""
_FILE_BYTES_MAX = 32
_REMEDY = "set the time, or give it a time server: timedatectl set-ntp true"


def implausible(wall_ms: int, *, last_ms: int | None = None) -> IotisticError | None:
    """Why the wall clock cannot be right; None when it can. `last_ms`: written down earlier."""
    if wall_ms < BUILT_MS:
        what = f"the clock of this device is not set: it says {day(wall_ms)}"
    elif wall_ms > FUTURE_MS:
        what = f"the clock of this device is far ahead: it says {day(wall_ms)}"
    elif last_ms is not None and wall_ms < last_ms - SLACK_MS:
        what = (
            f"the clock of this device went back: it says {day(wall_ms)},"
            f" and {day(last_ms)} has been already"
        )
    else:
        return None
    return IotisticError(
        f"{what}; certificates cannot be judged by it", code="clock-implausible", remedy=_REMEDY
    )


def day(wall_ms: int) -> str:
    """A date for people, in UTC; whatever a broken clock says."""
    try:
        return f"{datetime.fromtimestamp(wall_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{wall_ms} ms"


class WallClock:
    """Judges the wall clock, and writes its time down now and then, as the floor for later.

    `folder` is the agent's state folder, `last_ms` what was written there (`last_time`). `synced`
    asks whether a time client keeps it right.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        synced: Callable[[], bool],
        folder: Path,
        last_ms: int | None,
        log: AgentLogger,
    ) -> None:
        self._clock = clock
        self._ask_synced = synced
        self._synced = False
        self._ask_due_s = -math.inf
        self._path = folder / LAST_TIME_FILE
        self._log = log.bind(component=LogComponent.AGENT)
        self._last_ms = last_ms
        self._write_due_s = clock.now_s()
        self._told: tuple[bool, str | None] | None = None

    @property
    def synced(self) -> bool:
        """Whether a time client keeps it right."""
        now_s = self._clock.now_s()
        if now_s >= self._ask_due_s:
            self._ask_due_s = now_s + ASK_EVERY_S
            self._synced = self._ask_synced()
        return self._synced

    @property
    def problem(self) -> IotisticError | None:
        """Why it cannot be right (`clock-implausible`); None when it can.

        What a time client set is believed against what was written down: that may come from a
        time when the clock was wrong.
        """
        last_ms = None if self.synced else self._last_ms
        return implausible(self._clock.wall_ms(), last_ms=last_ms)

    def warnings(self) -> tuple[IotisticError, ...]:
        """What somebody should know of it."""
        problem = self.problem
        return () if problem is None else (problem,)

    @property
    def in_doubt(self) -> bool:
        """Whether a certificate that is out of its time may only seem so."""
        return not self.synced or self.problem is not None

    async def run(self) -> None:
        """Tell when it changes, and write the time down, until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once."""
        problem, synced = self.problem, self.synced
        self._tell(problem, synced=synced)
        if problem is None and self._clock.now_s() >= self._write_due_s:
            self._write_due_s = self._clock.now_s() + WRITE_EVERY_S
            wall_ms = self._clock.wall_ms()
            if self._last_ms is None or wall_ms > self._last_ms or synced:
                await self._write(wall_ms)

    async def _write(self, wall_ms: int) -> None:
        self._last_ms = wall_ms
        try:
            await asyncio.to_thread(durable_write, self._path, b"%d\n" % wall_ms)
        except (OSError, IotisticError) as error:
            # Only the floor of a later start is lower for it.
            self._log.debug("the time could not be written down", error=str(error))

    def _tell(self, problem: IotisticError | None, *, synced: bool) -> None:
        told = (synced, problem.code if problem else None)
        if told == self._told:
            return
        first, self._told = self._told is None, told
        if problem is not None:
            self._log.warning("the clock cannot be right", error=problem, remedy=problem.remedy)
        elif not first or synced:
            self._log.info("the clock", synced=synced, date=day(self._clock.wall_ms()))


def last_time(folder: Path) -> int | None:
    """The wall clock's time that was written there last; None without one. Reads a file."""
    try:
        text = (read_small(folder / LAST_TIME_FILE, _FILE_BYTES_MAX) or b"").strip()
    except OSError:
        return None
    if not text.isdigit() or len(text) > _FILE_BYTES_MAX:
        return None
    value = int(text)
    # What was written by a clock that could not be right is no floor.
    return value if BUILT_MS <= value <= FUTURE_MS else None
