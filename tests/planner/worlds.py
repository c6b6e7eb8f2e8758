"""Worlds and targets at random, and an engine as a pure function: `(world, step) -> world`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from iotistic.model.observation import Container, Image, Network, Resources, Volume
from iotistic.model.target import TargetState
from iotistic.model.words import ContainerState
from iotistic.planner.plan import fulfilled, plan
from iotistic.planner.step import Plan, Step
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import StepKind, World
from tests.planner.builders import container, targets, wanted

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
IMAGES = ("web:1", "web:2", "db:1")


@st.composite
def services(
    draw: st.DrawFn, names: tuple[str, ...] = ("a", "b", "c", "d")
) -> list[dict[str, Any]]:
    """Up to four services with differing images, states and resources."""
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=4))
    return [
        {
            "serviceId": name,
            "serviceName": name,
            "imageName": draw(st.sampled_from(IMAGES)),
            "state": draw(st.sampled_from(("running", "running", "paused", "stopped"))),
            "config": {
                "restart": draw(
                    st.sampled_from(("unless-stopped", "always", "no", "on-failure:3"))
                ),
                "environment": draw(st.sampled_from(({}, {"A": "1"}, {"A": "2"}))),
                "networks": draw(st.sampled_from(([], ["front"], ["front", "back"]))),
                "volumes": draw(st.sampled_from(([], ["data:/data"]))),
            },
        }
        for name in chosen
    ]


@st.composite
def target_states(draw: st.DrawFn) -> TargetState:
    """Up to two apps."""
    ids = draw(st.lists(st.sampled_from((1, 2)), unique=True, max_size=2))
    return targets({app_id: draw(services()) for app_id in ids})


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Containers of several earlier targets in any state, whatever else lies about."""
    containers: list[Container] = []
    networks: dict[str, Network] = {}
    volumes: dict[str, Volume] = {}
    for _ in range(draw(st.integers(0, 3))):
        earlier = wanted(draw(target_states()))
        for app in earlier.apps:
            for item in app.services:
                if draw(st.booleans()):
                    made = container(
                        item,
                        draw(st.sampled_from(STATES)),
                        cid=f"c{len(containers)}",
                        exit_code=draw(st.sampled_from((0, 1, 137))),
                    )
                    containers.append(replace(made, created_s=float(draw(st.integers(0, 5)))))
            for n in app.networks:
                if draw(st.booleans()):
                    networks[n.name] = Network(
                        id=n.name, name=n.name, app_id=app.app_id, short_name=n.short_name
                    )
            for v in app.volumes:
                volumes[v.name] = Volume(name=v.name, app_id=app.app_id, short_name=v.short_name)
    images = draw(st.lists(st.sampled_from(IMAGES), unique=True))
    return World(
        now_s=1000.0,
        containers=tuple(containers),
        resources=Resources(
            images=tuple(
                Image(id=name, references=(f"docker.io/library/{name}",)) for name in images
            ),
            networks=tuple(networks.values()),
            volumes=tuple(volumes.values()),
        ),
    )


def applied(world: World, step: Step) -> World:
    """The world after a fair engine has done the step."""
    seen = world.resources or Resources()
    subject = step.subject
    match step.kind:
        case StepKind.PULL:
            image = Image(id=step.target, references=(step.target,))
            return replace(world, resources=replace(seen, images=(*seen.images, image)))
        case StepKind.CREATE_NETWORK:
            network = Network(
                id=step.target, name=step.target, app_id=subject.app_id, short_name=subject.name
            )
            return replace(world, resources=replace(seen, networks=(*seen.networks, network)))
        case StepKind.REMOVE_NETWORK:
            left = tuple(n for n in seen.networks if n.name != step.target)
            return replace(world, resources=replace(seen, networks=left))
        case StepKind.CREATE_VOLUME:
            volume = Volume(name=step.target, app_id=subject.app_id, short_name=subject.name)
            return replace(world, resources=replace(seen, volumes=(*seen.volumes, volume)))
        case StepKind.REMOVE_VOLUME:
            kept = tuple(v for v in seen.volumes if v.name != step.target)
            return replace(world, resources=replace(seen, volumes=kept))
        case StepKind.CREATE_CONTAINER:
            return replace(world, containers=(*world.containers, _made(step, world)))
        case StepKind.REMOVE | StepKind.HEAL:
            rest = tuple(c for c in world.containers if c.id != step.target)
            return replace(world, containers=rest)
        case StepKind.START | StepKind.UNPAUSE | StepKind.RESTART:
            return _with_state(world, step.target, ContainerState.RUNNING)
        case StepKind.PAUSE:
            return _with_state(world, step.target, ContainerState.PAUSED)
        case StepKind.STOP:
            return _with_state(world, step.target, ContainerState.EXITED)


def _made(step: Step, world: World) -> Container:
    assert step.container is not None
    labels = dict(step.container.labels)
    highest = max((int(c.id[1:]) for c in world.containers), default=0)
    return Container(
        id=f"c{highest + 100}",
        name=step.container.name,
        app_id=step.subject.app_id,
        service_id=step.subject.name,
        service_name=step.service_name,
        state=ContainerState.CREATED,
        image=str(step.container.spec.image),
        image_id="sha256:x",
        spec_hash=labels["iotistic.config-hash"],
        spec_fields=labels["iotistic.spec-fields"],
        networks=tuple(joining.network for joining in step.container.networks),
        created_s=world.now_s,
    )


def _with_state(world: World, container_id: str, state: ContainerState) -> World:
    return replace(
        world,
        containers=tuple(
            replace(c, state=state, exit_code=137 if state is ContainerState.EXITED else None)
            if c.id == container_id
            else c
            for c in world.containers
        ),
    )


def engine_moves_on(world: World) -> World:
    """What the engine was busy with is done: removals finish, restarts come up."""
    return replace(
        world,
        now_s=world.now_s + 60,
        containers=tuple(
            replace(c, state=ContainerState.RUNNING) if c.state is ContainerState.RESTARTING else c
            for c in world.containers
            if c.state is not ContainerState.REMOVING
        ),
    )


def rounds(world: World, want: Wanted, limit: int = 40) -> tuple[World, list[Plan]]:
    """Plan and do until nothing is left to do; every plan on the way."""
    plans: list[Plan] = []
    for _ in range(limit):
        decided = plan(world, want)
        plans.append(decided)
        done = fulfilled(world, want)
        world = replace(world, intents=tuple(i for i in world.intents if i not in done))
        for step in decided.steps:
            world = applied(world, step)
        world = engine_moves_on(world)
        if not decided.steps and all(w.until_s is None for w in decided.waits) and not done:
            break
    return world, plans
