"""Short words for the planner's nouns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from iotistic.model.image import parse_image
from iotistic.model.observation import Container, Image, Network, Resources, Volume
from iotistic.model.target import TargetState, parse_target
from iotistic.model.words import ContainerState
from iotistic.planner.policy import Policy
from iotistic.planner.wanted import Wanted, WantedService, work_out
from iotistic.planner.world import World

UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"
KEY = bytes(range(32))


def service(
    name: str = "web", image: str = "web:1", state: str = "running", **config: Any
) -> dict[str, Any]:
    """One service as the wire has it; its id is its name."""
    return {
        "serviceId": name,
        "serviceName": name,
        "imageName": image,
        "state": state,
        "config": config,
    }


def target(
    *services: Mapping[str, Any], app_id: int = 1001, version: int | None = 1
) -> TargetState:
    """A target of one app."""
    return targets({app_id: services}, version=version)


def targets(apps: Mapping[int, Any], version: int | None = 1) -> TargetState:
    """A target of several apps."""
    return parse_target(
        {
            "apps": {
                str(app_id): {
                    "appId": app_id,
                    "appName": f"app{app_id}",
                    "services": list(services),
                }
                for app_id, services in apps.items()
            },
            "config": {},
            "version": version,
        }
    )


def wanted(state: TargetState, policy: Policy | None = None) -> Wanted:
    """The target worked out for our device."""
    return work_out(state, uuid=UUID, hash_key=KEY, policy=policy or Policy())


def of(want: Wanted, name: str = "web", app_id: int = 1001) -> WantedService:
    """One wanted service by name."""
    return next(
        s for app in want.apps if app.app_id == app_id for s in app.services if s.name == name
    )


def container(
    made_for: WantedService,
    state: str = "running",
    *,
    cid: str = "c1",
    exit_code: int | None = None,
) -> Container:
    """The container that was made for a wanted service."""
    labels = dict(made_for.request.labels)
    ended = state in ("exited", "dead")
    return Container(
        id=cid,
        name=made_for.request.name,
        app_id=made_for.app_id,
        service_id=made_for.key,
        service_name=made_for.name,
        state=ContainerState(state),
        image=str(made_for.target.spec.image),
        image_id="sha256:" + made_for.image[:8],
        spec_hash=labels["iotistic.config-hash"],
        spec_fields=labels["iotistic.spec-fields"],
        networks=tuple(joining.network for joining in made_for.request.networks),
        exit_code=(0 if exit_code is None else exit_code) if ended else None,
    )


def resources(want: Wanted, *, images: tuple[str, ...] = (), objects: bool = True) -> Resources:
    """The named images, and with `objects` every network and volume that is wanted."""
    return Resources(
        images=tuple(
            Image(id=f"sha256:{name}", references=(parse_image(name, at="").canonical,))
            for name in images
        ),
        networks=tuple(
            Network(id=n.name, name=n.name, app_id=app.app_id, short_name=n.short_name)
            for app in want.apps
            for n in app.networks
            if objects
        ),
        volumes=tuple(
            Volume(name=v.name, app_id=app.app_id, short_name=v.short_name)
            for app in want.apps
            for v in app.volumes
            if objects
        ),
    )


def world(
    *containers: Container, has: Resources | None = None, now_s: float = 1000.0, **facts: Any
) -> World:
    """A world with these containers."""
    return replace(World(now_s=now_s, containers=containers, resources=has), **facts)
