"""class CloudLogBackend: the agent's own log on its way to the cloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.logs.lines import agent_line
from iotistic.agent.logs.record import LogLevel
from iotistic.model.records import RecordClass

CARRIER_EVERY_S = 900.0
"""How often the cloud gets the same message from those who carry records to it."""
_MESSAGES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudLogSettings:
    """Whether the cloud gets lines, and which share of them by level."""

    enabled: bool
    shares: Mapping[LogLevel, float]


class Book(Protocol):
    """The log, as it can be read."""

    def records(self, *, after_seq: int = 0) -> list[dict[str, Any]]:
        """The records still in memory, oldest first."""
        ...

    def follow(self, *, after_seq: int) -> AsyncGenerator[dict[str, Any], None]:
        """The records after `after_seq`, as they come."""
        ...


class Outbox(Protocol):
    """Where lines wait for the cloud."""

    def offer(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> None:
        """Take a record; never blocks, never raises."""
        ...


class CloudLogBackend:
    """Hands the book's records to the outbox, sampled by level.

    It reads the book's memory and holds nobody up: what went out of that memory before it was read
    is counted as missed, what was left out by its share as sampled out.

    `carriers` are the components that carry records to the cloud. What they say of their work would
    be work for them again, for ever: of theirs only warnings and errors go, and the same one only
    every `CARRIER_EVERY_S`; the rest is counted as held back. `on_error` is called when an error of
    anybody else was handed over.
    """

    def __init__(
        self,
        book: Book,
        outbox: Outbox,
        *,
        settings: Callable[[], CloudLogSettings],
        carriers: frozenset[str],
        on_error: Callable[[], None],
        clock: Clock,
        rng: Random,
    ) -> None:
        self._book = book
        self._outbox = outbox
        self._settings = settings
        self._carriers = carriers
        self._on_error = on_error
        self._clock = clock
        self._rng = rng
        self._seq = 0
        self._carried: dict[tuple[str, str], float] = {}
        self._sampled_out: Counter[str] = Counter()
        self._held_back = 0
        self._missed = 0
        self._sent = 0

    async def run(self) -> None:
        """Hand over what is said until cancelled; and then what was said last."""
        try:
            async with aclosing(self._book.follow(after_seq=self._seq)) as coming:
                async for record in coming:
                    self._take(record)
        finally:
            for record in self._book.records(after_seq=self._seq):
                self._take(record)

    def counts(self) -> dict[str, Any]:
        """What became of the records since the start."""
        return {
            "handedOver": self._sent,
            "sampledOut": {str(level): self._sampled_out[level] for level in LogLevel},
            "heldBack": self._held_back,
            "missed": self._missed,
        }

    def _take(self, record: Mapping[str, Any]) -> None:
        self._missed += max(0, record["seq"] - self._seq - 1)
        self._seq = record["seq"]
        settings = self._settings()
        if not settings.enabled:
            return
        level = LogLevel(record["level"])
        share = settings.shares[level]
        if record["component"] in self._carriers:
            if not self._may_carry(level, record["component"], record["message"]):
                self._held_back += 1
                return
        elif share < 1.0 and self._rng.random() >= share:
            self._sampled_out[level] += 1
            return
        self._sent += 1
        self._outbox.offer(
            RecordClass.LOG,
            agent_line(record, boot=self._clock.boot_id),
            at_ms=record["timestamp"],
        )
        if level is LogLevel.ERROR and record["component"] not in self._carriers:
            self._on_error()

    def _may_carry(self, level: LogLevel, component: str, message: str) -> bool:
        if level.rank < LogLevel.WARN.rank:
            return False
        now_s, key = self._clock.now_s(), (component, message)
        last_s = self._carried.pop(key, None)
        if last_s is not None and now_s - last_s < CARRIER_EVERY_S:
            self._carried[key] = last_s
            return False
        while len(self._carried) >= _MESSAGES_MAX:
            del self._carried[next(iter(self._carried))]
        self._carried[key] = now_s
        return True
