"""`GuardedEngine`: a circuit breaker before an engine, so that one in trouble is left in peace.

    closed    every call goes through; silence is counted
    open      after FAILURES_MAX silent calls in a row: calls fail at once
    probing   now and then one call asks `info`; answered, all is closed again

Silence is a connection refused (`engine-unavailable`) or a deadline passed
(`engine-unresponsive`). An error that the engine answered with is no silence.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from random import Random
from typing import Protocol, TypeVar

from iotistic.engines.protocol import (
    ContainerLogLine,
    ContainerStats,
    Engine,
    EngineEvent,
    EngineInfo,
    EngineTraits,
    ProgressSink,
    Space,
)
from iotistic.model.container import ContainerRequest, NetworkRequest, VolumeRequest
from iotistic.model.errors import EngineUnavailable, EngineUnresponsive
from iotistic.model.image import ImageRef
from iotistic.model.observation import Container, Inspected, Resources

T = TypeVar("T")

FAILURES_MAX = 3
PROBE_FLOOR_S = 0.2
PROBE_CAP_S = 30.0
_DOUBLINGS_MAX = 10
_SILENT = frozenset({EngineUnavailable.code, EngineUnresponsive.code})


class Clock(Protocol):
    """The time that passes."""

    def now_s(self) -> float:
        """Seconds, never going back."""
        ...


def probe_after_s(probes: int, rng: Random) -> float:
    """Seconds until the next probe after `probes` that failed: exponential with full jitter."""
    ceiling_s = min(PROBE_CAP_S, 2.0 ** min(probes, _DOUBLINGS_MAX))
    return max(PROBE_FLOOR_S, rng.uniform(0.0, ceiling_s))


class Breaker:
    """Counts silent calls in a row, and says when the engine may be asked again."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._failures = 0
        self._probes = 0
        self._is_probing = False
        self._next_probe_s = 0.0
        self._because: EngineUnavailable | None = None

    @property
    def is_open(self) -> bool:
        """Calls fail at once."""
        return self._because is not None

    def refusal(self) -> EngineUnavailable | None:
        """Why a call may not go through now; None when it may, or is to probe first."""
        if self._because is None:
            return None
        wait_s = self._next_probe_s - self._clock.now_s()
        if wait_s <= 0 and not self._is_probing:
            return None
        # Rounded up a little: who comes back then finds the probe due.
        return EngineUnavailable(
            self._because.message,
            code=self._because.code,
            remedy=self._because.remedy,
            retry_after_s=max(wait_s, PROBE_FLOOR_S) + 0.01,
        )

    def failed(self, error: EngineUnavailable) -> None:
        """A call met with silence."""
        if self.is_open:
            return  # it began before; the probe's word counts
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._open(error)

    def answered(self) -> None:
        """A call was answered, be it with an error."""
        if not self.is_open:
            self._failures = 0

    def begin_probe(self) -> None:
        """One call asks whether the engine is back."""
        self._is_probing = True

    def end_probe(self, error: EngineUnavailable | None) -> None:
        """It was answered, or met with silence again."""
        self._is_probing = False
        if error is None:
            self._because, self._failures, self._probes = None, 0, 0
        else:
            self._open(error)

    def drop_probe(self) -> None:
        """Who asked has gone; the next call asks."""
        self._is_probing = False

    def _open(self, error: EngineUnavailable) -> None:
        self._because = error
        self._next_probe_s = self._clock.now_s() + probe_after_s(self._probes, self._rng)
        self._probes += 1


