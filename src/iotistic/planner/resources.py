"""Networks and volumes of apps: made before what needs them, removed after what used them.

A network that is not as wanted is made anew, after everything of its app has left it. Volumes
hold people's data: they are removed for an explicit purge only, never because nothing refers to
them, and one that differs is told of and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iotistic.model.observation import Container, Network, Resources, Volume
from iotistic.planner import normalize
from iotistic.planner.step import Step
from iotistic.planner.wanted import WantedApp, WantedNetwork, WantedService, WantedVolume
from iotistic.planner.world import StepKind, Subject


def _differs(found: str | None, wanted: str) -> bool:
    """Whether an object was made differently; of what another version made nothing is known."""
    held = found or normalize.DEFAULT_OBJECT_HASH
    return held != wanted and normalize.hash_version(held) == normalize.HASH_VERSION


def to_remake(app: WantedApp, seen: Resources | None) -> frozenset[str]:
    """The short names of networks that are there and not as wanted."""
    if seen is None:
        return frozenset()
    found = {network.name: network for network in seen.networks}
    return frozenset(
        network.short_name
        for network in app.networks
        if network.request is not None
        and network.name in found
        and _differs(found[network.name].spec_hash, network.spec_hash)
    )


def warnings(app: WantedApp, seen: Resources | None) -> tuple[str, ...]:
    """What is not as wanted about volumes, which are never changed."""
    if seen is None:
        return ()
    found = {volume.name: volume for volume in seen.volumes}
    return tuple(
        f"volume {volume.short_name}: is not as the target describes it;"
        " it is kept, since it holds data (to make it anew: iotctl apps purge)"
        for volume in app.volumes
        if volume.request is not None
        and volume.name in found
        and _differs(found[volume.name].spec_hash, volume.spec_hash)
    )


def missing_objects(
    service: WantedService, app: WantedApp, resources: Resources
) -> tuple[str, ...]:
    """Networks and volumes of ours that the service needs and that are not there."""
    networks = {network.name for network in resources.networks}
    volumes = {volume.name for volume in resources.volumes}
    return (
        *(
            f"network {network.name}"
            for network in app.networks
            if network.short_name in service.networks
            and network.request is not None
            and network.name not in networks
        ),
        *(
            f"volume {volume.name}"
            for volume in app.volumes
            if volume.short_name in service.volumes
            and volume.request is not None
            and volume.name not in volumes
        ),
    )


def missing_externals(
    service: WantedService, app: WantedApp, resources: Resources
) -> tuple[str, ...]:
    """Networks and volumes that others are to make and have not made."""
    networks = {network.name for network in resources.networks} | resources.other_networks
    volumes = {volume.name for volume in resources.volumes} | resources.other_volumes
    return (
        *(
            f"external network {network.name}"
            for network in app.networks
            if network.short_name in service.networks
            and network.request is None
            and network.name not in networks
        ),
        *(
            f"external volume {volume.name}"
            for volume in app.volumes
            if volume.short_name in service.volumes
            and volume.request is None
            and volume.name not in volumes
        ),
    )


def create_missing(
    app: WantedApp, services: Iterable[WantedService], resources: Resources
) -> list[Step]:
    """Steps that make the networks and volumes which `services` need and which are not there."""
    needed = list(services)
    networks = {network.name for network in resources.networks}
    volumes = {volume.name for volume in resources.volumes}
    steps: list[Step] = []
    for network in app.networks:
        users = [s.name for s in needed if network.short_name in s.networks]
        if users and network.request is not None and network.name not in networks:
            steps.append(_creation(app, network, users))
    for volume in app.volumes:
        users = [s.name for s in needed if volume.short_name in s.volumes]
        if users and volume.request is not None and volume.name not in volumes:
            steps.append(_creation(app, volume, users))
    return steps


def _creation(app: WantedApp, item: WantedNetwork | WantedVolume, users: list[str]) -> Step:
    is_network = isinstance(item, WantedNetwork)
    return Step(
        kind=StepKind.CREATE_NETWORK if is_network else StepKind.CREATE_VOLUME,
        subject=Subject(
            app_id=app.app_id, kind="network" if is_network else "volume", name=item.short_name
        ),
        reason=f"needed by {', '.join(users[:5])}",
        target=item.name,
        network=item.request if isinstance(item, WantedNetwork) else None,
        volume=item.request if isinstance(item, WantedVolume) else None,
        purpose=item.spec_hash,
    )


def remake(app: WantedApp, names: frozenset[str], containers: Sequence[Container]) -> list[Step]:
    """Steps that remove networks which are to be made anew and which nothing of ours uses now."""
    used = {name for container in containers for name in container.networks}
    return [
        Step(
            kind=StepKind.REMOVE_NETWORK,
            subject=Subject(app_id=app.app_id, kind="network", name=network.short_name),
            reason="its description changed, it is made anew",
            target=network.name,
            purpose=network.spec_hash,
        )
        for network in app.networks
        if network.short_name in names and network.name not in used
    ]


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
        _removal(network)
        for network in sorted(resources.networks, key=lambda network: network.id)
        if network.name not in kept | used and network.app_id not in rejected
    ]


def _removal(network: Network) -> Step:
    return Step(
        kind=StepKind.REMOVE_NETWORK,
        subject=Subject(app_id=network.app_id, kind="network", name=network.short_name),
        reason="no service of the target uses it",
        target=network.name,
    )


def purge_volumes(app_id: int, volumes: Iterable[Volume]) -> list[Step]:
    """Steps that remove every volume of an app, data and all."""
    return [
        Step(
            kind=StepKind.REMOVE_VOLUME,
            subject=Subject(app_id=app_id, kind="volume", name=volume.short_name),
            reason="purge asked for by a person",
            target=volume.name,
        )
        for volume in sorted(volumes, key=lambda volume: volume.name)
        if volume.app_id == app_id
    ]
