"""What people ran into with agents of this kind, and what happens here instead."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scripts.support.engine_http import EngineRefused
from scripts.support.images import ONESHOT, SLEEPER, STUBBORN, WEB_1, WEB_2
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


# -- nobody can tell why


def test_every_restart_is_explained_by_what_changed_before_and_after_it(
    app: App, tmp_path: Path
) -> None:
    home, s = app.home, app.service
    before = app.settle(
        "r1", s("web", environment={"PIN": "1234"}, labels={"tier": "front"}), s("db")
    )
    after = app.document(
        "r2", s("web", environment={"PIN": "9876"}, labels={"tier": "back"}), s("db")
    )
    (tmp_path / "target.json").write_text(json.dumps({"apps": {str(app.app_id): after}}))

    code, foretold = home.iotctl("plan", "--target", str(tmp_path / "target.json"))
    home.deploy(app.app_id, after)
    app.until_done("r2")

    assert code == 7
    planned = [
        (step["kind"], step["serviceName"], sorted(d["field"] for d in step["differences"]))
        for steps in foretold["rounds"]
        for step in steps
        if step["kind"] == "stop" and step["appId"] == app.app_id
    ]
    done = [
        (entry["step"], entry["serviceName"], sorted(d["field"] for d in entry["differences"]))
        for entry in app.journal()
        if entry["step"] == "stop"
    ]
    assert planned == done == [("stop", "web", ["environment.PIN", "labels"])]
    told = home.shown("explain", f"{app.app_id}/web")
    assert "environment.PIN, labels changed" in told
    everything = (told, json.dumps(foretold), json.dumps(app.reported()), home.agent.last_words())
    assert not any(value in text for value in ("1234", "9876") for text in everything)
    assert app.containers()["db"] == before["db"]


def test_everybody_can_tell_why_nothing_happens(app: App) -> None:
    s = app.service
    before = app.settle("r1", s("web"))
    app.deploy(
        "r2",
        s("web", environment={"NEW": "1"}),
        s("db", "127.0.0.1:9/none/such:1", pull_policy="missing"),
        s("mail", networks=["theirs"]),
        networks={"theirs": {"external": True, "name": "made-by-somebody-else"}},
    )

    def explained() -> Any:
        found = {wait["serviceName"]: wait for wait in app.explain()["waits"]}
        return found if found.keys() >= {"web", "db", "mail"} else None

    waits = wait_for("three waits", explained, every_s=0.2)
    codes = {failure["code"] for failure in app.explain("db")["services"][0]["failures"]}
    assert codes == {"registry-unavailable"}
    assert "127.0.0.1:9" in waits["db"]["message"]
    assert waits["db"]["inMs"] > 0
    assert waits["web"]["reason"] == "images-of-app-missing"
    assert "none/such:1" in waits["web"]["message"]
    assert waits["mail"]["reason"] == "external-missing"
    assert "made-by-somebody-else" in waits["mail"]["message"]
    shown = app.home.shown("plan")
    assert all(wait["message"][:30] in shown for wait in waits.values())

    reported = app.until_reported("the waits", lambda found: len(waiting(found)) >= 3)
    assert waiting(reported)["mail"] == "external-missing"
    assert app.containers()["web"] == before["web"]


# -- "on release X" while a container never started


def test_a_device_is_on_a_release_only_when_all_of_its_services_are_well(app: App) -> None:
    s = app.service
    patient = {"verify": {"timeout": "60s", "min_healthy_s": 1}}
    app.settle("r1", s("web"))

    def check_not_there_yet(release: str, phase: str) -> None:
        explained = app.explain()["releases"]
        assert explained["good"]["id"] == "r1"
        assert explained["wanted"] == {"id": release, "phase": phase}
        app.until_reported("the same", lambda found: told(found) == (release, phase))

    def told(found: dict[str, Any]) -> tuple[str, str]:
        return found["release"]["id"], found["release"]["phase"]

    app.deploy("r2", s("web"), s("db", command=["/no/such/program"]), **patient)
    error = app.until_explained("its failure", "db", lambda found: found["error"])["error"]
    check_not_there_yet("r2", "applying")
    assert error["type"] == "StartFailure"
    assert "/no/such/program" in error["message"]

    app.deploy("r3", s("web"), s("db", healthcheck=NEVER_WELL), **patient)
    app.until("all started", lambda found: found["phase"] == "verifying")
    check_not_there_yet("r3", "verifying")
    assert app.container("db")["State"]["Health"]["Status"] == "starting"

    app.home.docker.write(app.container("db")["Id"], "/well")
    app.until_done("r3")
    assert app.explain()["releases"]["good"]["id"] == "r3"


# -- a bad release bricks the app for ever


def test_a_bad_release_goes_back_by_itself_and_is_tried_again_only_when_somebody_says_so(
    app: App,
) -> None:
    s, home = app.service, app.home
    quick = {"verify": {"timeout": "4s", "min_healthy_s": 1}}
    good = app.settle("r1", s("web"), s("db"), **quick)

    def until_back() -> None:
        app.until("r1 again", lambda found: found["phase"] == "rolled-back")
        app.until_seen("web", lambda seen: seen["web"].state == "running")

    app.deploy("r2", crashing(app, "web", "cannot open the till"), s("db"), **quick)
    until_back()
    back = app.containers()
    assert back["db"] == good["db"]
    assert app.container("web")["Config"]["Image"] == SLEEPER.reference
    release = app.until_reported(
        "rolled back", lambda found: found["release"]["phase"] == "rolled-back"
    )["release"]
    assert (release["id"], release["goodId"]) == ("r2", "r1")
    assert release["rejected"]["service"] == "web"
    assert "cannot open the till" in release["rejected"]["lastWords"]
    assert "apps retry" in str(app.verdict()["remedy"])

    home.restart()
    until_back()
    home.agent.call("POST", "/v1/reconcile", {})
    assert app.verdict()["verdict"] == "rejected"
    assert app.containers() == back

    code, said = home.iotctl("apps", "retry", str(app.app_id))
    assert (code, said["wasRejected"]) == (0, True)
    app.until("r2 tried", lambda found: found["phase"] in ("applying", "verifying"))
    until_back()
    events = [entry["event"] for entry in app.journal()]
    assert events.count("release-rejected") == 2

    app.settle("r3", s("web", environment={"FIXED": "1"}), s("db"), **quick)
    assert app.containers()["db"] == good["db"]


# -- a container that is restarting cannot be updated


def test_an_update_begins_from_whatever_state_a_container_is_in(app: App) -> None:
    s = app.service
    app.deploy(
        "r1",
        crashing(app, "restarting", "once more"),
        s("starting", healthcheck=NEVER_WELL),
        s("ended", ONESHOT.reference, restart="no", environment={"CODE": "4"}),
        s("paused", state="paused"),
        s("created", command=["/no/such/program"]),
    )
    states = {
        "restarting": "restarting",
        "starting": "running",
        "ended": "exited",
        "paused": "paused",
        "created": "created",
    }
    before = app.until_seen(
        "every state", lambda seen: {name: each.state for name, each in seen.items()} == states
    )

    after = app.settle("r2", *(s(name, environment={"FIXED": "1"}) for name in states))

    assert {name: each.state for name, each in after.items()} == dict.fromkeys(states, "running")
    assert all(after[name].id != before[name].id for name in states)


# -- spurious restarts


def test_nothing_restarts_for_a_name_an_order_of_keys_or_a_tag_that_moved(app: App) -> None:
    home, s, http = app.home, app.service, app.home.docker.http
    tag = f"iotistic-test/moving-{app.app_id}:1"

    def moves_to(image: str) -> None:
        repository, _, name = tag.partition(":")
        http.call("POST", f"/images/{image}/tag", repo=repository, tag=name)

    moves_to(WEB_1.reference)
    try:
        web = s("web", tag, environment={"A": "1", "B": "2"}, labels={"x": "1", "y": "2"})
        before = app.settle("r1", web, s("db", depends_on=["web"]))

        moves_to(WEB_2.reference)
        home.site.cloud.call(
            "PATCH", f"/api/v1/devices/{home.site.uuid}", {"deviceName": "renamed"}
        )
        app.name = f"renamed-{app.app_id}"
        web = s("web", tag, labels=["y=2", "x=1"], environment=["B=2", "A=1"], restart="")
        del web["config"]["restart"]
        web = dict(reversed(web.items()))
        after = app.settle("r2", s("db", depends_on={"web": {"condition": "service_started"}}), web)
        assert after == before
        names = wait_for(
            "the new name",
            lambda: name if "renamed" in (name := app.container("web")["Name"]) else None,
        )
        assert names

        home.restart()
        home.agent.until_settled()
        home.agent.call("POST", "/v1/reconcile", {})
        assert app.containers() == before
    finally:
        app.remove()
        app.until_seen("gone", lambda seen: not seen)
        http.call("DELETE", f"/images/{tag}")


# -- `restart: no`


def test_restart_no_is_what_yaml_makes_of_it_and_the_service_ends_once(app: App) -> None:
    home = app.home
    compose = f"""
    services:
      job:
        image: {ONESHOT.reference}
        restart: no
        pull_policy: never
        environment: {{MESSAGE: "did it"}}
    """
    path = f"/api/v1/devices/{home.site.uuid}/target-state"
    body = {"compose": compose, "appId": app.app_id, "appName": app.name}
    home.site.cloud.call("PUT", path, body)
    app.until("it is done", lambda found: found["verdict"] == "settled")
    ended = app.containers()
    assert ended["job"].state == "exited"
    assert app.container("job")["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")

    home.restart()
    home.agent.until_settled()
    for _ in range(3):
        home.agent.call("GET", "/v1/plan")  # looks anew
    assert app.containers() == ended
    assert app.steps("job") == ["create-container", "start"]


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
