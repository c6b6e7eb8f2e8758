"""Which images stay, which are asked for again, and what is made anew, on a real engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from scripts.support.engine_http import EngineRefused
from scripts.support.images import ONESHOT, SLEEPER
from scripts.support.programs import Cloud, wait_for
from scripts.support.registry import Registry, registry
from tests.system.home import App, Home, home_at
from tests.system.lying_proxy import LyingProxy

pytestmark = [pytest.mark.system, pytest.mark.docker, pytest.mark.timeout(120)]

WELL = {"test": ["CMD", "cat", "/well"], "interval": "1s", "start_period": "1h"}


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, cloud: Cloud, proxy: LyingProxy, docker_host: str
) -> Iterator[Home]:
    """The one device of these tests; it keeps no image that nobody needs."""
    folder, no_room = tmp_path_factory.mktemp("home"), {"IMAGE_BUDGET_MB": "0"}
    with home_at(folder, cloud, proxy, docker_host, **no_room) as found:
        yield found


@pytest.fixture
def app(home: Home) -> Iterator[App]:
    found = home.new_app()
    yield found
    found.remove()


@pytest.fixture
def shelf(home: Home) -> Iterator[Registry]:
    """A registry; what was pulled from it is gone afterwards."""
    with registry() as found:
        yield found
    for image in images(home, found.host):
        with suppress(EngineRefused):
            home.docker.http.call("DELETE", f"/images/{image}", force="1")


def images(home: Home, host: str) -> Mapping[str, str]:
    """The ids of the images that are here from a registry, by their reference."""
    listed = home.docker.http.call("GET", "/images/json")
    tags = [(tag, image["Id"]) for image in listed for tag in image["RepoTags"] or ()]
    return {tag: image_id for tag, image_id in tags if tag.startswith(host)}


def test_images_that_nobody_needs_go_also_while_another_app_is_locked(
    app: App, shelf: Registry
) -> None:
    home, other = app.home, app.home.new_app()
    other.settle("r1", other.service("web"))
    code, _ = home.iotctl("apps", "lock", str(other.app_id), "--for", "1h")
    assert code == 0
    other.deploy("r2", other.service("web", environment={"NEW": "1"}))
    other.until("the lock", lambda found: "locked" in found["reason"])

    def web(tag: int, **config: Any) -> dict[str, Any]:
        image = f"{shelf.host}/kept:{tag}"
        return app.service("web", image, pull_policy="missing", **config)

    app.settle("r1", web(1))
    app.deploy("r2", web(2, healthcheck=WELL), verify={"timeout": "60s", "min_healthy_s": 1})
    app.until(
        "r2 on trial", lambda found: (found["release"], found["phase"]) == ("r2", "verifying")
    )
    assert set(images(home, shelf.host)) == {f"{shelf.host}/kept:{tag}" for tag in (1, 2)}

    home.docker.write(app.container("web")["Id"], "/well")
    app.until_done("r2")
    wait_for(
        "the first gone",
        lambda: set(images(home, shelf.host)) == {f"{shelf.host}/kept:2"} or None,
        every_s=0.2,
    )
    assert home.docker.http.call("GET", f"/images/{ONESHOT.reference}/json")
    home.iotctl("apps", "unlock", str(other.app_id))
    other.remove()


def test_a_tag_that_moved_is_pulled_for_a_new_release_and_for_nothing_else(
    app: App, shelf: Registry
) -> None:
    image = f"{shelf.host}/moving:1"
    web = app.service("web", image, pull_policy="missing")
    first = app.settle("r1", web)
    shelf.move_tags()
    app.home.restart()
    app.home.agent.until_settled()
    assert app.containers() == first

    second = app.settle("r2", web)
    assert second["web"].id != first["web"].id
    assert app.container("web")["Image"] == images(app.home, shelf.host)[image]


# -- changes from outside


def test_a_change_by_docker_update_is_taken_back_and_told(app: App) -> None:
    http = app.home.docker.http
    limits = {"mem_limit": "64m", "restart": "always"}
    before = app.settle("r1", app.service("web", **limits), app.service("db"))

    for service in ("web", "db"):
        body: dict[str, Any] = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}
        if service == "web":
            body |= {"Memory": 128 << 20, "MemorySwap": -1}
        http.call("POST", f"/containers/{before[service].id}/update", body=body)

    def is_well(service: str, policy: str) -> bool:
        found = app.inspected(service)
        return len(found) == 1 and (
            found[0]["State"]["Status"] == "running"
            and found[0]["HostConfig"]["RestartPolicy"]["Name"] == policy
        )

    wait_for("web as wanted", lambda: is_well("web", "always") or None, every_s=0.1)
    wait_for("db as wanted", lambda: is_well("db", "unless-stopped") or None, every_s=0.1)
    assert app.container("web")["HostConfig"]["Memory"] == 64 << 20
    told = {
        entry["serviceName"]: sorted(d["field"] for d in entry["differences"])
        for entry in app.journal()
        if entry["step"] == "stop"
    }
    assert told == {"web": ["mem_limit", "restart"], "db": ["restart"]}

    # What the target says nothing of is nobody's business.
    after = app.settle("r1", app.service("web", **limits), app.service("db"))
    http.call("POST", f"/containers/{after['db'].id}/update", body={"CpuShares": 512})
    app.home.agent.call("GET", "/v1/plan")
    app.home.agent.until_settled()
    assert app.containers() == after
    assert app.container("db")["Config"]["Image"] == SLEEPER.reference
