"""Cloud, proxy and agent as processes, as a device has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.demonstration.outside import DockerOutside, Outside, SimulatedOutside
from scripts.support.programs import Agent, Cloud, wait_for
from tests.system.lying_proxy import LyingProxy, lying_proxy

FAST = {"POLL_INTERVAL_MS": "1000", "REPORT_INTERVAL_MS": "1000"}


@pytest.fixture(scope="session")
def proxy() -> Iterator[LyingProxy]:
    with lying_proxy() as found:
        yield found


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, proxy: LyingProxy) -> Iterator[Cloud]:
    """The one cloud of these tests, which devices reach through the proxy."""
    found = Cloud(tmp_path_factory.mktemp("cloud"))
    found.arguments += ("--public-url", proxy.url)
    with found.serving():
        proxy.behind = found.url
        yield found


class Site:
    """One device with its agent, its engine seen from outside, and its cloud."""

    def __init__(self, agent: Agent, outside: Outside, cloud: Cloud, proxy: LyingProxy) -> None:
        self.agent = agent
        self.outside = outside
        self.cloud = cloud
        self.proxy = proxy
        self.uuid = ""
        self.may_fail = False
        """The test breaks something so that a service of the agent has to be started anew."""
        self._others = self.devices()

    def devices(self) -> set[str]:
        """The uuids of all devices of the cloud."""
        return {device["uuid"] for device in self.cloud.call("GET", "/api/v1/devices")["devices"]}

    def made(self) -> set[str]:
        """The uuids of the devices that came since the test began."""
        return self.devices() - self._others

    def join(self) -> None:
        """Start the agent and wait until it is in the cloud."""
        self.agent.start()
        self.agent.ready()
        self.until_provisioned()

    def until_provisioned(self, timeout_s: float = 60.0) -> None:
        def provisioned() -> bool | None:
            self.agent.check_alive()
            status = self.agent.call("GET", "/v1/provision/status")
            return True if status["phase"] == "provisioned" else None

        wait_for("provisioning", provisioned, timeout_s)
        self.uuid = self.agent.call("GET", "/v1/device")["uuid"]

    def restart(self) -> None:
        """Kill the agent and start it again."""
        self.agent.kill()
        self.agent.start()
        self.agent.ready()

    def service(self, name: str, state: str = "running", **config: Any) -> dict[str, Any]:
        """A service of the wire, of the test image."""
        return {
            "serviceId": name,
            "serviceName": name,
            "imageName": self.outside.image,
            "state": state,
            "config": config,
        }

    def deploy(self, *services: dict[str, Any]) -> int:
        """Save and deploy these services as one app; the version."""
        app = {"appId": 1001, "appName": "shop", "services": list(services)}
        return self.cloud.set_target(self.uuid, {"1001": app})

    def states(self) -> dict[str, str]:
        return {name: seen.state for name, seen in self.outside.containers(self.uuid).items()}

    def until_states(self, **states: str) -> None:
        wait_for(f"containers {states}", lambda: self.states() == states or None, timeout_s=90)


def _site(tmp_path: Path, outside: Outside, cloud: Cloud, proxy: LyingProxy) -> Iterator[Site]:
    agent = Agent(
        tmp_path / "device",
        **FAST,
        **outside.environment,
        CLOUD_API_ENDPOINT=proxy.url,
        PROVISIONING_API_KEY=cloud.new_key(maxDevices=1),
    )
    site = Site(agent, outside, cloud, proxy)
    try:
        yield site
        assert agent.failures() == [] or site.may_fail
    finally:
        proxy.lie, proxy.lose = None, 0
        agent.kill()
        if site.uuid:
            assert outside.clean(site.uuid) == []


@pytest.fixture
def site(tmp_path: Path, cloud: Cloud, proxy: LyingProxy) -> Iterator[Site]:
    """A device on the simulated engine."""
    yield from _site(tmp_path, SimulatedOutside(tmp_path / "device"), cloud, proxy)


@pytest.fixture
def docker_site(
    tmp_path: Path, cloud: Cloud, proxy: LyingProxy, docker_host: str
) -> Iterator[Site]:
    """A device on the Docker Engine."""
    yield from _site(tmp_path, DockerOutside(docker_host), cloud, proxy)
