"""class EventTeller: writes down what changed since it was told last."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from iotistic import __version__
from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.events.facts import EventKind, facts_of, news
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.model.errors import IotisticError
from iotistic.model.records import RecordClass
from iotistic.model.words import LogComponent

CURSOR = "events/told"
SETTLE_S = 1.0
"""A change seldom comes alone; what is different again by then is not told at all."""
LOOK_EVERY_S = 30.0
"""For what ends by time alone, as a crash loop does."""
BURST = 60
EVERY_S = 10.0
"""So often one more: an app that goes to and fro all day must not push out all the others."""
_ENDING_S = 2.0
_BOOT, _ENDED = "=boot", "=ended"


class Records(Protocol):
    """Where records wait to leave the device, and how far was told."""

    async def put_all(
        self,
        record_class: RecordClass,
        items: Sequence[tuple[int, Mapping[str, Any]]],
        *,
        cursor: tuple[str, str] | None = None,
    ) -> None:
        """Store records of (at_ms, data) and the cursor, all or none."""
        ...

    async def cursors(self, prefix: str) -> Mapping[str, str]:
        """What was stored as cursors, by name."""
        ...


class EventTeller:
    """Tells of changes, at most `BURST` at once and one every `EVERY_S` then.

    `warnings` are what stands to be said about the device itself, by code.
    """

    def __init__(
        self,
        records: Records,
        *,
        snapshot: Callable[[], Snapshot],
        clock: Clock,
        log: AgentLogger,
        warnings: Callable[[], Iterable[IotisticError]] = tuple,
    ) -> None:
        self._records = records
        self._snapshot = snapshot
        self._warnings = warnings
        self._clock = clock
        self._log = log.bind(component=LogComponent.AGENT)
        self._changed = asyncio.Event()
        self._told: dict[str, str] | None = None
        self._start: list[dict[str, Any]] = []
        self._tokens = float(BURST)
        self._filled_s = clock.now_s()

    def changed(self) -> None:
        """Something may be another way than it was told."""
        self._changed.set()

    async def run(self) -> None:
        """Tell until cancelled; then note that the agent ended in order."""
        if self._told is None:
            await self._begin()
        try:
            while True:
                self._changed.clear()
                await self._clock.sleep(SETTLE_S)
                await self.look()
                await sleep_unless(self._changed, LOOK_EVERY_S, self._clock)
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDING_S):
                    await self._write([], {**(self._told or {}), _ENDED: "yes"})
            raise

    async def look(self) -> None:
        """Tell what is new, as far as the rate allows; the rest stays new."""
        snapshot = self._snapshot()
        told = self._told or {}
        plain = {key: word for key, word in told.items() if not key.startswith("=")}
        facts = facts_of(
            snapshot,
            now_s=self._clock.now_s(),
            warnings=self._warnings(),
        )
        found = news(plain, facts, is_complete=snapshot.rounds > 0)[: self._allowed()]
        if not found and not self._start:
            return
        after = dict(told)
        for key, word, _ in found:
            if word is None:
                after.pop(key, None)
            else:
                after[key] = word
        events = [event for _, _, event in found if event]
        if await self._write([*self._start, *events], after):
            self._start = []
            self._tokens -= len(events)

    async def _begin(self) -> None:
        """Read what was told; that the agent started is told first."""
        told = _read((await self._records.cursors(CURSOR)).get(CURSOR))
        boot_id, before = self._clock.boot_id, told.get(_BOOT)
        in_order = _ENDED in told
        if before is None:
            reason = "first"
        elif before != boot_id:
            reason = "reboot"
        else:
            reason = "restart" if in_order else "crash"
        self._start = [
            {
                "event": str(EventKind.AGENT_STARTED),
                "reason": reason,
                "endedInOrder": in_order,
                "bootId": boot_id,
                "version": __version__,
            }
        ]
        told.pop(_ENDED, None)
        self._told = {**told, _BOOT: boot_id}
        await self.look()

    async def _write(self, events: Sequence[Mapping[str, Any]], told: dict[str, str]) -> bool:
        at_ms = self._clock.wall_ms()
        text = msgspec.json.encode(told, order="sorted").decode()
        try:
            await self._records.put_all(
                RecordClass.EVENT, [(at_ms, event) for event in events], cursor=(CURSOR, text)
            )
        except IotisticError as error:
            # Not told, so it is still new at the next look.
            self._log.debug("events could not be written", error=error)
            return False
        self._told = told
        return True

    def _allowed(self) -> int:
        now_s = self._clock.now_s()
        self._tokens = min(float(BURST), self._tokens + (now_s - self._filled_s) / EVERY_S)
        self._filled_s = now_s
        return int(self._tokens)


def _read(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return {}  # told once more rather than never
