"""Worlds and targets at random, and an engine as a pure function: `(world, step) -> world`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from iotistic.model.observation import Container, Image, Network, Resources, Volume
from iotistic.model.target import TargetState
from iotistic.planner.foresight import after, time_passes
from iotistic.planner.plan import plan
from iotistic.planner.step import Plan
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import GoodRelease, Lock, LockOwner, Releases, World
from tests.planner.builders import container, targets, wanted

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
IMAGES = ("web:1", "web:2", "db:1")


@st.composite
def services(
    draw: st.DrawFn, names: tuple[str, ...] = ("a", "b", "c", "d")
) -> list[dict[str, Any]]:
    """Up to four services with differing images, states and resources."""
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=4))
    found: list[dict[str, Any]] = [
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
    for one in found:
        if one["state"] == "paused":
            # Whether a one-shot is paused or ends first is a matter of luck.
            one["config"]["restart"] = "always"
    return found


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


def rounds(world: World, want: Wanted, limit: int = 80) -> tuple[World, list[Plan]]:
    """Plan, do, let time pass, until nothing is left to do; every plan on the way."""
    plans: list[Plan] = []
    for _ in range(limit):
        decided = plan(world, want)
        plans.append(decided)
        for step in decided.steps:
            world = after(world, step)
        world, want, moved = time_passes(world, want, decided)
        if not decided.steps and not moved:
            break
    return world, plans


def steady(world: World, want: Wanted) -> World:
    """The same world, in which the wanted release is the good one already and no lock matters."""
    good = tuple(
        GoodRelease(app_id=app.app_id, release_hash=app.release_hash, release=app.release)
        for app in want.apps
    )
    ids = {app.app_id for app in want.apps} | {c.app_id for c in world.containers}
    locks = tuple(Lock(app_id=app_id, owner=LockOwner.AGENT) for app_id in sorted(ids))
    return replace(world, releases=Releases(good=good), locks=locks)
