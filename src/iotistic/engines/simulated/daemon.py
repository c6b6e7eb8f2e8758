"""What an engine does with its state: every change as a plain function of state and time.

The semantics are those of Docker 20.10, as far as our Protocol can see them; the contract tests
run the same cases against both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from iotistic.engines.simulated.images import SimulatedImage
from iotistic.engines.simulated.state import (
    EngineState,
    LogEntry,
    SimulatedContainer,
    SimulatedEvent,
    SimulatedNetwork,
    SimulatedPort,
)
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import Conflict, NotFound, Refused
from iotistic.model.naming import LABEL_CONFIG_HASH, LABEL_DEVICE
from iotistic.model.service import MountKind, RestartName
from iotistic.model.words import ContainerState

KILLED = 137
_BACKOFF_BASE_S = 0.1
_BACKOFF_CAP_S = 60.0
_STEADY_S = 10.0
"""A program that ran so long is taken for well; the next restart comes at once again."""
_PLAIN_NETWORKS = ("bridge", "host", "none")
_EVENTS_MAX = 1_000
_LOG_LINES_MAX = 1_000
_OCCURRENCES_MAX = 10_000


@dataclass(slots=True)
class Daemon:
    """A view of the state at one instant: `now_s` on the boot clock, `wall_ms` for labels."""

    state: EngineState
    now_s: float
    wall_ms: int

    # What happens by itself

    def settle(self, boot_id: str) -> None:
        """Let all happen that was due since the last look."""
        if self.state.boot_id != boot_id:
            rebooted, self.state.boot_id = bool(self.state.boot_id), boot_id
            if rebooted:
                self.restart_engine()
        until_s = self.now_s
        for _ in range(_OCCURRENCES_MAX):
            container = self._next_due(until_s)
            if container is None:
                break
            self.now_s = container.due_s if container.due_s is not None else until_s
            self._occur(container)
        self.now_s = until_s

    def next_due_s(self) -> float | None:
        """When something happens next without anybody asking."""
        return min(
            (c.due_s for c in self.state.containers.values() if c.due_s is not None), default=None
        )

    def _next_due(self, until_s: float) -> SimulatedContainer | None:
        due = [
            (container.due_s, container.id, container)
            for container in self.state.containers.values()
            if container.due_s is not None and container.due_s <= until_s
        ]
        return min(due)[2] if due else None

    def _occur(self, container: SimulatedContainer) -> None:
        if container.state is ContainerState.RESTARTING:
            self._run(container)
        else:
            self.end(container, container.image.exit_code)

    # What somebody does to the engine from outside

    def end(self, container: SimulatedContainer, exit_code: int, *, by_hand: bool = False) -> None:
        """Its program is gone; the restart policy decides what the engine does about it."""
        steady = self.now_s - container.started_s >= _STEADY_S
        container.exit_code = exit_code
        container.stopped_by_hand = by_hand
        container.due_s = container.left_s = None
        if steady:
            container.retries = 0
        if by_hand or not _restarts(container):
            container.state = ContainerState.EXITED
        else:
            container.state = ContainerState.RESTARTING
            backoff_s = min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2**container.retries)
            container.due_s = self.now_s + backoff_s
            container.retries += 1
        self._happened("die", container)

    def restart_engine(self) -> None:
        """The engine restarts: all programs end, and those come back that their policy wants."""
        for container in self.state.containers.values():
            if container.active:
                container.state = ContainerState.EXITED
                container.exit_code = 0 if container.exit_code is None else container.exit_code
                container.due_s = container.left_s = None
                container.retries = 0
                self._happened("die", container)
        self.set_down(down=False)
        for container in self.state.containers.values():
            ended = container.state is ContainerState.EXITED
            if ended and _restarts(container, engine_started=True):
                self._run(container)

    def set_down(self, *, down: bool) -> None:
        """Let its API answer, or not; what runs goes on either way."""
        self.state.down = down
        self.state.counter += 1

    def add_image(self, image: SimulatedImage, *names: str) -> None:
        """Keep an image under its references; an older one of the same name loses that name."""
        for reference in (*image.references, *names):
            self.state.images[reference] = image

    def remove_image(self, reference: str) -> None:
        """Forget the image of that canonical reference, under all its names."""
        image = self.state.images.get(reference)
        if image is not None:
            kept = self.state.images.items()
            self.state.images = {name: found for name, found in kept if found.id != image.id}

    # What the Protocol asks for

    def find(self, container_id: str) -> SimulatedContainer:
        """The container; raises NotFound."""
        found = self.state.containers.get(container_id)
        if found is None:
            raise NotFound(f"no such container: {container_id[:12]}")
        return found

    def create(self, request: ContainerRequest, labels: dict[str, str], *, networks: int) -> str:
        """Make it, joined to the first `networks` of its networks, or adopt the one there."""
        for found in self.state.containers.values():
            if found.name == request.name:
                return self._adopt(found, labels, request)
        image = self.state.images.get(request.spec.image.canonical)
        if image is None:
            raise Refused(f"no such image: {request.spec.image}", code="image-not-found")
        for mount in request.spec.volumes:
            if mount.kind is MountKind.VOLUME:
                # As the real engine does it, with a volume that belongs to nobody.
                self.state.volumes.setdefault(dict(request.volumes)[mount.source], {})
        wanted = [joining.network for joining in request.networks]
        container = self._container(request, labels, image)
        container.networks = wanted[:networks] or [request.network_mode or "bridge"]
        self.state.containers[container.id] = container
        self._happened("create", container)
        return container.id

    def start(self, container: SimulatedContainer) -> None:
        """Start its program; raises Refused for a taken port or a program that does not start."""
        if container.state in (ContainerState.RUNNING, ContainerState.RESTARTING):
            return
        if container.state not in (ContainerState.CREATED, ContainerState.EXITED):
            raise Conflict(f"cannot start container {container.id[:12]}, it is {container.state}")
        what = f"start container {container.id[:12]}"
        for name in container.networks:
            if name not in self.state.networks and name not in _PLAIN_NETWORKS:
                raise Refused(f"{what}: network {name} not found", code="start-failed")
        for other in self.state.containers.values():
            for port in container.ports:
                if other.active and any(port.clashes(held) for held in other.ports):
                    raise Refused(
                        f"{what}: port {port.host} is taken by container {other.name}",
                        code="port-allocated",
                    )
        if container.image.start_error:
            raise Refused(f"{what}: {container.image.start_error}", code="start-failed")
        container.retries = 0
        self._run(container)

    def stop(self, container: SimulatedContainer) -> None:
        """End its program by hand."""
        if container.active:
            self.end(container, KILLED if container.image.ignores_stop else 0, by_hand=True)
            self._happened("stop", container)

    def pause(self, container: SimulatedContainer) -> None:
        """Freeze its program."""
        if container.state is ContainerState.PAUSED:
            return
        if container.state is not ContainerState.RUNNING:
            raise Conflict(f"container {container.id[:12]} is not running")
        container.state = ContainerState.PAUSED
        if container.due_s is not None:
            container.left_s, container.due_s = container.due_s - self.now_s, None
        self._happened("pause", container)

    def unpause(self, container: SimulatedContainer) -> None:
        """Let its program go on."""
        if container.state is ContainerState.PAUSED:
            container.state = ContainerState.RUNNING
            if container.left_s is not None:
                container.due_s, container.left_s = self.now_s + container.left_s, None
            self._happened("unpause", container)

    def remove(self, container: SimulatedContainer) -> None:
        """Remove it; raises Conflict while it is active."""
        if container.active:
            raise Conflict(f"cannot remove container {container.id[:12]}, it is {container.state}")
        del self.state.containers[container.id]
        self._happened("destroy", container)

    def create_network(self, uuid: str, name: str, labels: dict[str, str]) -> None:
        """Make it, unless the device's own is there."""
        found = self.state.networks.setdefault(name, SimulatedNetwork(self._new_id(), labels))
        _check_ours(uuid, found.labels, f"create network {name}")

    def remove_network(self, uuid: str, name: str) -> None:
        """Remove it; raises Conflict while a container is active in it."""
        found = self.state.networks.get(name)
        if found is None or found.labels.get(LABEL_DEVICE) != uuid:
            return
        if any(c.active and name in c.networks for c in self.state.containers.values()):
            raise Conflict(f"remove network {name}: it has active endpoints")
        del self.state.networks[name]

    def create_volume(self, uuid: str, name: str, labels: dict[str, str]) -> None:
        """Make it, unless the device's own is there."""
        _check_ours(uuid, self.state.volumes.setdefault(name, labels), f"create volume {name}")

    def remove_volume(self, uuid: str, name: str) -> None:
        """Remove it; raises Conflict while any container, even an ended one, uses it."""
        if self.state.volumes.get(name, {}).get(LABEL_DEVICE) != uuid:
            return
        if any(name in c.volumes for c in self.state.containers.values()):
            raise Conflict(f"remove volume {name}: it is in use")
        del self.state.volumes[name]

    def say(self, container: SimulatedContainer, text: str, *, stderr: bool = False) -> None:
        """Let its program write a line."""
        time_ns = self.wall_ms * 1_000_000 + len(container.log)
        container.log = [*container.log, LogEntry(text, time_ns, stderr)][-_LOG_LINES_MAX:]
        self._happened("say", container)

    def _run(self, container: SimulatedContainer) -> None:
        self.state.counter += 1
        at = datetime.fromtimestamp(self.wall_ms / 1000, UTC)
        # The counter makes two starts within one millisecond differ, as nanoseconds do.
        container.started_text = f"{at:%Y-%m-%dT%H:%M:%S}.{self.state.counter:09d}Z"
        container.started_s = self.now_s
        container.state = ContainerState.RUNNING
        container.exit_code = None
        container.stopped_by_hand = False
        lasts_s = container.image.exits_after_s
        container.due_s = None if lasts_s is None else self.now_s + lasts_s
        self.say(container, "started")
        self._happened("start", container)

    def _container(
        self, request: ContainerRequest, labels: dict[str, str], image: SimulatedImage
    ) -> SimulatedContainer:
        spec = request.spec
        return SimulatedContainer(
            id=self._new_id(),
            name=request.name,
            labels=labels,
            image=image,
            reference=spec.image.familiar,
            networks=[],
            volumes=[name for _, name in request.volumes],
            ports=[SimulatedPort(p.host or 0, p.protocol, p.host_ip) for p in spec.ports],
            restart=spec.restart.name,
            retries_max=spec.restart.retries_max,
            created_ms=self.wall_ms,
        )

    def _adopt(
        self, found: SimulatedContainer, labels: dict[str, str], request: ContainerRequest
    ) -> str:
        if any(found.labels.get(k) != labels.get(k) for k in (LABEL_DEVICE, LABEL_CONFIG_HASH)):
            raise Refused(
                f"create container {found.name}: the name is taken by container {found.id[:12]}",
                code="name-taken",
            )
        wanted = [joining.network for joining in request.networks]
        found.networks += [name for name in wanted if name not in found.networks]
        return found.id

    def _new_id(self) -> str:
        self.state.counter += 1
        return sha256(f"object {self.state.counter}".encode()).hexdigest()

    def _happened(self, action: str, container: SimulatedContainer) -> None:
        self.state.counter += 1
        device = container.labels.get(LABEL_DEVICE, "")
        event = SimulatedEvent(self.state.counter, device, action, container.id)
        self.state.events = [*self.state.events, event][-_EVENTS_MAX:]


def _restarts(container: SimulatedContainer, *, engine_started: bool = False) -> bool:
    match container.restart:
        case RestartName.ALWAYS:
            return engine_started or not container.stopped_by_hand
        case RestartName.UNLESS_STOPPED:
            return not container.stopped_by_hand
        case RestartName.ON_FAILURE:
            left = container.retries_max == 0 or container.retries < container.retries_max
            return bool(container.exit_code) and not container.stopped_by_hand and left
        case RestartName.NO:
            return False


def _check_ours(uuid: str, labels: dict[str, str], what: str) -> None:
    if labels.get(LABEL_DEVICE) != uuid:
        raise Refused(f"{what}: the name is taken by another's", code="name-taken")
