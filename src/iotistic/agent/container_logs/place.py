"""How far a container's output was read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from iotistic.engines.protocol import ContainerLogLine

SLACK_S = 1
"""A container's two streams may pass one another by so much."""
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The last line that was taken, found again by asking for what came from `since_s` on.

    It is the `nth` line of the instant `time_ns` in there (0: none was taken yet). Not its time
    alone: several lines may be of one instant, and what comes after it may well be of an earlier
    one, when streams pass one another or a clock is put back. `dropped` lines before it were
    neither taken nor told of.
    """

    since_s: int = 0
    time_ns: int = 0
    nth: int = 0
    dropped: int = 0

    def after(self, line: ContainerLogLine) -> Place:
        """The place once this line, the next one, has been taken."""
        if line.time_ns <= 0:
            return self  # the engine gave no time, so it could not be found again
        if line.time_ns == self.time_ns:
            return replace(self, nth=self.nth + 1)
        since_s = max(0, line.time_ns // _SECOND_NS - SLACK_S)
        return replace(self, since_s=since_s, time_ns=line.time_ns, nth=1)

    def encode(self) -> str:
        """As it is stored."""
        return msgspec.json.encode((self.since_s, self.time_ns, self.nth, self.dropped)).decode()


def decode_place(text: str) -> Place | None:
    """A stored place; None for what another version stored and nobody can read."""
    try:
        values = msgspec.json.decode(text, type=tuple[int, int, int, int])
    except msgspec.DecodeError:
        return None
    since_s, time_ns, nth, dropped = (max(0, value) for value in values)
    return Place(since_s=since_s, time_ns=time_ns, nth=nth, dropped=dropped)


class Search:
    """Counts the lines from `place.since_s` on up to the last one that was taken."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._hits = 0
        self.passed = 0

    def found(self, line: ContainerLogLine) -> bool:
        """Whether this, the next line, is the one."""
        self.passed += 1
        self._hits += line.time_ns == self._place.time_ns
        return self._hits == self._place.nth
