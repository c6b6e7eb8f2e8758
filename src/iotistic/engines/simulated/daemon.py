"""What an engine does with its state: every change as a plain function of state and time.

The semantics are those of Docker 20.10, as far as our Protocol can see them; the contract tests
run the same cases against both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from iotistic.engines.simulated.images import SimulatedImage
from iotistic.engines.simulated.inspection import without_secrets
from iotistic.engines.simulated.rules import check_start, image_for, restarts
from iotistic.engines.simulated.state import (
    PLAIN_NETWORKS,
    EngineState,
    LogEntry,
    SimulatedContainer,
    SimulatedEvent,
    SimulatedVolume,
)
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import Conflict, NotFound, Refused
from iotistic.model.naming import LABEL_CONFIG_HASH, LABEL_DEVICE
from iotistic.model.objects import VolumeSpec
from iotistic.model.service import MountKind, NetworkAttachment
from iotistic.model.words import ContainerState

KILLED = 137
_BACKOFF_BASE_S = 0.1
_BACKOFF_CAP_S = 60.0
_STEADY_S = 10.0
"""A program that ran so long is taken for well; the next restart comes at once again."""
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
            due = self._next_due(until_s)
            if due is None:
                break
            self.now_s, container, of_health = due
            if of_health:
                container.health_due_s = None
                self.tell_health(container, container.image.health)
            else:
                self._occur(container)
        self.now_s = until_s

    def next_due_s(self) -> float | None:
        """When something happens next without anybody asking."""
        return min(
            (
                due_s
                for container in self.state.containers.values()
                for due_s in (container.due_s, container.health_due_s)
                if due_s is not None
            ),
            default=None,
        )

    def _next_due(self, until_s: float) -> tuple[float, SimulatedContainer, bool] | None:
        """When, to whom, and whether its health check is what happens."""
        due = [
            (due_s, container.id, of_health)
            for container in self.state.containers.values()
            for due_s, of_health in ((container.due_s, False), (container.health_due_s, True))
            if due_s is not None and due_s <= until_s
        ]
        if not due:
            return None
        due_s, container_id, of_health = min(due)
        return due_s, self.state.containers[container_id], of_health

    def _occur(self, container: SimulatedContainer) -> None:
        if container.state is ContainerState.RESTARTING:
            container.restart_count += 1
            self._run(container)
        else:
            self.end(container, container.image.exit_code)

    # What somebody does to the engine from outside

    def end(self, container: SimulatedContainer, exit_code: int, *, by_hand: bool = False) -> None:
        """Its program is gone; the restart policy decides what the engine does about it."""
        steady = self.now_s - container.started_s >= _STEADY_S
        container.exit_code = exit_code
        container.stopped_by_hand = by_hand
        _let_go(container)
        if steady:
            container.retries = 0
        if by_hand or not restarts(container):
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
                _let_go(container)
                container.retries = 0
                self._happened("die", container)
        self.set_down(down=False)
        for container in self.state.containers.values():
            ended = container.state is ContainerState.EXITED
            if ended and restarts(container, engine_started=True):
                self._run(container)

    def set_down(self, *, down: bool) -> None:
        """Let its API answer, or not; what runs goes on either way."""
        self.state.down = down
        self.state.counter += 1

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
        image = image_for(self.state, request)
        for mount in request.spec.volumes:
            if mount.kind is MountKind.VOLUME:
                # As the real engine does it, with a volume that belongs to nobody.
                name = dict(request.volumes)[mount.source]
                plain = SimulatedVolume({}, VolumeSpec(short_name=name))
                self.state.volumes.setdefault(name, plain)
        container = self._container(request, labels, image)
        container.networks |= {j.network: j.how for j in request.networks[:networks]}
        self.state.containers[container.id] = container
        self._happened("create", container)
        return container.id

    def start(self, container: SimulatedContainer) -> None:
        """Start its program; raises Refused for a taken port or a program that does not start."""
        if container.state in (ContainerState.RUNNING, ContainerState.RESTARTING):
            return
        if container.state not in (ContainerState.CREATED, ContainerState.EXITED):
            raise Conflict(f"cannot start container {container.id[:12]}, it is {container.state}")
        check_start(self.state, container)
        container.restart_count = 0
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
        if container.health_due_s is not None:
            container.health_left_s = container.health_due_s - self.now_s
            container.health_due_s = None
        self._happened("pause", container)

    def unpause(self, container: SimulatedContainer) -> None:
        """Let its program go on."""
        if container.state is ContainerState.PAUSED:
            container.state = ContainerState.RUNNING
            if container.left_s is not None:
                container.due_s, container.left_s = self.now_s + container.left_s, None
            if container.health_left_s is not None:
                container.health_due_s = self.now_s + container.health_left_s
                container.health_left_s = None
            self._happened("unpause", container)

    def rename(self, container: SimulatedContainer, name: str) -> None:
        """Give it another name; raises Refused when another one has it."""
        for other in self.state.containers.values():
            if other.name == name and other is not container:
                raise Refused(
                    f"rename container {container.id[:12]}: the name {name} is taken by container"
                    f" {other.id[:12]}",
                    code="name-taken",
                )
        if container.name != name:
            container.name = name
            self._happened("rename", container)

    def tell_update(self, container: SimulatedContainer) -> None:
        """Somebody changed it as it runs."""
        self._happened("update", container)

    def tell_health(self, container: SimulatedContainer, health: str) -> None:
        """Its health check says how it is."""
        if container.state is ContainerState.RUNNING and container.health != health:
            container.health = health
            self._happened(f"health_status: {health}", container)

    def remove(self, container: SimulatedContainer) -> None:
        """Remove it; raises Conflict while it is active."""
        if container.active:
            raise Conflict(f"cannot remove container {container.id[:12]}, it is {container.state}")
        del self.state.containers[container.id]
        self._happened("destroy", container)

    def say(self, container: SimulatedContainer, text: str, *, stderr: bool = False) -> None:
        """Let its program write a line."""
        time_ns = self.wall_ms * 1_000_000 + len(container.log)
        container.said += 1
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
        first_s = container.image.health_after_s
        container.health = "starting" if container.checks_health else None
        if container.checks_health and first_s is not None:
            container.health_due_s = self.now_s + first_s
        self.say(container, "started")
        self._happened("start", container)

    def _container(
        self, request: ContainerRequest, labels: dict[str, str], image: SimulatedImage
    ) -> SimulatedContainer:
        spec = request.spec
        first = request.networks[0].network if request.networks else request.network_mode
        mode = first or "bridge"
        return SimulatedContainer(
            id=self.state.new_id(),
            name=request.name,
            labels=labels,
            image=image,
            reference=spec.image.familiar,
            spec=without_secrets(spec),
            networks={} if mode not in PLAIN_NETWORKS else {mode: NetworkAttachment(name=mode)},
            network_mode=mode,
            volumes=[name for _, name in request.volumes],
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
        for joining in request.networks:
            found.networks.setdefault(joining.network, joining.how)
        return found.id

    def _happened(self, action: str, container: SimulatedContainer) -> None:
        self.state.counter += 1
        device = container.labels.get(LABEL_DEVICE, "")
        event = SimulatedEvent(self.state.counter, device, action, container.id)
        self.state.events = [*self.state.events, event][-_EVENTS_MAX:]


def _let_go(container: SimulatedContainer) -> None:
    """Nothing happens to it by itself any more."""
    container.due_s = container.left_s = None
    container.health_due_s = container.health_left_s = None
    container.health = None
