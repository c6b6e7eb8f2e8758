"""The seam to container engines: what is idempotent, what may be raised, what may be lost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol

from iotistic.model.container import ContainerRequest, NetworkRequest, VolumeRequest
from iotistic.model.image import ImageRef
from iotistic.model.observation import Container, Inspected, Resources
from iotistic.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull is: bytes of the layers known so far. `total_bytes` grows as layers appear."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """Something happened to an object of ours. A wake-up call: the truth is read again."""

    kind: str
    action: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Which engine this is."""

    kind: str
    version: str
    api_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTraits:
    """How an engine is set up, for those who look for a fault.

    `live_restore`: containers outlive its restart. `warnings` are its own, of what its machine
    cannot do.
    """

    storage_driver: str = ""
    live_restore: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Room on the file system of the engine's images, in bytes."""

    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStats:
    """What a running container used. All but memory and pids counts up from its start: who wants
    rates compares two. None: the engine does not tell.

    `cpu_ns` is of all cores together. Memory is without the page cache that could be let go, as
    `docker stats` shows it. `rx`, `tx` are its networks', `read`, `written` its block devices'.
    """

    cpu_ns: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLogLine:
    """One line of a container's output; `time_ns` is the engine's Unix time.

    Times of a container's lines mostly grow, in the engine's order: its two streams may pass one
    another, and a wall clock that is put right may go back. A line too long to be given whole comes
    in pieces, of which all but the first are its `rest`.
    """

    text: str
    stderr: bool
    time_ns: int
    rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A login for one registry host."""

    username: str
    password: Secret


ProgressSink = Callable[[PullProgress], None]


class Engine(Protocol):
    """What the agent needs of a container engine, for the one device whose uuid it was given.

    Every call that changes something is idempotent ("already so" is success, and so is removing or
    stopping what is not there) and has a deadline of its own. Only two errors come out of it, each
    with a stable code.

    EngineUnavailable (try again): `engine-unavailable` (nothing is there) and
    `engine-unresponsive` (it takes a call and does not answer within its deadline); and, while the
    engine itself is well, `engine-error` (it answered with an error of its own),
    `registry-unavailable`, `rate-limited` (with `retry_after_s` if the registry said so),
    `disk-full`. A listing is whole or raises one of these: never is anything taken for absent
    since it could not be listed.
    Refused (do not, until something changes): `image-not-found`, `registry-denied`,
    `port-allocated` (naming who holds it), `network-pool-overlap`, `start-failed`, `name-taken`,
    `engine-too-old` (it does not know a field of the container), `layers-missing` (of the image or
    of the container not everything is there any more);
    `not-found` (the container is gone: look again), `conflict` (its state, or who uses it, does
    not allow that: look again), `refused` (the engine does not take it as it is).

    Nothing without our device's label is ever touched.
    """

    async def info(self) -> EngineInfo:
        """Which engine this is; also the check whether it answers."""
        ...

    async def traits(self) -> EngineTraits:
        """How it is set up. Takes its time: for people who ask, not for a loop."""
        ...

    async def containers(self) -> tuple[Container, ...]:
        """All containers with this device's label, in one listing call, never cached."""
        ...

    async def resources(self) -> Resources:
        """All images, and the networks and volumes with this device's label."""
        ...

    async def started_at(self, container_id: str) -> str | None:
        """The engine's text for when the container last started; None when it is not there."""
        ...

    async def stats(self, container_id: str) -> ContainerStats | None:
        """What the container used since its start; None when it is not there or does not run.

        Cheap: the engine is asked for one reading, and does not wait for a second one.
        """
        ...

    async def inspect(self, container_id: str, request: ContainerRequest) -> Inspected | None:
        """What the container was really made with, in the words of `request`.

        `request` is what its service wants now; it gives the app's names for networks and volumes
        back, and says which folders and variables are the agent's own. None: it is not there.
        """
        ...

    async def space(self) -> Space | None:
        """How much room there is where the engine keeps images; None: not to be seen from here."""
        ...

    async def pull(self, image: ImageRef, progress: ProgressSink, *, platform: str = "") -> None:
        """Bring the image here and check that it is; errors inside the stream are raised.

        `platform` as in linux/arm64; "" is that of the engine.
        """
        ...

    async def remove_image(self, image_id: str) -> None:
        """Remove an image under all its names. Raises Conflict while a container is made of it."""
        ...

    async def create_network(self, network: NetworkRequest) -> None:
        """Make a network; one of ours of that name is success."""
        ...

    async def remove_network(self, name: str) -> None:
        """Remove a network of ours."""
        ...

    async def create_volume(self, volume: VolumeRequest) -> None:
        """Make a volume; one of ours of that name is success."""
        ...

    async def remove_volume(self, name: str) -> None:
        """Remove a volume of ours, data and all. Only ever called for an explicit wish."""
        ...

    async def create_container(self, request: ContainerRequest) -> str:
        """Make a container and join its networks, without starting it. Returns its id.

        A container of ours with the same name and the same labels is returned as it is.
        """
        ...

    async def start(self, container_id: str) -> None:
        """Start a created or ended container."""
        ...

    async def stop(self, container_id: str, *, grace_s: float) -> None:
        """Ask it to end, and after `grace_s` make it. A paused one is let go first."""
        ...

    async def restart(self, container_id: str, *, grace_s: float, seen_start: str | None) -> None:
        """Restart it, unless it has started since `seen_start`: then that was the restart."""
        ...

    async def pause(self, container_id: str) -> None:
        """Freeze its processes."""
        ...

    async def unpause(self, container_id: str) -> None:
        """Let them go on."""
        ...

    async def rename(self, container_id: str, name: str) -> None:
        """Give it another name. Raises Refused (`name-taken`)."""
        ...

    async def remove(self, container_id: str) -> None:
        """Remove an ended (or never started, or dead) container. Volumes stay."""
        ...

    def logs(
        self, container_id: str, *, tail: int | None, follow: bool, since_s: float | None = None
    ) -> AsyncGenerator[ContainerLogLine, None]:
        """Its output: the last `tail` lines (None: all), then, with `follow`, what comes until it
        ends. `since_s` leaves out what is older, and keeps what is of that very instant.

        Raises Refused (`logs-not-readable`) when the engine keeps no output of it for reading.
        Who leaves it early closes it (`contextlib.aclosing`), and so ends the stream.
        """
        ...

    def events(self) -> AsyncGenerator[EngineEvent, None]:
        """What happens to objects of ours. Ends or raises when the stream breaks; may lose."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
