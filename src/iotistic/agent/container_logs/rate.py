"""How much of a service is let through."""

from __future__ import annotations

from dataclasses import dataclass

_SECOND_NS = 1_000_000_000
QUIET_S = 2.0
"""After so long without a dropped line a flood is over."""
TOLD_AT_LEAST_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRate:
    """Lines and bytes a second on the whole, and how many lines at once after a quiet time.

    Of bytes as many seconds' worth are let through at once as of lines.
    """

    lines_s: float
    burst: int
    bytes_s: float

    @property
    def burst_bytes(self) -> float:
        """Bytes at once."""
        return self.bytes_s * self.burst / self.lines_s


class TokenBucket:
    """Lets lines through by the time at which they were written, not at which they are read.

    So what a service said evenly while nobody listened comes through whole when it is read at
    once.
    """

    def __init__(self) -> None:
        self._lines = 0.0
        self._bytes = 0.0
        self._at_ns: int | None = None

    def allows(self, time_ns: int, size: int, rate: LogRate) -> bool:
        """Whether a line of `size` bytes is let through. Costs the same whatever came before."""
        if self._at_ns is None:
            self._lines, self._bytes = float(rate.burst), rate.burst_bytes
        else:
            # A clock that was put back fills nothing up, and is the new time from then on.
            passed_s = max(0, time_ns - self._at_ns) / _SECOND_NS
            self._lines = min(float(rate.burst), self._lines + passed_s * rate.lines_s)
            self._bytes = min(rate.burst_bytes, self._bytes + passed_s * rate.bytes_s)
        self._at_ns = time_ns
        # A line longer than all that is ever let through at once passes when nothing else has.
        if self._lines < 1.0 or self._bytes < min(float(size), rate.burst_bytes):
            return False
        self._lines -= 1.0
        self._bytes -= min(float(size), self._bytes)
        return True


class Flood:
    """When to tell of lines that were dropped: at the end, and now and then during a long one."""

    def __init__(self) -> None:
        self._first_ns = 0
        self._last_ns = 0
        self._seen_s = 0.0
        self.last_ms = 0

    def dropped(self, time_ns: int, now_s: float, *, is_first: bool) -> None:
        """A line of that time was dropped; the first of those that were not told of yet."""
        if is_first:
            self._first_ns = time_ns
        self._last_ns, self._seen_s = time_ns, now_s
        self.last_ms = time_ns // 1_000_000

    def is_over(self, time_ns: int) -> bool:
        """Whether to tell before a line of that time, which is let through."""
        return (
            abs(time_ns - self._last_ns) >= QUIET_S * _SECOND_NS
            or time_ns - self._first_ns >= TOLD_AT_LEAST_EVERY_S * _SECOND_NS
        )

    def is_quiet(self, now_s: float) -> bool:
        """Whether to tell although nothing more came."""
        return now_s - self._seen_s >= QUIET_S
