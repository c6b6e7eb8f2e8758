"""What people ran into with locks, ports, networks and starts, and what happens here instead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from scripts.support.engine_http import EngineRefused
from scripts.support.images import STUBBORN, WEB_1
from scripts.support.programs import Cloud, ProgramFailed, wait_for
from scripts.support.registry import registry
from tests.system.home import App, Home, home_at
from tests.system.lying_proxy import LyingProxy

pytestmark = [pytest.mark.system, pytest.mark.docker, pytest.mark.timeout(120)]

NEVER_WELL = {"test": ["CMD", "cat", "/well"], "interval": "1s", "start_period": "1h"}


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, cloud: Cloud, proxy: LyingProxy, docker_host: str
) -> Iterator[Home]:
    """The one device of these tests."""
    allowed = {"POLICY_ALLOW": "external-networks"}
    with home_at(tmp_path_factory.mktemp("home"), cloud, proxy, docker_host, **allowed) as found:
        yield found


@pytest.fixture
def app(home: Home) -> Iterator[App]:
    found = home.new_app()
    yield found
    found.remove()


def crashing(app: App, name: str, words: str) -> dict[str, Any]:
    """A service that says something and ends with a code, however often it is started."""
    return app.service(name, command=["sh", "-c", f"echo {words}; exit 3"])


def waiting(reported: dict[str, Any]) -> dict[str, str]:
    """What each service waits for, as the cloud shows it."""
    return {each["service"]: each["reason"] for each in reported["plan"].get("waiting", ())}


# -- update locks


def test_a_lock_that_a_killed_agent_left_is_no_trap(app: App) -> None:
    home = app.home
    slow: dict[str, Any] = {"update_lock": True, "stop_grace_period": "2s"}
    app.settle("r1", app.service("slow", STUBBORN.reference, **slow))
    file = app.folder("control", "slow") / "update.lock"
    app.deploy("r2", app.service("slow", STUBBORN.reference, **slow, environment={"NEW": "1"}))
    wait_for("the lock", lambda: file.exists() or None)

    home.agent.kill()
    assert file.exists()
    home.agent.start()
    home.agent.ready()

    app.until_done("r2")
    assert not file.exists()
    assert home.agent.call("GET", f"/v1/locks/{app.app_id}")["locks"] == []


def test_a_service_holds_off_the_whole_update_and_everybody_sees_who_and_why(app: App) -> None:
    home, s = app.home, app.service
    before = app.settle("r1", s("till", update_lock=True), s("web"))
    lock = "/run/iotistic/update.lock"
    home.docker.write(app.container("till")["Id"], lock, '{"reason": "a payment is under way"}')

    app.deploy("r2", s("till", update_lock=True), s("web", environment={"NEW": "1"}), s("printer"))

    found = app.until("the lock", lambda found: "locked" in found["reason"])
    assert "a payment is under way" in found["reason"]
    assert found["phase"] == "blocked"
    (held,) = home.agent.call("GET", f"/v1/locks/{app.app_id}")["locks"]
    assert (held["owner"], held["reason"]) == ("service", "a payment is under way")
    app.until_reported("it", lambda found: set(waiting(found).values()) == {"locked"})
    home.restart()
    app.until("the lock, still", lambda found: "locked" in found["reason"])
    assert app.containers() == before

    home.docker.inside(app.container("till")["Id"], "sh", "-c", f"busybox rm {lock}")
    app.until_done("r2")
    assert app.containers()["till"] == before["till"]


def test_a_lock_that_a_service_left_ends_with_it_or_is_overruled(app: App) -> None:
    home, s = app.home, app.service

    def hold_off() -> str:
        container = str(app.container("till")["Id"])
        home.docker.write(container, "/run/iotistic/update.lock")
        return container

    def till(number: int) -> dict[str, Any]:
        return s("till", update_lock=True, environment={"NUMBER": str(number)})

    app.settle("r1", till(1))
    hold_off()
    app.deploy("r2", till(2))
    app.until("the lock", lambda found: "locked" in found["reason"])
    app.settle("r3", till(3), lock="force")

    left = hold_off()
    app.deploy("r4", till(4))
    app.until("the lock", lambda found: "locked" in found["reason"])
    home.docker.http.call("POST", f"/containers/{left}/kill")
    app.until_done("r4")


def test_a_lock_of_a_person_ends_by_itself_and_gives_way_to_force(app: App) -> None:
    home, s = app.home, app.service
    before = app.settle("r1", s("web"))
    code, _ = home.iotctl("apps", "lock", str(app.app_id), "--for", "1h", "--reason", "demo day")
    assert code == 0
    with pytest.raises(ProgramFailed, match=r"409 .*demo day"):
        app.act("restart", holder="somebody else")
    assert app.act("restart", holder="somebody else", force=True)["status"] == "restarted"
    restarted = app.containers()
    assert restarted["web"].id == before["web"].id
    assert restarted["web"].started_at != before["web"].started_at

    app.deploy("r2", s("web", environment={"NEW": "1"}), s("new"))
    found = app.until("the lock", lambda found: found["verdict"] == "waiting")
    assert "demo day" in found["reason"]
    assert app.containers() == restarted

    code, _ = home.iotctl("apps", "lock", str(app.app_id), "--for", "2s")
    assert code == 0
    app.until_done("r2")
    assert home.agent.call("GET", f"/v1/locks/{app.app_id}")["locks"] == []


# -- fails closed because the registry, or the cloud, is not to be reached


def test_an_agent_that_starts_never_needs_the_network(app: App) -> None:
    home, s = app.home, app.service
    with registry() as shelf:
        image = f"{shelf.host}/shop:1"
        before = app.settle("r1", s("web", image, pull_policy="missing"), s("db"))
    home.site.proxy.lie = (503, "text/plain", b"gone")
    try:
        home.agent.kill()
        gone = before["web"].id
        home.docker.http.call("DELETE", f"/containers/{gone}", force="1")
        home.agent.start()
        home.agent.ready()

        after = app.until_seen(
            "web again", lambda seen: "web" in seen and seen["web"].state == "running"
        )
        assert after["web"].id != gone
        assert after["db"] == before["db"]
        assert home.agent.call("GET", "/v1/status")["cloud"]["state"] != "online"
    finally:
        home.site.proxy.lie = None
        app.remove()
        app.until_seen("gone", lambda seen: not seen)
        with suppress(EngineRefused):
            home.docker.http.call("DELETE", f"/images/{image}")


# -- port already allocated


def test_a_port_that_is_taken_names_its_owner_and_is_got_when_it_is_free(app: App) -> None:
    port = free_port()
    ports = [f"127.0.0.1:{port}:8080"]
    taken = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    name = f"iotistic-test-owner-{app.app_id}"
    with app.home.docker.stranger(name, PortBindings=taken):
        app.deploy("r1", app.service("web", WEB_1.reference, ports=ports))
        found = app.until_explained("the failure", "web", lambda found: found["error"])
        assert found["error"]["code"] == "port-allocated"
        assert str(port) in found["error"]["message"]
        assert name in found["error"]["message"]
        assert name in found["portOwner"]["message"]
    app.until_done("r1")

    # Two services change places in one update: neither finds the other in its way.
    app.settle(
        "r2",
        app.service("web", WEB_1.reference),
        app.service("admin", WEB_1.reference, ports=ports),
    )
    failed = [
        e
        for e in app.journal()
        if e["event"] == "step-failed" and e["at"] > found["error"]["failedAt"]
    ]
    assert "admin" not in {entry["serviceName"] for entry in failed}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- networks


def test_a_network_that_is_described_otherwise_is_made_anew_with_who_is_on_it(app: App) -> None:
    s = app.service

    def subnet(number: int) -> dict[str, Any]:
        return {"front": {"ipam": {"config": [{"subnet": f"10.213.{number}.0/24"}]}}}

    def address() -> str:
        (found,) = app.container("web")["NetworkSettings"]["Networks"].values()
        return str(found["IPAddress"])

    services = (s("web", networks=["front"]), s("db"))
    before = app.settle("r1", *services, networks=subnet(1))
    assert address().startswith("10.213.1.")

    after = app.settle("r2", *services, networks=subnet(2))
    assert address().startswith("10.213.2.")
    assert after["db"] == before["db"]
    assert after["web"].id != before["web"].id
    assert any("front" in entry["reason"] for entry in app.journal() if entry["step"] == "stop")


def test_a_subnet_that_is_taken_is_named_and_the_release_goes_back(app: App) -> None:
    http, s = app.home.docker.http, app.service
    services = (s("web", networks=["front"]), s("db"))
    before = app.settle("r1", *services)
    theirs = http.call(
        "POST",
        "/networks/create",
        body={
            "Name": f"iotistic-test-{app.app_id}",
            "IPAM": {"Config": [{"Subnet": "10.213.9.0/24"}]},
        },
    )["Id"]
    try:
        taken = {"front": {"ipam": {"config": [{"subnet": "10.213.9.128/25"}]}}}
        app.deploy("r2", *services, networks=taken)
        app.until("r1 again", lambda found: found["phase"] == "rolled-back")
        failures = [e for e in app.journal() if e["event"] == "step-failed"]
        assert {entry["step"] for entry in failures} == {"create-network"}
        assert "10.213.9.128/25" in failures[0]["reason"]
        assert app.containers()["db"] == before["db"]
        assert app.containers()["web"].state == "running"
    finally:
        http.call("DELETE", f"/networks/{theirs}")


def test_a_second_network_of_the_same_name_confuses_nobody(app: App) -> None:
    http, s = app.home.docker.http, app.service
    before = app.settle("r1", s("web", networks=["front"]))
    (name,) = app.container("web")["NetworkSettings"]["Networks"]
    (mine,) = http.call("GET", "/networks", filters={"name": [f"^{name}$"]})
    twin = http.call("POST", "/networks/create", body={"Name": name, "Labels": mine["Labels"]})[
        "Id"
    ]
    try:
        after = app.settle("r2", s("web", networks=["front"]), s("db", networks=["front"]))
        assert after["web"] == before["web"]
        (joined,) = app.container("db")["NetworkSettings"]["Networks"].values()
        assert joined["NetworkID"] == mine["Id"]
    finally:
        with suppress(EngineRefused):
            http.call("DELETE", f"/networks/{twin}")
