"""What a simulated engine holds: plain data, as JSON on disk, and how it looks from outside."""

from __future__ import annotations

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
from iotistic.model.observation import Container, Image, Network, Resources, Volume
from iotistic.model.service import RestartName
from iotistic.model.words import ContainerState

RUNNING_STATES = (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)


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

    `due_s` is when something happens to it by itself: its program ends, or the engine restarts
    it. `left_s` is what a paused program still has to run. Both None: never.
    """

    id: str
    name: str
    labels: dict[str, str]
    image: SimulatedImage
    reference: str
    networks: list[str]
    volumes: list[str]
    ports: list[SimulatedPort]
    restart: RestartName
    retries_max: int
    created_ms: int
    state: ContainerState = ContainerState.CREATED
    exit_code: int | None = None
    started_s: float = 0.0
    started_text: str = ""
    due_s: float | None = None
    left_s: float | None = None
    retries: int = 0
    stopped_by_hand: bool = False
    log: list[LogEntry] = []

    @property
    def active(self) -> bool:
        """Whether it holds its ports and networks."""
        return self.state in RUNNING_STATES

    def observed(self) -> Container:
        """As a listing shows it."""
        ended = self.state in (ContainerState.EXITED, ContainerState.RESTARTING)
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
            created_s=float(self.created_ms // 1000),
        )


class SimulatedNetwork(msgspec.Struct, frozen=True):
    """One network."""

    id: str
    labels: dict[str, str]


class SimulatedEvent(msgspec.Struct, frozen=True):
    """Something that happened to a container of a device."""

    number: int
    device: str
    action: str
    id: str


class EngineState(msgspec.Struct, kw_only=True):
    """All of it. `boot_id` is of the boot that the times belong to."""

    boot_id: str = ""
    down: bool = False
    counter: int = 0
    containers: dict[str, SimulatedContainer] = {}
    networks: dict[str, SimulatedNetwork] = {}
    volumes: dict[str, dict[str, str]] = {}
    images: dict[str, SimulatedImage] = {}
    events: list[SimulatedEvent] = []

    def observed(self, uuid: str) -> tuple[Container, ...]:
        """A device's containers, the newest first as the real engine lists them."""
        ours = [c for c in self.containers.values() if c.labels.get(LABEL_DEVICE) == uuid]
        return tuple(container.observed() for container in reversed(ours))

    def resources(self, uuid: str) -> Resources:
        """All images, and a device's networks and volumes."""
        # One id may have come under several names; the newest name of each wins.
        references: dict[str, set[str]] = {}
        for reference, image in self.images.items():
            references.setdefault(image.id, set()).add(reference)
        sizes = {image.id: image.size_bytes for image in self.images.values()}
        return Resources(
            images=tuple(
                Image(id=key, references=tuple(sorted(names)), size_bytes=sizes[key])
                for key, names in references.items()
            ),
            networks=tuple(
                Network(
                    id=network.id,
                    name=name,
                    app_id=int(network.labels[LABEL_APP_ID]),
                    short_name=network.labels[LABEL_NAME],
                )
                for name, network in self.networks.items()
                if network.labels.get(LABEL_DEVICE) == uuid
            ),
            volumes=tuple(
                Volume(name=name, app_id=int(labels[LABEL_APP_ID]), short_name=labels[LABEL_NAME])
                for name, labels in self.volumes.items()
                if labels.get(LABEL_DEVICE) == uuid
            ),
        )
