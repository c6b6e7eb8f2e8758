"""A simulated engine in virtual time."""

from __future__ import annotations

from typing import Any

from iotistic.engines.simulated import SimulatedEngine, SimulatedImage
from iotistic.model.observation import Container
from iotistic.model.service import RestartName, RestartPolicy
from tests.agent.virtual_clock import VirtualClock
from tests.engines.builders import request

UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"
SLEEPER = "iotistic-test/sleeper:1"


async def engine_with(clock: VirtualClock, *images: SimulatedImage, **more: Any) -> SimulatedEngine:
    """An engine that has the images, and a plain one, loaded."""
    engine = SimulatedEngine(UUID, clock, **more)
    for image in (SimulatedImage(reference=SLEEPER), *images):
        await engine.outside.load_image(image)
    return engine


async def running(
    engine: SimulatedEngine,
    service: str = "web",
    reference: str = SLEEPER,
    restart: RestartName = RestartName.UNLESS_STOPPED,
    retries_max: int = 0,
    **more: Any,
) -> str:
    """A started container."""
    policy = RestartPolicy(name=restart, retries_max=retries_max)
    container_id = await engine.create_container(
        request(UUID, service, reference=reference, restart=policy, **more)
    )
    await engine.start(container_id)
    return container_id


async def the(engine: SimulatedEngine, container_id: str) -> Container:
    """The container as it is seen now."""
    return next(seen for seen in await engine.containers() if seen.id == container_id)
