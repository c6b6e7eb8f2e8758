"""Every test of the contract runs on a simulated engine and on a Docker Engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from iotistic.agent.clock import SystemClock
from iotistic.engines.protocol import Engine
from tests.engines.contract.sites import DockerSite, SimulatedSite, Site


@pytest.fixture(scope="session")
def clock() -> SystemClock:
    """The host's clocks."""
    return SystemClock()


@pytest.fixture(params=["simulated", pytest.param("docker", marks=pytest.mark.docker)])
async def site(request: pytest.FixtureRequest, clock: SystemClock) -> AsyncIterator[Site]:
    """A place with an engine for a device of its own, clean again afterwards."""
    found: Site
    if request.param == "docker":
        found = DockerSite(request.getfixturevalue("docker_host"))
    else:
        found = simulated = SimulatedSite(clock)
        await simulated.prepare()
    yield found
    await found.close()


@pytest.fixture
def engine(site: Site) -> Engine:
    """The engine of the site."""
    return site.engine


@pytest.fixture
def uuid(site: Site) -> str:
    """The device of the site."""
    return site.uuid
