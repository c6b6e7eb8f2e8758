"""class Follower: one container's output, from its first line to its last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any, Protocol

from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.container_logs.lines import clean, container_line, dropped_line, level_of
from iotistic.agent.container_logs.place import Place, Search
from iotistic.agent.container_logs.rate import Flood, LogRate, TokenBucket
from iotistic.agent.logs import AgentLogger, LogLevel
from iotistic.engines.protocol import ContainerLogLine
from iotistic.model.errors import IotisticError, NotFound
from iotistic.model.observation import Container
from iotistic.model.records import RecordClass
from iotistic.model.words import ContainerState

LINES_AT_ONCE = 200
BYTES_AT_ONCE = 256 * 1024
SLICE_LINES = 100
SLICE_LINE_LENGTH = 512
"""After so many lines of that length the loop's other tasks have their turn."""
FLOOD_PAUSE_S = 0.01
"""How long nothing is read after a slice of which nothing was let through: so a service that says
more than it may costs a share of one core, however much it says."""
STORE_AGAIN_S = 5.0
AGAIN_S = 1.0
LIVE_AGAIN_MAX_S = 60.0
ENDED_AGAIN_MAX_S = 300.0
PREFIX = "container-log/"
UNREADABLE = "logs-not-readable"
_MOVES_MAX = 3
_LIVE = (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)


class Engine(Protocol):
    """What is asked of the engine."""

    def logs(
        self, container_id: str, *, tail: int | None, follow: bool, since_s: float | None = None
    ) -> AsyncGenerator[ContainerLogLine, None]:
        """A container's output."""
        ...

    async def started_at(self, container_id: str) -> str | None:
        """The engine's text for when the container last started."""
        ...


class Outbox(Protocol):
    """Where lines are stored until the cloud has them."""

    async def put_all(
        self,
        record_class: RecordClass,
        items: Sequence[tuple[int, Mapping[str, Any]]],
        *,
        cursor: tuple[str, str] | None = None,
    ) -> None:
        """Store lines, and with them how far their source was read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLogSettings:
    """Whether lines are taken, how many, and which share of them by level."""

    enabled: bool
    rate: LogRate
    shares: Mapping[LogLevel, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all followers use. `mask(app_id, text)` takes the secrets out; `touched` is called when
    there is something to be stored, `on_error` when an error was.
    """

    engine: Engine
    outbox: Outbox
    clock: Clock
    rng: Random
    log: AgentLogger
    settings: Callable[[], ContainerLogSettings]
    mask: Callable[[int, str], str]
    touched: Callable[[], None]
    on_error: Callable[[], None]
    tally: Tally


@dataclass(slots=True)
class Tally:
    """What became of the lines of all services since the start."""

    stored: int = 0
    dropped: int = 0
    sampled_out: dict[LogLevel, int] = field(default_factory=lambda: dict.fromkeys(LogLevel, 0))


class _PlaceMoved(Exception):
    """The engine gave up old lines between the search for a place and the reading from there."""


