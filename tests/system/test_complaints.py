"""What people ran into with agents of this kind, and what happens here instead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.support.images import ONESHOT, SLEEPER, WEB_1, WEB_2
from scripts.support.programs import Cloud, wait_for
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
        "r1", s("web", environment={"PIN": "old-oak"}, labels={"tier": "front"}), s("db")
    )
    after = app.document(
        "r2", s("web", environment={"PIN": "new-elm"}, labels={"tier": "back"}), s("db")
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
    assert not any(value in text for value in ("old-oak", "new-elm") for text in everything)
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
