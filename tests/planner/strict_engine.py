"""An engine as a pure function that refuses what Docker refuses, and can do a thing by half."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from iotistic.model.container import ContainerRequest
from iotistic.model.observation import Container, Image, Resources
from iotistic.model.service import RestartName
from iotistic.model.words import ContainerState
from iotistic.planner.foresight import after
from iotistic.planner.order import ACTIVE
from iotistic.planner.step import Step
from iotistic.planner.world import PulledImage, StepKind, World

_STARTS = (StepKind.START, StepKind.RESTART, StepKind.UNPAUSE)


class Refusal(Exception):
    """The engine does not do a step in this world."""


@dataclass(slots=True)
class StrictEngine:
    """`requests` says how each container was made. `moves` counts how often a tag was moved."""

    requests: dict[str, ContainerRequest] = field(default_factory=dict)
    moves: dict[str, int] = field(default_factory=dict)

    def do(self, world: World, step: Step) -> World:
        """The world after the step; raises Refusal."""
        self._check(world, step)
        match step.kind:
            case StepKind.PULL:
                return self._pulled(world, step)
            case StepKind.CREATE_CONTAINER if step.container is not None:
                if any(c.name == step.container.name for c in world.containers):
                    return world  # the very one, or it would have been refused
                made = after(world, step)
                fresh = replace(
                    made.containers[-1], id=f"n{len(self.requests)}", created_s=world.now_s
                )
                self.requests[fresh.id] = step.container
                return replace(made, containers=(*made.containers[:-1], fresh))
            case StepKind.CREATE_NETWORK | StepKind.CREATE_VOLUME if self._is_there(world, step):
                return world
            case StepKind.START if _state(world, step) is ContainerState.RUNNING:
                return world
            case StepKind.STOP if _state(world, step) not in ACTIVE:
                return world
            case _ if step.kind in _STARTS:
                return self._begun(after(world, step), step.target)
            case StepKind.REMOVE_IMAGE:
                pulled = tuple(p for p in world.pulled if p.image_id != step.target)
                return replace(after(world, step), pulled=pulled)
            case _:
                return after(world, step)

    def half_do(self, world: World, step: Step) -> World:
        """The world after a part of the step."""
        match step.kind:
            case StepKind.CREATE_CONTAINER:
                made = self.do(world, step)
                if len(made.containers) == len(world.containers):
                    return made
                last = made.containers[-1]
                last = replace(last, networks=last.networks[:1])
                return replace(made, containers=(*made.containers[:-1], last))
            case StepKind.PULL:
                return replace(self.do(world, step), pulled=world.pulled)
            case StepKind.RESTART if _state(world, step) is not None:
                return after(world, replace(step, kind=StepKind.STOP))
            case StepKind.REMOVE | StepKind.HEAL if _state(world, step) not in (None, *ACTIVE):
                return with_state(world, step.target, ContainerState.REMOVING)
            case _:
                return world

    def time_passes(self, world: World, span_s: float) -> World:
        """What programs, health checks and restart policies do meanwhile."""
        containers = tuple(
            self._later(c, span_s)
            for c in world.containers
            if c.state is not ContainerState.REMOVING
        )
        return replace(world, containers=containers, now_s=world.now_s + span_s)

    def restarts(self, world: World) -> World:
        """The engine or the machine was restarted: programs end, and come back as they may."""
        return replace(world, containers=tuple(self._restarted(c) for c in world.containers))

    # -- what it refuses

    def _check(self, world: World, step: Step) -> None:
        match step.kind:
            case StepKind.CREATE_CONTAINER if step.container is not None:
                self._check_creation(world, step.container)
            case StepKind.REMOVE | StepKind.HEAL if _state(world, step) in ACTIVE:
                raise Refusal("it is active")
            case StepKind.REMOVE_NETWORK if any(
                step.target in c.networks and c.state in ACTIVE for c in world.containers
            ):
                raise Refusal("containers are joined to it")
            case StepKind.REMOVE_VOLUME if any(
                step.target in dict(self.requests[c.id].volumes).values() for c in world.containers
            ):
                raise Refusal("a container has it")
            case StepKind.REMOVE_IMAGE if any(c.image_id == step.target for c in world.containers):
                raise Refusal("a container is made of it")
            case StepKind.RENAME if any(
                c.name == step.name and c.id != step.target for c in world.containers
            ):
                raise Refusal("the name is taken")
            case _ if step.kind in (*_STARTS, StepKind.PAUSE):
                self._check_running(world, step)
            case _:
                pass

    def _check_creation(self, world: World, request: ContainerRequest) -> None:
        for container in world.containers:
            if (
                container.name == request.name
                and self.requests[container.id].labels != request.labels
            ):
                raise Refusal("the name is taken")
        seen = world.resources or Resources()
        reference = request.spec.image.canonical
        known = (request.image_id in (i.id, "") for i in seen.images if reference in i.references)
        if not any(known) and request.image_id not in {i.id for i in seen.images}:
            raise Refusal("no such image")
        networks = {network.name for network in seen.networks} | seen.other_networks
        if not {joining.network for joining in request.networks} <= networks:
            raise Refusal("no such network")
        other = (request.network_mode or "").removeprefix("container:")
        if other != (request.network_mode or "") and other not in {c.id for c in world.containers}:
            raise Refusal("no such container to share the network of")

    def _check_running(self, world: World, step: Step) -> None:
        found = next((c for c in world.containers if c.id == step.target), None)
        if found is None or found.state in (ContainerState.REMOVING, ContainerState.DEAD):
            raise Refusal("it is not there")
        if step.kind in (StepKind.PAUSE, StepKind.UNPAUSE):
            if found.state not in (ContainerState.RUNNING, ContainerState.PAUSED):
                raise Refusal("it does not run")
            return
        request = self.requests[found.id]
        ports = {(p.host_ip, p.host) for p in request.spec.ports if p.host}
        others = [c for c in world.containers if c.state in ACTIVE and c.id != found.id]
        for other in others:
            if ports & {(p.host_ip, p.host) for p in self.requests[other.id].spec.ports}:
                raise Refusal(f"a port is taken by {other.id}")
        peer = found.network_mode.removeprefix("container:")
        if peer != found.network_mode and peer not in {c.id for c in others}:
            raise Refusal("whose network it shares does not run")
        seen = world.resources or Resources()
        if not set(found.networks) <= {n.name for n in seen.networks} | seen.other_networks:
            raise Refusal("its network is gone")

    @staticmethod
    def _is_there(world: World, step: Step) -> bool:
        seen = world.resources or Resources()
        return step.target in {
            *(n.name for n in seen.networks),
            *(v.name for v in seen.volumes),
        }

    # -- what happens

    def _pulled(self, world: World, step: Step) -> World:
        seen = world.resources or Resources()
        image_id = f"sha256:{step.target}#{self.moves.get(step.target, 0)}"
        images = tuple(
            # What had the name before stays, without it.
            replace(i, references=tuple(r for r in i.references if r != step.target))
            for i in seen.images
            if i.id != image_id
        )
        fresh = Image(id=image_id, references=(step.target,), size_bytes=1_000_000)
        noted = PulledImage(
            reference=step.target,
            image_id=image_id,
            app_id=step.served.app_id,
            release_hash=step.release_hash,
            at_ms=int(world.now_s * 1000),
        )
        key = (noted.reference, noted.app_id)
        return replace(
            world,
            resources=replace(seen, images=(*images, fresh)),
            pulled=(*(p for p in world.pulled if (p.reference, p.app_id) != key), noted),
        )

    def _begun(self, world: World, container_id: str) -> World:
        health = "starting" if self.is_checked(container_id) else None
        return changed(world, container_id, health=health, up_s=0.0)

    def is_checked(self, container_id: str) -> bool:
        """Whether it is asked how it is, while it runs."""
        spec = self.requests[container_id].spec
        return spec.healthcheck is not None or spec.image.path.endswith(("/db", "/sick"))

    def _later(self, container: Container, span_s: float) -> Container:
        spec = self.requests[container.id].spec
        crashes = spec.image.path.endswith("/crash")
        policy = spec.restart
        comes_back = policy.name in (RestartName.ALWAYS, RestartName.UNLESS_STOPPED) or (
            policy.name is RestartName.ON_FAILURE and policy.retries_max == 0
        )
        if container.state is ContainerState.RESTARTING and not crashes:
            health = "healthy" if self.is_checked(container.id) else None
            return replace(container, state=ContainerState.RUNNING, up_s=span_s, health=health)
        if container.state is not ContainerState.RUNNING:
            return container
        if crashes:
            state = ContainerState.RESTARTING if comes_back else ContainerState.EXITED
            return replace(container, state=state, exit_code=1, health=None)
        if policy.name in (RestartName.NO, RestartName.ON_FAILURE):
            return replace(container, state=ContainerState.EXITED, exit_code=0, health=None)
        health = container.health
        if health is not None and container.up_s + span_s >= 1.0:
            health = "unhealthy" if spec.image.path.endswith("/sick") else "healthy"
        return replace(container, up_s=container.up_s + span_s, health=health)

    def _restarted(self, container: Container) -> Container:
        if container.state not in ACTIVE:
            return container
        policy = self.requests[container.id].spec.restart.name
        if policy in (RestartName.ALWAYS, RestartName.UNLESS_STOPPED):
            health = "starting" if self.is_checked(container.id) else None
            return replace(container, state=ContainerState.RUNNING, up_s=0.0, health=health)
        return replace(container, state=ContainerState.EXITED, exit_code=137, health=None)


def with_state(world: World, container_id: str, state: ContainerState) -> World:
    """The same world with one container in another state."""
    return changed(world, container_id, state=state)


def changed(world: World, container_id: str, **facts: Any) -> World:
    """The same world in which other things are true of one container."""
    return replace(
        world,
        containers=tuple(
            replace(c, **facts) if c.id == container_id else c for c in world.containers
        ),
    )


def _state(world: World, step: Step) -> ContainerState | None:
    return next((c.state for c in world.containers if c.id == step.target), None)
