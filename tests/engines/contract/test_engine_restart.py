"""The engine itself restarts: what comes back, and what its clients see meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from iotistic.agent.clock import SystemClock
from iotistic.engines.docker import DockerEngine
from iotistic.engines.protocol import Engine
from iotistic.engines.simulated import SimulatedEngine, SimulatedImage
from iotistic.model.errors import EngineUnavailable
from iotistic.model.service import RestartName, RestartPolicy
from iotistic.model.words import ContainerState
from scripts.support.private_docker import PrivateDocker
from tests.engines.builders import eventually, request

UUID = "5a7c0f1e-0000-4000-8000-000000000001"
ALWAYS, NO, UNLESS = RestartName.ALWAYS, RestartName.NO, RestartName.UNLESS_STOPPED


class Restartable(Protocol):
    """An engine that only this test uses."""

    engine: Engine

    async def stop(self) -> None: ...

    async def start(self) -> None: ...


class Simulated:
    def __init__(self, clock: SystemClock) -> None:
        self.simulated = SimulatedEngine(UUID, clock)
        self.engine: Engine = self.simulated

    async def stop(self) -> None:
        await self.simulated.outside.go_down()

    async def start(self) -> None:
        await self.simulated.outside.restart_engine()


class Real:
    def __init__(self, docker: PrivateDocker) -> None:
        self._docker = docker
        self.engine: Engine = DockerEngine.from_environment(UUID, {"DOCKER_HOST": docker.host})

    async def stop(self) -> None:
        await asyncio.to_thread(self._docker.stop)

    async def start(self) -> None:
        self._docker.start()  # not by a thread: the engine ends with the one that started it


@pytest.fixture(params=["simulated", pytest.param("docker", marks=pytest.mark.docker)])
async def site(request: pytest.FixtureRequest, clock: SystemClock) -> AsyncIterator[Restartable]:
    if request.param == "simulated":
        simulated = Simulated(clock)
        await simulated.simulated.outside.load_image(
            SimulatedImage(reference="iotistic-test/sleeper:1")
        )
        yield simulated
        return
    real = Real(request.getfixturevalue("own_docker"))
    yield real
    await real.engine.close()


async def states(engine: Engine) -> dict[str, ContainerState]:
    return {seen.service_name: seen.state for seen in await engine.containers()}


async def test_restart_policies_say_what_comes_back(site: Restartable) -> None:
    engine = site.engine
    ids = {
        name: await engine.create_container(request(UUID, name, restart=RestartPolicy(name=policy)))
        for name, policy in {
            "always": ALWAYS,
            "always-stopped": ALWAYS,
            "never": NO,
            "unless": UNLESS,
            "unless-stopped": UNLESS,
            "not-started": UNLESS,
        }.items()
    }
    for name in ids.keys() - {"not-started"}:
        await engine.start(ids[name])
    for name in ("always-stopped", "unless-stopped"):
        await engine.stop(ids[name], grace_s=5)

    await site.stop()
    with pytest.raises(EngineUnavailable) as down:
        await engine.containers()
    await site.start()

    assert down.value.code == "engine-unavailable"
    await eventually(
        lambda: states(engine),
        lambda seen: (
            seen
            == {
                "always": ContainerState.RUNNING,
                "always-stopped": ContainerState.RUNNING,
                "never": ContainerState.EXITED,
                "unless": ContainerState.RUNNING,
                "unless-stopped": ContainerState.EXITED,
                "not-started": ContainerState.CREATED,
            }
        ),
    )


async def test_the_event_stream_breaks_with_the_engine(site: Restartable) -> None:
    async def listen() -> None:
        async for _ in site.engine.events():
            listening.set()

    async def break_it() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            # Until the stream is open events are missed; so make some until one comes.
            while not listening.is_set():
                made = await site.engine.create_container(request(UUID))
                await site.engine.remove(made)
            await site.stop()

    listening = asyncio.Event()
    with pytest.raises(ExceptionGroup) as broken:
        await break_it()

    (error,) = broken.value.exceptions
    assert isinstance(error, EngineUnavailable)