class Follower:
    """Reads a container's output to its end, and again when there may be more.

    The end of the output is no end of the container: it may start again at any time. So it is
    looked at again, ever later, and at once when the container is seen in another state.
    """

    def __init__(self, container: Container, place: Place, site: Site) -> None:
        self._container = container
        self._place = place
        self._site = site
        self._log = site.log.bind(service=container.service_name, container=container.id[:12])
        self._bucket = TokenBucket()
        self._flood = Flood()
        self._items: list[tuple[int, Mapping[str, Any]]] = []
        self._bytes = 0
        self._stored = place
        self._storing = asyncio.Lock()
        self._again = asyncio.Event()
        self._gone = False
        self._moves = 0
        self._slice = 0
        self._passed_in_slice = 0
        self._clock_checked = place.nth == 0
        if place.dropped:
            site.touched()  # there is something to tell, even if nothing more comes

    @property
    def app_id(self) -> int:
        """Whose it is."""
        return self._container.app_id

    @property
    def has_work(self) -> bool:
        """Whether something was read that is not on the disk, or not told of."""
        return self._place != self._stored or bool(self._items) or self.in_flood

    @property
    def in_flood(self) -> bool:
        """Whether lines were dropped that were not told of yet."""
        return self._place.dropped > 0

    def seen(self, container: Container) -> None:
        """How the container is now."""
        before, self._container = self._container, container
        self._gone = False
        if (before.state, before.exit_code) != (container.state, container.exit_code):
            self._again.set()

    def gone(self) -> None:
        """It is not in the listing any more: what is being read is read to its end, no more."""
        if not self._gone:
            self._gone = True
            self._again.set()

    async def run(self) -> None:
        """Follow it until it is gone. May be cancelled or killed at any `await`."""
        quiet = 0
        while True:
            self._again.clear()
            before = self._place
            try:
                await self._read()
            except _PlaceMoved:
                continue
            except NotFound:
                # Only together: a listing may have left it out by mistake, and an engine that has
                # just restarted may not know it yet.
                if self._gone:
                    return
            except IotisticError as error:
                if error.code == UNREADABLE:
                    # It stays so as long as this container lives: no use in asking again.
                    self._log.info("output cannot be followed", code=error.code, error=str(error))
                    await self._until_gone()
                    return
                # That the engine does not answer is the reconciler's to say.
                self._log.debug("output broke off", code=error.code, error=str(error))
            quiet = 0 if self._place != before else quiet + 1
            await sleep_unless(self._again, self._pause_s(quiet), self._site.clock)

    async def _until_gone(self) -> None:
        while not self._gone:
            self._again.clear()
            await self._again.wait()

    async def store(self) -> None:
        """Put what was read on the disk, with the place up to which it goes."""
        async with self._storing:
            now_s = self._site.clock.now_s()
            if self._place.dropped and self._flood.is_quiet(now_s):
                self._tell_dropped()
            if self._place == self._stored and not self._items:
                return
            items, self._items, self._bytes = self._items, [], 0
            place = self._place
            await self._put(items, place)
            self._stored = place
            self._site.tally.stored += len(items)
            if any(line["level"] == LogLevel.ERROR for _, line in items):
                self._site.on_error()

    async def _read(self) -> None:
        if not self._clock_checked:
            await self._check_clock()
        place = self._place
        skip = await self._lines_before(place)
        output = self._open(place, follow=True)
        async with aclosing(output):
            async for line in output:
                if skip:
                    skip -= 1
                    if not skip and line.time_ns != place.time_ns and self._moves < _MOVES_MAX:
                        self._moves += 1
                        raise _PlaceMoved
                else:
                    await self._take(line)
                await self._breathe(line)
        if self._place.dropped:
            self._tell_dropped()
        await self.store()

    def _open(self, place: Place, *, follow: bool) -> AsyncGenerator[ContainerLogLine, None]:
        return self._site.engine.logs(
            self._container.id, tail=None, follow=follow, since_s=float(place.since_s) or None
        )

    async def _lines_before(self, place: Place) -> int:
        """How many lines from the place's second on were taken already.

        0 if the place is not there any more: then all that is left came after it.
        """
        if place.nth == 0:
            return 0
        search = Search(place)
        output = self._open(place, follow=False)
        async with aclosing(output):
            async for line in output:
                if search.found(line):
                    return search.passed
                await self._breathe(line)
        return 0

    async def _check_clock(self) -> None:
        """A container that was started before its last line was: the clock was put back.

        As after a power cut on a board that keeps no time; what it says now is older, by its
        times, than what was read.
        """
        text = await self._site.engine.started_at(self._container.id)
        self._clock_checked = True
        if text is None:
            return
        try:
            started_s = int(datetime.fromisoformat(f"{text[:19]}+00:00").timestamp())
        except ValueError:
            return
        if started_s < self._place.since_s:
            self._place = replace(self._place, since_s=max(0, started_s))

    async def _take(self, line: ContainerLogLine) -> None:
        self._place = self._place.after(line)
        if not line.rest:
            self._judge(line)
        self._site.touched()
        if len(self._items) >= LINES_AT_ONCE or self._bytes >= BYTES_AT_ONCE:
            await self.store()

    def _judge(self, line: ContainerLogLine) -> None:
        site, size = self._site, len(line.text)
        settings = site.settings()
        if not self._bucket.allows(line.time_ns, size, settings.rate):
            is_first = self._place.dropped == 0
            self._flood.dropped(line.time_ns, site.clock.now_s(), is_first=is_first)
            self._place = replace(self._place, dropped=self._place.dropped + 1)
            site.tally.dropped += 1
            return
        if self._place.dropped and self._flood.is_over(line.time_ns):
            self._tell_dropped(before_ms=line.time_ns // 1_000_000)
        self._passed_in_slice += 1
        message = site.mask(self._container.app_id, clean(line.text))
        level = level_of(message)
        share = settings.shares[level]
        if share < 1.0 and site.rng.random() >= share:
            site.tally.sampled_out[level] += 1
            return
        self._add(container_line(self._container, line, message, level))
        self._bytes += size

    def _tell_dropped(self, *, before_ms: int = 0) -> None:
        at_ms = self._flood.last_ms or before_ms or self._place.time_ns // 1_000_000
        self._add(dropped_line(self._container, self._place.dropped, at_ms))
        self._place = replace(self._place, dropped=0)

    def _add(self, line: Mapping[str, Any]) -> None:
        self._items.append((line["timestamp"], line))

    async def _breathe(self, line: ContainerLogLine) -> None:
        self._slice += 1 + len(line.text) // SLICE_LINE_LENGTH
        if self._slice < SLICE_LINES:
            return
        flooded = self._passed_in_slice == 0 and self._place.dropped > 0
        self._slice = self._passed_in_slice = 0
        if flooded:
            await self._site.clock.sleep(FLOOD_PAUSE_S)
        else:
            await asyncio.sleep(0)

    async def _put(self, items: Sequence[tuple[int, Mapping[str, Any]]], place: Place) -> None:
        """Store, however long it takes: meanwhile nothing more is read, and the engine keeps it."""
        cursor = (PREFIX + self._container.id, place.encode())
        told = False
        while True:
            try:
                await self._site.outbox.put_all(RecordClass.LOG, items, cursor=cursor)
            except IotisticError as error:
                if not told:  # once: what is said of a full disk needs room on it as well
                    self._log.warning("output not stored, trying again", code=error.code)
                told = True
                await self._site.clock.sleep(STORE_AGAIN_S)
            else:
                return

    def _pause_s(self, quiet: int) -> float:
        is_live = self._container.state in _LIVE
        longest_s = LIVE_AGAIN_MAX_S if is_live else ENDED_AGAIN_MAX_S
        span_s = min(longest_s, AGAIN_S * 2.0 ** min(quiet, 20))
        return self._site.rng.uniform(span_s / 2, span_s)
