"""How old records are, on a device whose clock may say anything.

Age is time that the device has lived: spans of the boot clock, put end to end over boots. What it
was switched off for is known by the wall clock alone. It is added when both its ends were read
from a clock known to be right, and not at all when it comes to more than anybody would be away:
so a clock that jumps to 2090 makes nothing old, and one that was wrong makes records live
longer, never shorter.
"""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass

from iotistic.agent.clock import Clock

GAP_MIN_S = 600.0
GAP_MAX_S = 366 * 24 * 3600.0
WRITE_EVERY_S = 60.0
"""How much of a boot's time may be forgotten when it ends: not every commit should write it."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A moment when the wall clock was right: what it said, and where it lies in lived time.

    `epoch_no` was the newest epoch then; later ones are younger than the gap that follows. Within
    its boot there is none: whatever the wall clock does, the boot clock went on.
    """

    boot_id: str
    wall_ms: int
    lived_s: float
    epoch_no: int


class LivedTime:
    """Seconds that this outbox has lived, now; on the thread."""

    def __init__(self, clock: Clock, connection: sqlite3.Connection) -> None:
        self._clock = clock
        row = connection.execute(
            "SELECT boot_id, now_s, lived_s, anchor_boot, anchor_ms, anchor_lived_s, anchor_epoch"
            " FROM age"
        ).fetchone()
        self._start_s = clock.now_s()
        self._base_s = 0.0
        self._anchor: Anchor | None = None
        if row is not None:
            boot_id, then_s, lived_s, *anchor = row
            # Within a boot the clock went on while nobody looked.
            away_s = max(0.0, self._start_s - then_s) if boot_id == clock.boot_id else 0.0
            self._base_s = lived_s + away_s
            if anchor[0] is not None:
                self._anchor = Anchor(*anchor)
        self._written_s: float | None = None

    def now_s(self) -> float:
        """Lived time."""
        return self._base_s + self._clock.now_s() - self._start_s

    def is_due(self) -> bool:
        """Whether it is time to write it down again."""
        return self._written_s is None or self.now_s() - self._written_s >= WRITE_EVERY_S

    def gap_s(self, wall_ms: int) -> tuple[float, int]:
        """(seconds, last epoch concerned): what was not lived since the last right time.

        `wall_ms` is right. Zero where it is nothing, or nothing to be believed.
        """
        if self._anchor is None or self._anchor.boot_id == self._clock.boot_id:
            return 0.0, 0
        by_wall_s = (wall_ms - self._anchor.wall_ms) / 1000
        gap_s = by_wall_s - (self.now_s() - self._anchor.lived_s)
        return (gap_s if GAP_MIN_S <= gap_s <= GAP_MAX_S else 0.0), self._anchor.epoch_no

    def write(self, connection: sqlite3.Connection, right_ms: int | None, epoch_no: int) -> None:
        """Write it down; `right_ms` is the wall clock's time, if it is known to be right."""
        lived_s = self.now_s()
        if right_ms is not None:
            self._anchor = Anchor(self._clock.boot_id, right_ms, lived_s, epoch_no)
        anchor = (None,) * 4 if self._anchor is None else astuple(self._anchor)
        connection.execute(
            "INSERT OR REPLACE INTO age VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (self._clock.boot_id, self._clock.now_s(), lived_s, *anchor),
        )
        self._written_s = lived_s
