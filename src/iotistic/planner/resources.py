"""Networks and volumes of apps: made before what needs them, removed after what used them.

Volumes hold people's data: they are removed for an explicit purge only, never because nothing
refers to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iotistic.model.observation import Container, Resources
from iotistic.planner.service import Prerequisites
from iotistic.planner.step import Step
from iotistic.planner.wanted import WantedApp, WantedService
from iotistic.planner.world import StepKind, Subject


def prerequisites(
    service: WantedService,
    *,
    missing_images: frozenset[str],
    resources: Resources,
) -> Prerequisites:
    """What is missing for making or replacing the container of a service.

    `missing_images`: those that services of its app are still to be made of.
    """
    networks = {network.name for network in resources.networks}
    volumes = {volume.name for volume in resources.volumes}
    return Prerequisites(
        missing_images=missing_images,
        missing_objects=(
            *(
                f"network {j.network}"
                for j in service.request.networks
                if j.network not in networks
            ),
            *(f"volume {v}" for v, name in service.request.volumes if name not in volumes),
        ),
    )


def present_images(resources: Resources) -> frozenset[str]:
    """The canonical references that can be made containers of."""
    return frozenset(ref for image in resources.images for ref in image.references)


def create_missing(
    app: WantedApp, services: Iterable[WantedService], resources: Resources
) -> list[Step]:
    """Steps that make the networks and volumes which `services` need and which are not there."""
    needed = list(services)
    networks = {network.name for network in resources.networks}
    volumes = {volume.name for volume in resources.volumes}
    steps = []
    for kind, step, objects, present in (
        ("network", StepKind.CREATE_NETWORK, app.networks, networks),
        ("volume", StepKind.CREATE_VOLUME, app.volumes, volumes),
    ):
        for item in objects:
            users = [
                s.name
                for s in needed
                if item.short_name in (s.networks if kind == "network" else s.volumes)
            ]
            if users and item.name not in present:
                steps.append(
                    Step(
                        kind=step,
                        subject=Subject(app_id=app.app_id, kind=kind, name=item.short_name),
                        reason=f"needed by {', '.join(users[:5])}",
                        target=item.name,
                        labels=item.labels,
                    )
                )
    return steps


def remove_networks(
    apps: Sequence[WantedApp], resources: Resources, containers: Sequence[Container]
) -> list[Step]:
    """Steps that remove networks no app wants any more and no container is joined to.

    Networks of a rejected app stay, like everything of it.
    """
    kept = {network.name for app in apps for network in app.networks}
    rejected = {app.app_id for app in apps if app.rejection is not None}
    used = {name for container in containers for name in container.networks}
    return [
        Step(
            kind=StepKind.REMOVE_NETWORK,
            subject=Subject(app_id=network.app_id, kind="network", name=network.short_name),
            reason="no service of the target uses it",
            target=network.name,
        )
        for network in resources.networks
        if network.name not in kept | used and network.app_id not in rejected
    ]


def purge_volumes(app_id: int, resources: Resources) -> list[Step]:
    """Steps that remove every volume of an app, data and all."""
    return [
        Step(
            kind=StepKind.REMOVE_VOLUME,
            subject=Subject(app_id=app_id, kind="volume", name=volume.short_name),
            reason="purge asked for by a person",
            target=volume.name,
        )
        for volume in resources.volumes
        if volume.app_id == app_id
    ]