class GuardedEngine:
    """An engine behind a breaker. See `Engine` for what each call promises."""

    def __init__(self, engine: Engine, clock: Clock, rng: Random) -> None:
        self._engine = engine
        self.breaker = Breaker(clock, rng)

    async def _may_pass(self) -> None:
        breaker = self.breaker
        if (refusal := breaker.refusal()) is not None:
            raise refusal
        if not breaker.is_open:
            return
        breaker.begin_probe()
        try:
            await self._engine.info()
        except EngineUnavailable as error:
            # Whatever it answers instead, a probe has to succeed.
            breaker.end_probe(error)
            raise
        except BaseException:
            breaker.drop_probe()
            raise
        breaker.end_probe(None)

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._may_pass()
        try:
            found = await call()
        except EngineUnavailable as error:
            if error.code in _SILENT:
                self.breaker.failed(error)
            else:
                self.breaker.answered()
            raise
        except Exception:
            self.breaker.answered()
            raise
        self.breaker.answered()
        return found

    async def _stream(
        self, opened: Callable[[], AsyncGenerator[T, None]]
    ) -> AsyncGenerator[T, None]:
        # What ends a stream says nothing of the engine: it is not counted.
        await self._may_pass()
        async with aclosing(opened()) as items:
            async for item in items:
                yield item

    async def info(self) -> EngineInfo:
        """Which engine this is."""
        return await self._call(self._engine.info)

    async def traits(self) -> EngineTraits:
        """How it is set up."""
        return await self._call(self._engine.traits)

    async def containers(self) -> tuple[Container, ...]:
        """All containers of this device."""
        return await self._call(self._engine.containers)

    async def resources(self) -> Resources:
        """All images, networks and volumes."""
        return await self._call(self._engine.resources)

    async def started_at(self, container_id: str) -> str | None:
        """When the container last started."""
        return await self._call(lambda: self._engine.started_at(container_id))

    async def stats(self, container_id: str) -> ContainerStats | None:
        """What the container uses now."""
        return await self._call(lambda: self._engine.stats(container_id))

    async def inspect(self, container_id: str, request: ContainerRequest) -> Inspected | None:
        """What the container was really made with."""
        return await self._call(lambda: self._engine.inspect(container_id, request))

    async def space(self) -> Space | None:
        """How much room there is for images."""
        return await self._call(self._engine.space)

    async def pull(self, image: ImageRef, progress: ProgressSink, *, platform: str = "") -> None:
        """Bring the image here."""
        await self._call(lambda: self._engine.pull(image, progress, platform=platform))

    async def remove_image(self, image_id: str) -> None:
        """Remove an image."""
        await self._call(lambda: self._engine.remove_image(image_id))

    async def create_network(self, network: NetworkRequest) -> None:
        """Make a network."""
        await self._call(lambda: self._engine.create_network(network))

    async def remove_network(self, name: str) -> None:
        """Remove a network of ours."""
        await self._call(lambda: self._engine.remove_network(name))

    async def create_volume(self, volume: VolumeRequest) -> None:
        """Make a volume."""
        await self._call(lambda: self._engine.create_volume(volume))

    async def remove_volume(self, name: str) -> None:
        """Remove a volume of ours."""
        await self._call(lambda: self._engine.remove_volume(name))

    async def create_container(self, request: ContainerRequest) -> str:
        """Make a container; its id."""
        return await self._call(lambda: self._engine.create_container(request))

    async def start(self, container_id: str) -> None:
        """Start a container."""
        await self._call(lambda: self._engine.start(container_id))

    async def stop(self, container_id: str, *, grace_s: float) -> None:
        """Stop a container."""
        await self._call(lambda: self._engine.stop(container_id, grace_s=grace_s))

    async def restart(self, container_id: str, *, grace_s: float, seen_start: str | None) -> None:
        """Restart a container."""
        await self._call(
            lambda: self._engine.restart(container_id, grace_s=grace_s, seen_start=seen_start)
        )

    async def pause(self, container_id: str) -> None:
        """Freeze a container."""
        await self._call(lambda: self._engine.pause(container_id))

    async def unpause(self, container_id: str) -> None:
        """Let a container go on."""
        await self._call(lambda: self._engine.unpause(container_id))

    async def rename(self, container_id: str, name: str) -> None:
        """Give a container another name."""
        await self._call(lambda: self._engine.rename(container_id, name))

    async def remove(self, container_id: str) -> None:
        """Remove a container that ended."""
        await self._call(lambda: self._engine.remove(container_id))

    def logs(
        self, container_id: str, *, tail: int | None, follow: bool, since_s: float | None = None
    ) -> AsyncGenerator[ContainerLogLine, None]:
        """A container's output."""
        return self._stream(
            lambda: self._engine.logs(container_id, tail=tail, follow=follow, since_s=since_s)
        )

    def events(self) -> AsyncGenerator[EngineEvent, None]:
        """What happens to objects of ours."""
        return self._stream(self._engine.events)

    async def close(self) -> None:
        """Let go of connections."""
        await self._engine.close()
