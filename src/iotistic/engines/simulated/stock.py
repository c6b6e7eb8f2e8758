"""What containers are made of in a simulated engine: images, networks, volumes, and the disk."""

from __future__ import annotations

from iotistic.engines.simulated.images import SimulatedImage
from iotistic.engines.simulated.state import EngineState, SimulatedNetwork, SimulatedVolume
from iotistic.model.container import NetworkRequest, VolumeRequest
from iotistic.model.errors import Conflict, EngineUnavailable, Refused
from iotistic.model.naming import LABEL_DEVICE, device_labels


def add_image(state: EngineState, image: SimulatedImage, *names: str) -> None:
    """Keep an image under its references; an older one of the same name loses that name."""
    state.images[image.id] = image
    for reference in (*image.references, *names):
        state.names[reference] = image.id


def check_room(state: EngineState, image: SimulatedImage) -> None:
    """Raise EngineUnavailable (`disk-full`) when a new image would not fit."""
    if image.id not in state.images and image.size_bytes > state.free_bytes:
        raise EngineUnavailable(
            f"pull {image.reference}: no space left on device",
            code="disk-full",
            remedy="free space where the engine keeps images and containers",
        )


def forget_image(state: EngineState, image_id: str, *, names_max: int | None = None) -> None:
    """Take an image away with all its names; with `names_max` only that many of those."""
    names = [name for name, found in state.names.items() if found == image_id]
    for name in names[:names_max]:
        del state.names[name]
    if names_max is None:
        state.images.pop(image_id, None)


def remove_image(state: EngineState, image_id: str) -> None:
    """The same, as long as no container is made of it; else raises Conflict."""
    for container in state.containers.values():
        if container.image.id == image_id:
            raise Conflict(
                f"remove image {image_id[:19]}: container {container.name} is made of it"
            )
    forget_image(state, image_id)


def create_network(state: EngineState, uuid: str, network: NetworkRequest) -> None:
    """Make it, unless the device's own is there."""
    what = f"create network {network.name}"
    if network.spec.external:
        raise Refused(f"{what}: it is somebody else's to make")
    found = state.networks.get(network.name)
    if found is None:
        labels = {**dict(network.spec.labels), **dict(network.labels), **device_labels(uuid)}
        state.networks[network.name] = SimulatedNetwork(state.new_id(), labels, network.spec)
    else:
        _check_ours(uuid, found.labels, what)


def remove_network(state: EngineState, uuid: str, name: str) -> None:
    """Remove it; raises Conflict while a container is active in it."""
    found = state.networks.get(name)
    if found is None or found.labels.get(LABEL_DEVICE) != uuid:
        return
    if any(c.active and name in c.networks for c in state.containers.values()):
        raise Conflict(f"remove network {name}: it has active endpoints")
    del state.networks[name]


def create_volume(state: EngineState, uuid: str, volume: VolumeRequest) -> None:
    """Make it, unless the device's own is there."""
    what = f"create volume {volume.name}"
    if volume.spec.external:
        raise Refused(f"{what}: it is somebody else's to make")
    found = state.volumes.get(volume.name)
    if found is None:
        labels = {**dict(volume.spec.labels), **dict(volume.labels), **device_labels(uuid)}
        state.volumes[volume.name] = SimulatedVolume(labels, volume.spec)
    else:
        _check_ours(uuid, found.labels, what)


def remove_volume(state: EngineState, uuid: str, name: str) -> None:
    """Remove it; raises Conflict while any container, even an ended one, uses it."""
    found = state.volumes.get(name)
    if found is None or found.labels.get(LABEL_DEVICE) != uuid:
        return
    if any(name in c.volumes for c in state.containers.values()):
        raise Conflict(f"remove volume {name}: it is in use")
    del state.volumes[name]


def _check_ours(uuid: str, labels: dict[str, str], what: str) -> None:
    if labels.get(LABEL_DEVICE) != uuid:
        raise Refused(f"{what}: the name is taken by another's", code="name-taken")
