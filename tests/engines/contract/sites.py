"""The two places where the contract is tried: a simulated engine, and a real one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

from iotistic.agent.clock import SystemClock
from iotistic.engines.docker import DockerEngine
from iotistic.engines.protocol import Engine
from iotistic.engines.simulated import (
    MemoryShelf,
    SimulatedEngine,
    SimulatedImage,
    SimulatedRegistry,
)
from iotistic.model.naming import LABEL_DEVICE
from scripts.support.engine_http import EngineHttp, EngineRefused

SLEEPER = "iotistic-test/sleeper:1"
WEB = "iotistic-test/web:1"
ONESHOT = "iotistic-test/oneshot:1"
STUBBORN = "iotistic-test/stubborn:1"
MISSING = "iotistic-test/missing:1"


class Site(Protocol):
    """An engine for one device of its own, and what others may do to that engine."""

    uuid: str
    engine: Engine

    def another_device(self) -> tuple[str, Engine]:
        """A second device on the same engine."""
        ...

    async def kill(self, container_id: str) -> None:
        """`docker kill`."""
        ...

    async def update(self, container_id: str) -> None:
        """`docker update --cpu-shares 512`."""
        ...

    async def say(self, container_id: str, *lines: str) -> None:
        """Its program writes these lines."""
        ...

    async def close(self) -> None:
        """Remove all that was made."""
        ...


class SimulatedSite:
    """In memory, with images that behave like our test images."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._shelf = MemoryShelf()
        self.uuid = str(uuid4())
        self.simulated = self._engine(self.uuid)
        self.engine: Engine = self.simulated

    def _engine(self, uuid: str) -> SimulatedEngine:
        return SimulatedEngine(uuid, self._clock, shelf=self._shelf, registry=SimulatedRegistry())

    async def prepare(self) -> None:
        for image in (
            SimulatedImage(reference=SLEEPER),
            SimulatedImage(reference=WEB),
            SimulatedImage(reference=ONESHOT, exits_after_s=0.05, exit_code=3),
            SimulatedImage(reference=STUBBORN, ignores_stop=True),
        ):
            await self.simulated.outside.load_image(image)

    def another_device(self) -> tuple[str, Engine]:
        uuid = str(uuid4())
        return uuid, self._engine(uuid)

    async def kill(self, container_id: str) -> None:
        await self.simulated.outside.kill(container_id)

    async def update(self, container_id: str) -> None:
        await self.simulated.outside.update(container_id, cpu_shares=512)

    async def say(self, container_id: str, *lines: str) -> None:
        for line in lines:
            await self.simulated.outside.say(container_id, line)

    async def close(self) -> None:
        await self.engine.close()


class DockerSite:
    """On a Docker Engine that others may use as well."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.http = EngineHttp(host)
        self._made: list[tuple[str, DockerEngine]] = []
        self.uuid, self.engine = self.another_device()

    def another_device(self) -> tuple[str, Engine]:
        uuid = str(uuid4())
        engine = DockerEngine.from_environment(uuid, {"DOCKER_HOST": self._host})
        self._made.append((uuid, engine))
        return uuid, engine

    async def kill(self, container_id: str) -> None:
        self.http.call("POST", f"/containers/{container_id}/kill")

    async def update(self, container_id: str) -> None:
        self.http.call("POST", f"/containers/{container_id}/update", body={"CpuShares": 512})

    async def say(self, container_id: str, *lines: str) -> None:
        command = ["sh", "-c", 'printf "%s\\n" "$@" > /proc/1/fd/1', "say", *lines]
        made = self.http.call("POST", f"/containers/{container_id}/exec", body={"Cmd": command})
        self.http.call("POST", f"/exec/{made['Id']}/start", body={"Detach": True})

    async def close(self) -> None:
        for uuid, engine in self._made:
            await engine.close()
            self._remove_all(uuid)

    def _remove_all(self, uuid: str) -> None:
        mine: dict[str, Any] = {"filters": {"label": [f"{LABEL_DEVICE}={uuid}"]}}
        for container in self.http.call("GET", "/containers/json", all="1", **mine):
            with suppress(EngineRefused):
                self.http.call("DELETE", f"/containers/{container['Id']}", force="1", v="1")
        for network in self.http.call("GET", "/networks", **mine):
            self.http.call("DELETE", f"/networks/{network['Id']}")
        for volume in self.http.call("GET", "/volumes", **mine)["Volumes"] or ():
            self.http.call("DELETE", f"/volumes/{volume['Name']}")
