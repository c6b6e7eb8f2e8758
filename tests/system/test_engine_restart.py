"""The Docker Engine goes away, hangs, loses layers, and comes back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.demonstration.outside import DockerOutside
from scripts.support.private_docker import PrivateDocker, private_docker, why_not
from scripts.support.programs import Cloud, wait_for
from scripts.support.registry import registry
from tests.system.conftest import Site, _site
from tests.system.home import Docker
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


@pytest.fixture
def lasting(
    tmp_path: Path, cloud: Cloud, proxy: LyingProxy
) -> Iterator[tuple[Site, PrivateDocker]]:
    """A device on an engine whose containers outlive its process."""
    with private_docker(live_restore=True) as engine:
        for site in _site(tmp_path, DockerOutside(engine.host), cloud, proxy):
            yield site, engine


def engine_code(site: Site) -> str | None:
    error = site.agent.call("GET", "/v1/status")["engine"]["error"]
    return str(error["code"]) if error else None


def test_what_runs_outlives_an_engine_that_is_killed_and_is_left_alone(
    lasting: tuple[Site, PrivateDocker],
) -> None:
    site, engine = lasting
    site.join()
    site.deploy(site.service("web"), site.service("db"))
    site.until_states(web="running", db="running")
    before = site.outside.containers(site.uuid)

    with Docker(engine.host).stranger("bystander", site.outside.image) as stranger:
        engine.kill()
        assert wait_for("the engine missed", lambda: engine_code(site)) == "engine-unavailable"
        version = site.deploy(site.service("web"), site.service("db"), site.service("x"))
        engine.start()
        site.agent.until_settled(version)

        after = dict(site.outside.containers(site.uuid))
        assert after.pop("x").state == "running"
        assert after == before
        (seen,) = [c for c in Docker(engine.host).containers() if c["Id"] == stranger]
        assert seen["State"]["Running"]


@pytest.mark.long
def test_an_engine_that_hangs_is_called_so_and_all_goes_on_when_it_does(
    lasting: tuple[Site, PrivateDocker],
) -> None:
    site, engine = lasting
    site.join()
    site.deploy(site.service("web"))
    site.until_states(web="running")
    before = site.outside.containers(site.uuid)

    engine.freeze()
    try:
        assert wait_for("it hangs", lambda: engine_code(site), 60) == "engine-unresponsive"
        assert site.agent.call("GET", "/v1/healthy") == "OK"
    finally:
        engine.thaw()
    version = site.deploy(site.service("web"), site.service("x"))
    site.agent.until_settled(version, timeout_s=90)
    assert site.outside.containers(site.uuid)["web"] == before["web"]


def test_an_image_that_lost_its_layers_is_brought_again(
    own_site: Site, engine: PrivateDocker
) -> None:
    site = own_site
    site.join()
    with registry() as shelf:
        service = site.service("web", volumes=["data:/data"], pull_policy="missing")
        service["imageName"] = image = f"{shelf.host}/frail:1"
        site.deploy(service)
        site.until_states(web="running")
        http = Docker(engine.host).http
        layer = Path(http.call("GET", f"/images/{image}/json")["GraphDriver"]["Data"]["UpperDir"])
        volumes = {v["Name"] for v in http.call("GET", "/volumes")["Volumes"]}

        engine.stop()
        shutil.rmtree(layer.parent)
        engine.start()

        site.until_states(web="running")
    assert {v["Name"] for v in http.call("GET", "/volumes")["Volumes"]} == volumes
