"""The engine as somebody else sees it, so that no claim rests on what the agent says."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from iotistic.agent.clock import SystemClock
from iotistic.agent.from_settings import SIMULATED_ENGINE_FILE
from iotistic.engines.simulated import FileShelf, SimulatedEngine
from scripts.support import images
from scripts.support.engine_http import EngineHttp, EngineRefused


@dataclass(frozen=True, slots=True)
class Seen:
    """One container: what tells whether it was left alone."""

    id: str
    state: str
    started_at: str | None


class Outside(Protocol):
    """What the story needs of the world outside the agent."""

    kind: str
    image: str
    environment: dict[str, str]

    def containers(self, uuid: str) -> dict[str, Seen]:
        """The device's containers by service name."""
        ...

    def kill(self, uuid: str, service: str) -> None:
        """End a container behind the agent's back."""
        ...

    def page(self, uuid: str, service: str) -> str | None:
        """What the service answers over HTTP; None where nothing can be served."""
        ...

    def clean(self, uuid: str) -> list[str]:
        """Remove everything of the device; what could not be removed is the answer."""
        ...


class DockerOutside:
    """Docker's own API, and HTTP to the services."""

    kind = "docker"

    def __init__(self, host: str) -> None:
        self._docker = EngineHttp(host)
        self.environment = {"DOCKER_HOST": host}
        self.image = images.WEB_1.reference
        images.load(host, images.WEB_1)

    def containers(self, uuid: str) -> dict[str, Seen]:
        """Inspect what carries the device's label."""
        found = {}
        for listed in self._list("/containers/json", uuid, all="1"):
            with suppress(EngineRefused):  # gone since the listing
                inspected = self._docker.call("GET", f"/containers/{listed['Id']}/json")
                state = inspected["State"]
                found[listed["Labels"]["iotistic.service-name"]] = Seen(
                    listed["Id"], state["Status"], state["StartedAt"]
                )
        return found

    def kill(self, uuid: str, service: str) -> None:
        """`docker kill`."""
        self._docker.call("POST", f"/containers/{self.containers(uuid)[service].id}/kill")

    def page(self, uuid: str, service: str) -> str | None:
        """Fetch the page from the port that Docker published on loopback."""
        container = self.containers(uuid)[service].id
        inspected = self._docker.call("GET", f"/containers/{container}/json")
        (binding,) = inspected["NetworkSettings"]["Ports"]["8080/tcp"]
        url = f"http://{binding['HostIp']}:{binding['HostPort']}/"
        with urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode().strip())

    def clean(self, uuid: str) -> list[str]:
        """Containers first, then what they used."""
        left: list[str] = []
        for kind, path, key in (
            ("containers", "/containers", "Id"),
            ("networks", "/networks", "Id"),
            ("volumes", "/volumes", "Name"),
        ):
            options: dict[str, Any] = {"force": "1"} if kind == "containers" else {}
            listing: dict[str, Any] = {"all": "1"} if kind == "containers" else {}
            where = f"{path}/json" if kind == "containers" else path
            for item in self._list(where, uuid, **listing):
                try:
                    self._docker.call("DELETE", f"{path}/{item[key]}", **options)
                except EngineRefused as error:
                    left.append(f"{kind} {item[key]}: {error}")
        return left

    def _list(self, path: str, uuid: str, **options: Any) -> list[dict[str, Any]]:
        found = self._docker.call(
            "GET", path, filters={"label": [f"iotistic.device={uuid}"]}, **options
        )
        listed: list[dict[str, Any]] = (found["Volumes"] or []) if path == "/volumes" else found
        return listed


class SimulatedOutside:
    """The simulated engine's file, opened by a second process: this one."""

    kind = "simulated"
    image = "web:1"

    def __init__(self, folder: Path) -> None:
        self._file = folder / SIMULATED_ENGINE_FILE
        self.environment = {"CONTAINER_ENGINE": "simulated"}
        self._clock = SystemClock()

    def containers(self, uuid: str) -> dict[str, Seen]:
        """Look into the file."""

        async def look(engine: SimulatedEngine) -> dict[str, Seen]:
            return {
                c.service_name: Seen(c.id, c.state.value, await engine.started_at(c.id))
                for c in await engine.containers()
            }

        found: dict[str, Seen] = self._with_engine(uuid, look)
        return found

    def kill(self, uuid: str, service: str) -> None:
        """What `docker kill` would be."""
        container = self.containers(uuid)[service].id
        self._with_engine(uuid, lambda engine: engine.outside.kill(container))

    def page(self, uuid: str, service: str) -> str | None:  # noqa: ARG002 - a Protocol's method
        """Nothing runs in a simulation, so nothing can be fetched."""
        return None

    def clean(self, uuid: str) -> list[str]:  # noqa: ARG002 - a Protocol's method
        """The file goes with the folder."""
        return []

    def _with_engine(self, uuid: str, act: Callable[[SimulatedEngine], Any]) -> Any:
        async def run() -> Any:
            engine = SimulatedEngine(uuid, self._clock, shelf=FileShelf(self._file))
            return await act(engine)

        return asyncio.run(run())
