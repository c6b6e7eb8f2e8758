"""`SimulatedEngine`: a whole container engine without containers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TypeVar

from iotistic.engines.protocol import (
    ContainerLogLine,
    ContainerStats,
    EngineEvent,
    EngineInfo,
    EngineTraits,
    ProgressSink,
    PullProgress,
    Space,
)
from iotistic.engines.simulated import stock
from iotistic.engines.simulated.access import Access, EngineClock
from iotistic.engines.simulated.calls import Calls, Latencies, check_up
from iotistic.engines.simulated.daemon import Daemon
from iotistic.engines.simulated.faults import FaultKind
from iotistic.engines.simulated.images import SimulatedRegistry
from iotistic.engines.simulated.inspection import inspected
from iotistic.engines.simulated.outside import Outside
from iotistic.engines.simulated.shelf import MemoryShelf, Shelf
from iotistic.engines.simulated.stats import used
from iotistic.engines.simulated.streams import follow_events, follow_logs
from iotistic.model.container import ContainerRequest, NetworkRequest, VolumeRequest
from iotistic.model.errors import Refused
from iotistic.model.image import ImageRef
from iotistic.model.naming import device_labels
from iotistic.model.observation import Container, Inspected, Resources
from iotistic.model.words import ContainerState

T = TypeVar("T")

_PULL_PARTS = 10


class SimulatedEngine:
    """An engine for one device, in memory or (with a `FileShelf`) in a file.

    Faults are ordered through `faults`; `calls` counts the calls by the name of the method. What
    others do to the engine is in `outside`.
    """

    def __init__(
        self,
        uuid: str,
        clock: EngineClock,
        *,
        shelf: Shelf | None = None,
        registry: SimulatedRegistry | None = None,
        latencies: Latencies | None = None,
    ) -> None:
        self._uuid = uuid
        self._access = Access(shelf or MemoryShelf(), clock)
        self._calls = Calls(self._access, latencies or Latencies())
        self.outside = Outside(self._access)
        self.registry = registry or SimulatedRegistry(everything=True)
        self.faults = self._calls.faults
        self.calls = self._calls.counts

    # The Protocol

    async def info(self) -> EngineInfo:
        """Which engine this is."""
        await self._calls.make("info", "", lambda _: None, takes_s=self._calls.latencies.list_s)
        return EngineInfo(kind="simulated", version="1", api_version="1.41")

    async def traits(self) -> EngineTraits:
        """How it is set up."""
        await self._calls.make("traits", "", lambda _: None, takes_s=self._calls.latencies.list_s)
        return EngineTraits(storage_driver="memory", live_restore=True)

    async def containers(self) -> tuple[Container, ...]:
        """All containers with this device's label."""
        return await self._calls.make(
            "containers",
            "",
            lambda daemon: daemon.state.observed(self._uuid, daemon.now_s),
            takes_s=self._calls.latencies.list_s,
        )

    async def resources(self) -> Resources:
        """All images, and the networks and volumes with this device's label."""
        return await self._calls.make(
            "resources",
            "",
            lambda daemon: daemon.state.resources(self._uuid),
            takes_s=self._calls.latencies.list_s,
        )

    async def started_at(self, container_id: str) -> str | None:
        """The text for when the container last started; None when it is not there."""

        def look(daemon: Daemon) -> str | None:
            found = daemon.state.containers.get(container_id)
            return None if found is None else found.started_text

        return await self._calls.make(
            "started_at", container_id, look, takes_s=self._calls.latencies.list_s
        )

    async def stats(self, container_id: str) -> ContainerStats | None:
        """What the container used since its start; None when it does not run."""

        def look(daemon: Daemon) -> ContainerStats | None:
            found = daemon.state.containers.get(container_id)
            return None if found is None else used(found, daemon.now_s)

        return await self._calls.make(
            "stats", container_id, look, takes_s=self._calls.latencies.list_s
        )

    async def inspect(self, container_id: str, request: ContainerRequest) -> Inspected | None:
        """What the container was made with; None when it is not there."""

        def look(daemon: Daemon) -> Inspected | None:
            found = daemon.state.containers.get(container_id)
            return None if found is None else inspected(found, request)

        return await self._calls.make(
            "inspect", container_id, look, takes_s=self._calls.latencies.list_s
        )

    async def space(self) -> Space | None:
        """How much room there is on its disk."""
        return await self._calls.make(
            "space",
            "",
            lambda daemon: Space(
                free_bytes=daemon.state.free_bytes, total_bytes=daemon.state.disk_bytes
            ),
            takes_s=self._calls.latencies.list_s,
        )

    async def pull(self, image: ImageRef, progress: ProgressSink, *, platform: str = "") -> None:
        """Bring an image of the registry here."""
        name = image.canonical
        fault = await self._calls.begin("pull", name)
        await self._access.apply(check_up)
        if fault is not None and fault.kind is FaultKind.FAIL:
            raise fault.error(f"pull {image}")
        found = self.registry.find(image)
        if found is None or not found.is_for(platform):
            raise Refused(f"pull {image}: manifest unknown {platform}", code="image-not-found")
        for part in range(1, _PULL_PARTS + 1):
            await self._calls.take_time(self._calls.latencies.pull_s / _PULL_PARTS)
            progress(
                PullProgress(
                    done_bytes=found.size_bytes * part // _PULL_PARTS, total_bytes=found.size_bytes
                )
            )
            if fault is not None and fault.kind is FaultKind.HALF_DO and part == _PULL_PARTS // 2:
                raise fault.error(f"pull {image}")

        def keep(daemon: Daemon) -> None:
            check_up(daemon)
            stock.check_room(daemon.state, found)
            stock.add_image(daemon.state, found, name)

        await self._access.apply(keep)
        if fault is not None and fault.kind is FaultKind.LOSE_REPLY:
            raise fault.error(f"pull {image}")

    async def remove_image(self, image_id: str) -> None:
        """Remove an image under all its names."""
        await self._calls.make(
            "remove_image",
            image_id,
            lambda daemon: stock.remove_image(daemon.state, image_id),
            half=lambda daemon: stock.forget_image(daemon.state, image_id, names_max=1),
        )

    async def create_network(self, network: NetworkRequest) -> None:
        """Make a network."""
        await self._calls.make(
            "create_network",
            network.name,
            lambda daemon: stock.create_network(daemon.state, self._uuid, network),
        )

    async def remove_network(self, name: str) -> None:
        """Remove a network of ours."""
        await self._calls.make(
            "remove_network",
            name,
            lambda daemon: stock.remove_network(daemon.state, self._uuid, name),
        )

    async def create_volume(self, volume: VolumeRequest) -> None:
        """Make a volume."""
        await self._calls.make(
            "create_volume",
            volume.name,
            lambda daemon: stock.create_volume(daemon.state, self._uuid, volume),
        )

    async def remove_volume(self, name: str) -> None:
        """Remove a volume of ours."""
        await self._calls.make(
            "remove_volume",
            name,
            lambda daemon: stock.remove_volume(daemon.state, self._uuid, name),
        )

    async def create_container(self, request: ContainerRequest) -> str:
        """Make a container and join its networks, without starting it. Returns its id."""
        labels = {**dict(request.labels), **device_labels(self._uuid)}
        return await self._calls.make(
            "create_container",
            request.name,
            lambda daemon: daemon.create(request, labels, networks=len(request.networks)),
            half=lambda daemon: daemon.create(request, labels, networks=1),
        )

    async def start(self, container_id: str) -> None:
        """Start a created or ended container."""
        await self._calls.make(
            "start",
            container_id,
            lambda daemon: daemon.start(daemon.find(container_id)),
            takes_s=self._calls.latencies.start_s,
        )

    async def stop(self, container_id: str, *, grace_s: float) -> None:
        """Ask it to end, and after `grace_s` make it."""

        def stop(daemon: Daemon) -> None:
            found = daemon.state.containers.get(container_id)
            if found is not None:
                daemon.stop(found)

        await self._calls.make(
            "stop",
            container_id,
            stop,
            half=lambda daemon: daemon.unpause(daemon.find(container_id)),
            takes_s=await self._stopping_s(container_id, grace_s),
        )

    async def restart(self, container_id: str, *, grace_s: float, seen_start: str | None) -> None:
        """Restart it, unless it has started since `seen_start`."""

        def restart(daemon: Daemon) -> None:
            found = daemon.find(container_id)
            if seen_start in (None, found.started_text):
                daemon.stop(found)
                daemon.start(found)

        await self._calls.make(
            "restart",
            container_id,
            restart,
            half=lambda daemon: daemon.stop(daemon.find(container_id)),
            takes_s=await self._stopping_s(container_id, grace_s) + self._calls.latencies.start_s,
        )

    async def pause(self, container_id: str) -> None:
        """Freeze its program."""
        await self._calls.make(
            "pause", container_id, lambda daemon: daemon.pause(daemon.find(container_id))
        )

    async def unpause(self, container_id: str) -> None:
        """Let it go on."""
        await self._calls.make(
            "unpause", container_id, lambda daemon: daemon.unpause(daemon.find(container_id))
        )

    async def rename(self, container_id: str, name: str) -> None:
        """Give it another name."""
        await self._calls.make(
            "rename", container_id, lambda daemon: daemon.rename(daemon.find(container_id), name)
        )

    async def remove(self, container_id: str) -> None:
        """Remove an ended (or never started, or dead) container. Volumes stay."""

        def remove(daemon: Daemon) -> None:
            found = daemon.state.containers.get(container_id)
            if found is not None:
                daemon.remove(found)

        def half(daemon: Daemon) -> None:
            found = daemon.find(container_id)
            if not found.active:
                found.state = ContainerState.DEAD

        await self._calls.make("remove", container_id, remove, half=half)

    def logs(
        self, container_id: str, *, tail: int | None, follow: bool, since_s: float | None = None
    ) -> AsyncGenerator[ContainerLogLine, None]:
        """Its output: the last `tail` lines, then, with `follow`, what comes until it ends."""
        return follow_logs(self._calls, container_id, tail=tail, follow=follow, since_s=since_s)

    def events(self) -> AsyncGenerator[EngineEvent, None]:
        """What happens to containers of ours, until the engine goes down."""
        return follow_events(self._calls, self._uuid)

    async def close(self) -> None:
        """Nothing is held."""

    async def _stopping_s(self, container_id: str, grace_s: float) -> float:
        def look(daemon: Daemon) -> float:
            found = daemon.state.containers.get(container_id)
            if found is None or not found.active:
                return 0.0
            return grace_s if found.image.ignores_stop else self._calls.latencies.stop_s

        return await self._access.apply(look)
