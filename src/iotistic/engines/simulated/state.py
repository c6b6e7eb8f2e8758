"""What a simulated engine holds: plain data, as JSON on disk, and how it looks from outside."""

from __future__ import annotations

import math
from hashlib import sha256

import msgspec

from iotistic.engines.simulated.images import SimulatedImage
from iotistic.model.naming import (
    LABEL_APP_ID,
    LABEL_CONFIG_HASH,
    LABEL_DEVICE,
    LABEL_NAME,
    LABEL_SERVICE_ID,
    LABEL_SERVICE_NAME,
    LABEL_SPEC_FIELDS,
)
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.observation import Container, Image, Network, Resources, Volume
from iotistic.model.service import NetworkAttachment, ServiceSpec
from iotistic.model.words import ContainerState

RUNNING_STATES = (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)
_UP_STATES = (ContainerState.RUNNING, ContainerState.PAUSED)
_DISK_BYTES = 64_000_000_000


class SimulatedPort(msgspec.Struct, frozen=True):
    """A published port; `host_ip` "" is every address."""

    host: int
    protocol: str
    host_ip: str

    def clashes(self, other: SimulatedPort) -> bool:
        """Whether both cannot be published at once."""
        return (
            (self.host, self.protocol) == (other.host, other.protocol)
            and bool(self.host)
            and ("" in (self.host_ip, other.host_ip) or self.host_ip == other.host_ip)
        )


class LogEntry(msgspec.Struct, frozen=True):
    """One line that a container wrote."""

    text: str
    time_ns: int
    stderr: bool = False


