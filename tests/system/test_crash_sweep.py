"""The agent is killed in an update, at its calls to a real engine; the next one ends it.

The update is of five services with two networks and volumes, back and forth: everything that an
agent can do to an engine happens in it, but for what a person has to ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from scripts.demonstration.outside import Seen
from scripts.support.engine_http import EngineRefused
from scripts.support.programs import Cloud, wait_for
from scripts.support.registry import Registry, registry
from tests.system.holding_proxy import HoldingProxy, Moment, holding_proxy
from tests.system.home import App, Home, home_at
from tests.system.lying_proxy import LyingProxy

pytestmark = [pytest.mark.system, pytest.mark.docker]

FORTH = (
    "pull", "create-network", "create-volume", "create-container", "join-network", "start", "stop",
    "remove", "rename", "pause", "remove-network", "remove-image",
)  # fmt: skip
"""The kinds of changes in an update, about in the order in which they come."""
CALLS = 20
"""So many changes are in the one update and, but for a volume that stays, in the other."""
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def engine(docker_host: str) -> Iterator[HoldingProxy]:
    with holding_proxy(docker_host) as found:
        yield found


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory,
    cloud: Cloud,
    proxy: LyingProxy,
    docker_host: str,
    engine: HoldingProxy,
) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    settings = {"DOCKER_HOST": engine.host, "IMAGE_BUDGET_MB": "0"}
    with home_at(folder, cloud, proxy, docker_host, **settings) as found:
        yield found


class Shop:
    """The app, in two releases: `two` says which."""

    def __init__(self, app: App, shelf: Registry) -> None:
        self.app = app
        self.shelf = shelf
        self.number = 0

    def deploy(self, *, two: bool) -> str:
        """Deploy a release; its name."""
        self.number += 1
        service = self.app.service
        image = f"{self.shelf.host}/shop:{2 if two else 1}"
        pulled = {"pull_policy": "missing", "stop_grace_period": "2s"}
        changes = service(
            "changes",
            image,
            networks=["front", "back"],
            volumes=[f"new-{self.number}:/new" if two else "old:/old"],
            **pulled,
        )
        services = [
            service("keeps", volumes=["data:/data"], networks=["back"]),
            changes,
            service("pauses", state="paused" if two else "running"),
            service("comes", networks=["new"]) if two else service("goes", networks=["old"]),
            service("secret", secrets=["pin"], environment={"RELEASE": "2" if two else "1"}),
        ]
        release = f"r{self.number}"
        self.app.deploy(
            release,
            *services,
            networks={"front": {"internal": True}, "back": {}},
            secrets={"pin": {"value": "1234"}},
            strategy={"kind": "hand-over", "handover_timeout": "1s"},
            verify={"timeout": "60s", "min_healthy_s": 1},
        )
        return release

    def check(self, *, two: bool, kept: Seen) -> None:
        """It is all there as wanted, nothing else is, and what did not change is as it was."""
        home = self.app.home
        expected = {"keeps": "running", "changes": "running", "secret": "running"}
        expected |= {"pauses": "paused", "comes": "running"} if two else {}
        expected |= {} if two else {"pauses": "running", "goes": "running"}
        wait_for(
            "its names",
            lambda: not any(".next" in n for n in names(home.docker, home.site.uuid)) or None,
            PATIENCE_S,
        )
        seen = self.app.containers()
        assert {name: each.state for name, each in seen.items()} == expected
        assert len(names(home.docker, home.site.uuid)) == len(expected)
        assert seen["keeps"] == kept
        changes = self.app.container("changes")
        assert changes["Config"]["Image"].endswith(":2" if two else ":1")
        assert len(changes["NetworkSettings"]["Networks"]) == 2
        assert home.docker.inside(seen["secret"].id, "cat", "/run/secrets/pin") == "1234"
        assert networks(home) == {"front", "back", "default", "new" if two else "old"}
        wait_for("the old image gone", lambda: self._images() == {":2" if two else ":1"} or None)
        wait_for("no lock", lambda: not self._locks() or None)

    def _locks(self) -> list[Any]:
        return list(self.app.home.agent.call("GET", f"/v1/locks/{self.app.app_id}")["locks"])

    def _images(self) -> set[str]:
        listed = self.app.home.docker.http.call("GET", "/images/json")
        tags = [tag for image in listed for tag in image["RepoTags"] or ()]
        return {tag[-2:] for tag in tags if tag.startswith(self.shelf.host)}


def names(docker: Any, uuid: str) -> list[str]:
    return [each["Name"] for each in docker.containers(f"iotistic.device={uuid}")]


def networks(home: Home) -> set[str]:
    filters = {"label": [f"iotistic.device={home.site.uuid}"]}
    found = home.docker.http.call("GET", "/networks", filters=filters)
    return {each["Name"].partition("_")[2].rpartition("-")[0] for each in found}


@pytest.fixture(scope="module")
def shop(home: Home) -> Iterator[Shop]:
    with registry() as shelf:
        found = Shop(home.new_app(), shelf)
        yield found
        found.app.remove()
        found.app.until_seen("gone", lambda seen: not seen)
        for tag in (1, 2):
            with suppress(EngineRefused):
                home.docker.http.call("DELETE", f"/images/{shelf.host}/shop:{tag}")


def call_held(engine: HoldingProxy) -> str:
    """Wait until a call is held; its kind."""
    return wait_for("a call", lambda: engine.held, PATIENCE_S, every_s=0.01)


def next_life(home: Home, engine: HoldingProxy, moment: Moment | None) -> None:
    """Kill the agent at the call that is held, and start it again; hold this moment next."""
    home.agent.kill()
    engine.hold(moment)
    home.agent.start()
    home.agent.ready()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_a_call_of_every_kind_the_update_gets_there(
    shop: Shop, home: Home, engine: HoldingProxy, *, after: bool
) -> None:
    shop.app.until_done(shop.deploy(two=False), PATIENCE_S)
    kept = shop.app.containers()["keeps"]

    for two, left in ((True, set(FORTH)), (False, {"unpause"})):
        engine.hold(Moment(after, frozenset(left)))
        release = shop.deploy(two=two)
        while left:
            left.remove(call_held(engine))
            next_life(home, engine, Moment(after, frozenset(left)) if left else None)
        shop.app.until_done(release, PATIENCE_S)
        shop.check(two=two, kept=kept)


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_killed_at_any_call_alone_the_update_gets_there(
    shop: Shop, home: Home, engine: HoldingProxy, number: int, *, after: bool
) -> None:
    if shop.number == 0:
        shop.app.until_done(shop.deploy(two=False), PATIENCE_S)
    kept = shop.app.containers()["keeps"]

    for two in (True, False):
        engine.hold(Moment(after, number=number))
        release = shop.deploy(two=two)
        call_held(engine)
        next_life(home, engine, None)
        shop.app.until_done(release, PATIENCE_S)
        shop.check(two=two, kept=kept)
