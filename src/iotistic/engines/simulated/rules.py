"""What a simulated engine refuses, and when it restarts a container."""

from __future__ import annotations

from iotistic.engines.simulated.images import SimulatedImage
from iotistic.engines.simulated.state import PLAIN_NETWORKS, EngineState, SimulatedContainer
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import Refused
from iotistic.model.service import RestartName


def image_for(state: EngineState, request: ContainerRequest) -> SimulatedImage:
    """The image that a container is to be made of; raises Refused."""
    wanted = request.spec.platform
    image = (
        state.images.get(request.image_id)
        if request.image_id
        else state.image(request.spec.image.canonical)
    )
    if image is None:
        raise Refused(f"no such image: {request.spec.image}", code="image-not-found")
    if wanted and not image.is_for(wanted):
        raise Refused(
            f"image {request.spec.image} is for {image.platform}, not for {wanted}",
            code="image-not-found",
        )
    return image


def check_start(state: EngineState, container: SimulatedContainer) -> None:
    """Raise Refused for networks that are not there, a taken port, a program that cannot run."""
    what = f"start container {container.id[:12]}"
    _check_networks(state, container, what)
    for other in state.containers.values():
        for port in container.ports:
            if other.active and any(port.clashes(held) for held in other.ports):
                raise Refused(
                    f"{what}: port {port.host} is taken by container {other.name}",
                    code="port-allocated",
                )
    if container.image.start_error:
        raise Refused(f"{what}: {container.image.start_error}", code="start-failed")


def _check_networks(state: EngineState, container: SimulatedContainer, what: str) -> None:
    for name in container.networks:
        if name not in state.networks and name not in PLAIN_NETWORKS:
            raise Refused(f"{what}: network {name} not found", code="start-failed")
    kind, _, other_id = container.network_mode.partition(":")
    if kind == "container":
        other = state.containers.get(other_id)
        if other is None or not other.active:
            raise Refused(
                f"{what}: cannot join network of a non running container: {other_id}",
                code="start-failed",
            )


def restarts(container: SimulatedContainer, *, engine_started: bool = False) -> bool:
    """Whether its policy wants it to run again, now that it has ended."""
    policy = container.spec.restart
    match policy.name:
        case RestartName.ALWAYS:
            return engine_started or not container.stopped_by_hand
        case RestartName.UNLESS_STOPPED:
            return not container.stopped_by_hand
        case RestartName.ON_FAILURE:
            left = policy.retries_max == 0 or container.retries < policy.retries_max
            return bool(container.exit_code) and not container.stopped_by_hand and left
        case RestartName.NO:
            return False