class SimulatedContainer(msgspec.Struct, kw_only=True):
    """One container.

    `spec` is what it was made with; `networks` are those it is in, by the engine's names, and
    `network_mode` is the engine's word too. `due_s` is when something happens to it by itself: its
    program ends, or the engine restarts it; `health_due_s` when its health check first says
    something. `left_s`, `health_left_s` are what a paused program still has of both. None: never.
    """

    id: str
    name: str
    labels: dict[str, str]
    image: SimulatedImage
    reference: str
    spec: ServiceSpec
    networks: dict[str, NetworkAttachment]
    network_mode: str
    volumes: list[str]
    created_ms: int
    state: ContainerState = ContainerState.CREATED
    exit_code: int | None = None
    health: str | None = None
    started_s: float = 0.0
    started_text: str = ""
    due_s: float | None = None
    left_s: float | None = None
    health_due_s: float | None = None
    health_left_s: float | None = None
    retries: int = 0
    restart_count: int = 0
    stopped_by_hand: bool = False
    log: list[LogEntry] = []
    said: int = 0
    """How many lines it wrote; `log` holds the last of them."""

    @property
    def ports(self) -> tuple[SimulatedPort, ...]:
        """What it publishes while it is active."""
        return tuple(SimulatedPort(p.host or 0, p.protocol, p.host_ip) for p in self.spec.ports)

    @property
    def active(self) -> bool:
        """Whether it holds its ports and networks."""
        return self.state in RUNNING_STATES

    @property
    def checks_health(self) -> bool:
        """Whether the engine asks it how it is."""
        check = self.spec.healthcheck
        if check is None or check.test is None:
            return self.image.has_healthcheck
        return check.test[:1] != ("NONE",)

    def observed(self, now_s: float) -> Container:
        """As a listing shows it."""
        ended = self.state in (ContainerState.EXITED, ContainerState.RESTARTING)
        # The real engine says how long in whole seconds, and so never more than it was.
        up_s = math.floor(now_s - self.started_s) if self.state in _UP_STATES else 0
        return Container(
            id=self.id,
            name=self.name,
            app_id=int(self.labels[LABEL_APP_ID]),
            service_id=self.labels[LABEL_SERVICE_ID],
            service_name=self.labels[LABEL_SERVICE_NAME],
            state=self.state,
            image=self.reference,
            image_id=self.image.id,
            spec_hash=self.labels.get(LABEL_CONFIG_HASH),
            spec_fields=self.labels.get(LABEL_SPEC_FIELDS),
            networks=tuple(sorted(self.networks)),
            exit_code=self.exit_code if ended else None,
            health=self.health if self.state is ContainerState.RUNNING else None,
            created_s=float(self.created_ms // 1000),
            network_mode=self.network_mode,
            up_s=float(max(0, up_s)),
        )


class SimulatedNetwork(msgspec.Struct, frozen=True):
    """One network."""

    id: str
    labels: dict[str, str]
    spec: NetworkSpec


class SimulatedVolume(msgspec.Struct, frozen=True):
    """One volume."""

    labels: dict[str, str]
    spec: VolumeSpec


class SimulatedEvent(msgspec.Struct, frozen=True):
    """Something that happened to a container of a device."""

    number: int
    device: str
    action: str
    id: str


class EngineState(msgspec.Struct, kw_only=True):
    """All of it. `boot_id` is of the boot that the times belong to.

    `images` are by id, `names` give the id of each canonical reference; an image whose names all
    went to others stays, as a dangling one. `taken_bytes` of the disk are not the images'.
    """

    boot_id: str = ""
    down: bool = False
    counter: int = 0
    containers: dict[str, SimulatedContainer] = {}
    networks: dict[str, SimulatedNetwork] = {}
    volumes: dict[str, SimulatedVolume] = {}
    images: dict[str, SimulatedImage] = {}
    names: dict[str, str] = {}
    disk_bytes: int = _DISK_BYTES
    taken_bytes: int = 0
    events: list[SimulatedEvent] = []

    @property
    def free_bytes(self) -> int:
        """What is left of the disk."""
        images = sum(image.size_bytes for image in self.images.values())
        return max(0, self.disk_bytes - self.taken_bytes - images)

    def new_id(self) -> str:
        """An id that nothing has yet."""
        self.counter += 1
        return sha256(f"object {self.counter}".encode()).hexdigest()

    def image(self, reference: str) -> SimulatedImage | None:
        """The image of that canonical reference."""
        return self.images.get(self.names.get(reference, ""))

    def observed(self, uuid: str, now_s: float) -> tuple[Container, ...]:
        """A device's containers, the newest first as the real engine lists them."""
        ours = [c for c in self.containers.values() if c.labels.get(LABEL_DEVICE) == uuid]
        return tuple(container.observed(now_s) for container in reversed(ours))

    def resources(self, uuid: str) -> Resources:
        """All images, and networks and volumes, a device's own and others' apart."""
        references: dict[str, list[str]] = {image_id: [] for image_id in self.images}
        for name, image_id in self.names.items():
            references[image_id].append(name)
        networks = {n: w for n, w in self.networks.items() if w.labels.get(LABEL_DEVICE) == uuid}
        volumes = {n: v for n, v in self.volumes.items() if v.labels.get(LABEL_DEVICE) == uuid}
        return Resources(
            images=tuple(
                Image(
                    id=image.id,
                    references=tuple(sorted(references[image.id])),
                    size_bytes=image.size_bytes,
                    created_s=image.created_s,
                )
                for image in self.images.values()
            ),
            networks=tuple(
                Network(
                    id=network.id,
                    name=name,
                    app_id=int(network.labels[LABEL_APP_ID]),
                    short_name=network.labels[LABEL_NAME],
                    spec_hash=network.labels.get(LABEL_CONFIG_HASH),
                )
                for name, network in networks.items()
            ),
            volumes=tuple(
                Volume(
                    name=name,
                    app_id=int(volume.labels[LABEL_APP_ID]),
                    short_name=volume.labels[LABEL_NAME],
                    spec_hash=volume.labels.get(LABEL_CONFIG_HASH),
                )
                for name, volume in volumes.items()
            ),
            other_networks=frozenset(self.networks.keys() - networks.keys()) | PLAIN_NETWORKS,
            other_volumes=frozenset(self.volumes.keys() - volumes.keys()),
            images_in_use=frozenset(c.image.id for c in self.containers.values()),
        )


PLAIN_NETWORKS = frozenset(("bridge", "host", "none"))
"""Those that an engine has by itself."""
