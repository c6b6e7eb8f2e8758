"""`DockerEngine`: the Docker Engine as the agent needs it. I/O only, no decisions about apps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar

from iotistic.engines.docker.connection import Connection, filters
from iotistic.engines.docker.creation import create_container
from iotistic.engines.docker.credentials import registry_logins
from iotistic.engines.docker.deadlines import LIST_S
from iotistic.engines.docker.errors import (
    EngineAnswer,
    NetworkTwins,
    general,
)
from iotistic.engines.docker.events import follow_events
from iotistic.engines.docker.host import DockerHost, docker_host
from iotistic.engines.docker.images import read_space, remove_image
from iotistic.engines.docker.inspection import read_inspected
from iotistic.engines.docker.lifecycle import Lifecycle
from iotistic.engines.docker.listing import (
    read_containers,
    read_images,
    read_images_in_use,
    read_networks,
    read_volumes,
)
from iotistic.engines.docker.logs import follow_logs
from iotistic.engines.docker.objects import Objects
from iotistic.engines.docker.pull import pull_image
from iotistic.engines.docker.stats import read_stats
from iotistic.engines.docker.traits import read_traits
from iotistic.engines.protocol import (
    ContainerLogLine,
    ContainerStats,
    Credentials,
    EngineEvent,
    EngineInfo,
    EngineTraits,
    ProgressSink,
    Space,
)
from iotistic.model.container import ContainerRequest, NetworkRequest, VolumeRequest
from iotistic.model.errors import EngineFailed
from iotistic.model.image import ImageRef
from iotistic.model.naming import LABEL_DEVICE
from iotistic.model.observation import Container, Inspected, Resources

T = TypeVar("T")


class DockerEngine:
    """The Docker Engine for one device; connects when first asked something.

    `logins` are by registry host as images name it. See `Engine` for what each call promises.
    """

    def __init__(
        self,
        uuid: str,
        host: DockerHost | None = None,
        *,
        logins: Mapping[str, Credentials] | None = None,
    ) -> None:
        self._uuid = uuid
        self._logins = dict(logins or {})
        self._connection = Connection(host or DockerHost())
        self._objects = Objects(self._connection, uuid)
        self._lifecycle = Lifecycle(self._connection)
        self._ours = filters(label=[f"{LABEL_DEVICE}={uuid}"])

    @classmethod
    def from_environment(cls, uuid: str, environment: Mapping[str, str]) -> DockerEngine:
        """The engine that DOCKER_HOST and its companions name; raises InvalidField."""
        return cls(uuid, docker_host(environment), logins=registry_logins(environment))

    async def info(self) -> EngineInfo:
        """Which engine this is; asks it anew."""
        try:
            return await self._connection.negotiate(again=True)
        except EngineAnswer as answer:
            raise general(answer, "ask for the version") from answer

    async def traits(self) -> EngineTraits:
        """How it is set up, by its `/info`."""
        try:
            found = await self._connection.fetch("GET", "info", within_s=LIST_S)
        except EngineAnswer as answer:
            raise general(answer, "ask how it is set up") from answer
        return read_traits(found)

    async def containers(self) -> tuple[Container, ...]:
        """All containers with this device's label, stopped ones too."""
        return read_containers(await self._list("containers/json", all="1", filters=self._ours))

    async def resources(self) -> Resources:
        """All images, networks and volumes; those of this device apart from the others."""
        answers = await asyncio.gather(
            self._list("images/json"),
            self._list("networks"),
            self._list("volumes"),
            self._list("containers/json", all="1"),
            return_exceptions=True,  # so that none goes on behind the back of one that failed
        )
        contents = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            contents.append(answer)
        images, networks, volumes, containers = contents
        our_networks, other_networks = read_networks(networks, self._uuid)
        our_volumes, other_volumes = read_volumes(volumes, self._uuid)
        return Resources(
            images=read_images(images),
            networks=our_networks,
            volumes=our_volumes,
            other_networks=other_networks,
            other_volumes=other_volumes,
            images_in_use=read_images_in_use(containers),
        )

    async def started_at(self, container_id: str) -> str | None:
        """The engine's text for when the container last started; None when it is not there."""
        return await self._lifecycle.started_at(container_id)

    async def stats(self, container_id: str) -> ContainerStats | None:
        """What the container used since its start; None when it does not run."""
        return await read_stats(self._connection, container_id)

    async def inspect(self, container_id: str, request: ContainerRequest) -> Inspected | None:
        """What the container was really made with, in the words of `request`."""
        path = f"containers/{container_id}/json"
        try:
            content = await self._connection.fetch("GET", path, within_s=LIST_S)
        except EngineAnswer as answer:
            if answer.status == 404:
                return None
            raise general(answer, f"look at container {container_id[:12]}") from answer
        return read_inspected(content, request)

    async def space(self) -> Space | None:
        """How much room there is where the engine keeps images, if that can be seen from here."""
        try:
            return await read_space(self._connection)
        except EngineAnswer as answer:
            raise general(answer, "ask for the engine's folder") from answer

    async def pull(self, image: ImageRef, progress: ProgressSink, *, platform: str = "") -> None:
        """Bring the image here and check that it is."""
        login = self._logins.get(image.host)
        await pull_image(self._connection, image, login, progress, platform=platform)

    async def remove_image(self, image_id: str) -> None:
        """Remove an image under all its names."""
        await remove_image(self._connection, image_id)

    async def create_network(self, network: NetworkRequest) -> None:
        """Make a network."""
        await self._objects.create_network(network)

    async def remove_network(self, name: str) -> None:
        """Remove a network of ours."""
        await self._objects.remove_network(name)

    async def create_volume(self, volume: VolumeRequest) -> None:
        """Make a volume."""
        await self._objects.create_volume(volume)

    async def remove_volume(self, name: str) -> None:
        """Remove a volume of ours, data and all."""
        await self._objects.remove_volume(name)

    async def create_container(self, request: ContainerRequest) -> str:
        """Make a container and join its networks, without starting it. Returns its id."""
        return await self._without_twins(
            lambda: create_container(self._connection, self._uuid, request)
        )

    async def start(self, container_id: str) -> None:
        """Start a created or ended container."""
        await self._without_twins(lambda: self._lifecycle.start(container_id))

    async def stop(self, container_id: str, *, grace_s: float) -> None:
        """Ask it to end, and after `grace_s` make it."""
        await self._lifecycle.stop(container_id, grace_s=grace_s)

    async def restart(self, container_id: str, *, grace_s: float, seen_start: str | None) -> None:
        """Restart it, unless it has started since `seen_start`."""
        await self._lifecycle.restart(container_id, grace_s=grace_s, seen_start=seen_start)

    async def pause(self, container_id: str) -> None:
        """Freeze its processes."""
        await self._lifecycle.pause(container_id)

    async def unpause(self, container_id: str) -> None:
        """Let them go on."""
        await self._lifecycle.unpause(container_id)

    async def rename(self, container_id: str, name: str) -> None:
        """Give it another name."""
        await self._lifecycle.rename(container_id, name)

    async def remove(self, container_id: str) -> None:
        """Remove an ended container. Volumes stay."""
        await self._lifecycle.remove(container_id)

    def logs(
        self, container_id: str, *, tail: int | None, follow: bool, since_s: float | None = None
    ) -> AsyncGenerator[ContainerLogLine, None]:
        """Its output: the last `tail` lines, then, with `follow`, what comes until it ends."""
        return follow_logs(
            self._connection, container_id, tail=tail, follow=follow, since_s=since_s
        )

    def events(self) -> AsyncGenerator[EngineEvent, None]:
        """What happens to containers of ours, until the stream breaks."""
        return follow_events(self._connection, self._uuid)

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    async def _without_twins(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do something; once more if a second network of the same name stood in its way."""
        try:
            return await act()
        except NetworkTwins as error:
            await self._objects.remove_twins(error.name)
        return await act()

    async def _list(self, path: str, **params: str) -> bytes:
        try:
            return await self._connection.fetch("GET", path, params=params, within_s=LIST_S)
        except EngineAnswer as answer:
            # Whatever it answers instead of a listing, it is none: never that there is nothing.
            raise EngineFailed(f"list {path}: {answer.text}") from answer
