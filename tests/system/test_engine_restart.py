"""The Docker Engine goes away in the middle of an update and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.demonstration.outside import DockerOutside
from scripts.support.private_docker import PrivateDocker, private_docker, why_not
from scripts.support.programs import Cloud, wait_for
from tests.system.conftest import Site, _site
from tests.system.lying_proxy import LyingProxy

pytestmark = [
    pytest.mark.system,
    pytest.mark.docker,
    pytest.mark.timeout(240),
    pytest.mark.skipif(why_not() is not None, reason=f"no engine of our own: {why_not()}"),
]


@pytest.fixture
def engine() -> Iterator[PrivateDocker]:
    with private_docker() as found:
        yield found


@pytest.fixture
def own_site(
    tmp_path: Path, cloud: Cloud, proxy: LyingProxy, engine: PrivateDocker
) -> Iterator[Site]:
    yield from _site(tmp_path, DockerOutside(engine.host), cloud, proxy)


def test_an_engine_that_restarts_in_the_middle_of_an_update(
    own_site: Site, engine: PrivateDocker
) -> None:
    site = own_site
    site.join()
    site.deploy(site.service("web"), site.service("db"))
    site.until_states(web="running", db="running")

    version = site.deploy(
        site.service("web", environment={"MESSAGE": "new"}), site.service("db"), site.service("x")
    )
    engine.stop()
    wait_for(
        "the engine missed",
        lambda: site.agent.call("GET", "/v1/status")["engine"]["error"],
        60,
    )
    assert site.agent.call("GET", "/v1/status")["engine"]["available"] is False
    engine.start()

    site.agent.until_settled(version, timeout_s=120)
    assert site.states() == {"web": "running", "db": "running", "x": "running"}
