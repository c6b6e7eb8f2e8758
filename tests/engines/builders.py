"""Short words for the nouns of engines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from iotistic.engines.protocol import PullProgress
from iotistic.model.container import ContainerRequest, Joining, NetworkRequest, VolumeRequest
from iotistic.model.image import ImageRef, parse_image
from iotistic.model.naming import (
    LABEL_APP_ID,
    LABEL_CONFIG_HASH,
    LABEL_SERVICE_ID,
    LABEL_SERVICE_NAME,
    container_name,
    device_labels,
    object_labels,
    object_name,
)
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.secret import Secret
from iotistic.model.service import Mount, NetworkAttachment, ServiceSpec

T = TypeVar("T")

APP_ID = 1001
WITHIN_S = 15.0


def image(text: str) -> ImageRef:
    """An image reference."""
    return parse_image(text, at="image")


def request(
    uuid: str,
    service: str = "web",
    *,
    reference: str = "iotistic-test/sleeper:1",
    spec_hash: str = "1:aaaa",
    networks: tuple[str, ...] = (),
    volumes: tuple[tuple[str, str], ...] = (),
    mounts: tuple[Mount, ...] = (),
    environment: dict[str, str] | None = None,
    **spec: Any,
) -> ContainerRequest:
    """A container of the service, in networks of those engine names."""
    labels = {
        **device_labels(uuid),
        LABEL_APP_ID: str(APP_ID),
        LABEL_SERVICE_ID: service,
        LABEL_SERVICE_NAME: service,
        LABEL_CONFIG_HASH: spec_hash,
    }
    variables = tuple((k, Secret(v)) for k, v in sorted((environment or {}).items()))
    return ContainerRequest(
        name=container_name(uuid, "shop", service, service),
        labels=tuple(sorted(labels.items())),
        spec=ServiceSpec(image=image(reference), environment=variables, volumes=mounts, **spec),
        networks=tuple(
            Joining(network=name, how=NetworkAttachment(name=name, aliases=(service,)))
            for name in networks
        ),
        network_mode=spec.get("network_mode"),
        volumes=volumes,
    )


def network(uuid: str, short_name: str = "default", **spec: Any) -> NetworkRequest:
    """A network of the app."""
    return NetworkRequest(
        name=object_name(uuid, APP_ID, short_name),
        labels=tuple(sorted(object_labels(uuid, APP_ID, short_name).items())),
        spec=NetworkSpec(short_name=short_name, **spec),
    )


def volume(uuid: str, short_name: str = "data", **spec: Any) -> VolumeRequest:
    """A volume of the app."""
    return VolumeRequest(
        name=object_name(uuid, APP_ID, short_name),
        labels=tuple(sorted(object_labels(uuid, APP_ID, short_name).items())),
        spec=VolumeSpec(short_name=short_name, **spec),
    )


class Progress:
    """Keeps what a pull reported."""

    def __init__(self) -> None:
        self.seen: list[PullProgress] = []

    def __call__(self, progress: PullProgress) -> None:
        self.seen.append(progress)


async def eventually(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Look until what is seen is as wanted; fails with the last sight after a while."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + WITHIN_S
    while True:
        seen = await look()
        if wanted(seen):
            return seen
        assert loop.time() < deadline_s, f"still {seen!r}"
        await asyncio.sleep(0.02)
