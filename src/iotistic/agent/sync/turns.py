"""Which class of records goes next, how much of it, and when. Pure: times in, times out.

Times are on the boot clock, in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from iotistic.model.records import BATCH_RECORDS_MAX, RecordClass

LOG_BYTES = 256 * 1024
"""So much of log lines goes without waiting for the interval."""
ERROR_WITHIN_S = 2.0
"""After an error the log goes this soon: with the lines that follow at once, which say more."""
ALONE_MAX = 3
"""So often a record is refused alone before it is given up: that cannot be taken back."""
WEIGHTS: Mapping[RecordClass, int] = {
    RecordClass.EVENT: 16,
    RecordClass.ANOMALY: 8,
    RecordClass.READING: 4,
    RecordClass.METRIC: 2,
    RecordClass.LOG: 1,
}
"""How many batches of each class go while all of them wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierPace:
    """How soon what waits is sent: log lines, and all else.

    `with_reports`: as soon as a report was sent as well. `held` are classes that stay on the
    device for now.
    """

    log_s: float = 60.0
    other_s: float = 1.0
    compress: bool = True
    with_reports: bool = False
    held: frozenset[RecordClass] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits of a class: since when, and how many bytes. `asked_s` is when it should go for
    another reason than that it has waited long enough.
    """

    since_s: float
    bytes: int = 0
    asked_s: float = math.inf


def due_s(record_class: RecordClass, waiting: Waiting, pace: CourierPace) -> float:
    """When a class is to be sent; infinity for one that is held."""
    if record_class in pace.held:
        return math.inf
    is_log = record_class is RecordClass.LOG
    if is_log and waiting.bytes >= LOG_BYTES:
        return waiting.since_s
    span_s = pace.log_s if is_log else pace.other_s
    return min(waiting.since_s + span_s, waiting.asked_s)


@dataclass(slots=True)
class Turns:
    """Whose turn it is, when several classes wait: each gets its share of the batches.

    Smooth weighted round robin. A class that has just come gets ahead of those that have had
    their share. Source: I. Sysoev, nginx, `ngx_http_upstream_get_peer`, 2012.
    """

    _credits: dict[RecordClass, int] = field(default_factory=dict)

    def take(self, waiting: Collection[RecordClass]) -> RecordClass:
        """The class that goes now, of one or more."""
        self._credits = {
            kind: self._credits.get(kind, 0) + WEIGHTS[kind]
            for kind in RecordClass
            if kind in waiting
        }
        chosen = max(self._credits, key=lambda kind: self._credits[kind])
        self._credits[chosen] -= sum(WEIGHTS[kind] for kind in self._credits)
        return chosen


@dataclass(frozen=True, slots=True)
class Search:
    """The search for the record because of which whole batches are refused.

    It is among the oldest `suspects` (0: nothing is suspected); the oldest was sent `alone` so
    often, and refused.
    """

    suspects: int = 0
    alone: int = 0

    def batch_max(self) -> int:
        """How many records the next batch may have."""
        return max(1, self.suspects // 2) if self.suspects else BATCH_RECORDS_MAX

    def refused(self, number: int) -> Search:
        """The oldest `number` were refused."""
        return Search(number, self.alone + 1 if number == 1 else 0)

    @property
    def is_over(self) -> bool:
        """Whether the oldest is the one. What was garbled on its way is well the next time."""
        return self.alone >= ALONE_MAX

    def taken(self, number: int) -> Search:
        """The oldest `number` were taken."""
        return Search(max(0, self.suspects - number))
