"""How a release gets onto a device and what it does with what was there, on a real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.host.runtime_dir import is_in_memory
from scripts.support.engine_http import EngineRefused
from scripts.support.images import ONESHOT
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


# -- in which order the new replaces the old


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("download-then-kill", ["pull", "stop", "remove", "create-container", "start"]),
        ("kill-then-download", ["stop", "remove", "pull", "create-container", "start"]),
        (
            "delete-then-download",
            ["stop", "remove", "remove-image", "pull", "create-container", "start"],
        ),
    ],
)
def test_the_new_replaces_the_old_in_the_order_of_the_strategy(
    app: App, shelf: Registry, strategy: str, order: list[str]
) -> None:
    def web(tag: int) -> dict[str, Any]:
        return app.service("web", f"{shelf.host}/{app.name}:{tag}", pull_policy="missing")

    app.settle("r1", web(1), strategy=strategy)
    before = len(logged_steps(app))

    app.settle("r2", web(2), strategy=strategy)

    done = logged_steps(app)[before:]
    assert done[: len(order)] == order
    assert app.container("web")["Config"]["Image"].endswith(":2")


def logged_steps(app: App) -> list[str]:
    """What the agent's log says was done for this app or its images, in order."""
    lines = app.home.agent.log.read_text().splitlines()
    records = [json.loads(line) for line in lines if '"step done"' in line]
    told = [record["context"] for record in records]
    return [
        step["step"]
        for step in told
        if step["subject"].startswith((f"{app.app_id}/service/web", "0/image/"))
        and (step.get("service") == "web" or step["step"] == "remove-image")
    ]


def test_the_new_runs_beside_the_old_until_it_says_that_it_has_taken_over(app: App) -> None:
    hand_over = {"strategy": "hand-over"}
    before = app.settle("r1", app.service("web"), **hand_over)

    app.deploy("r2", app.service("web", environment={"NEW": "1"}), **hand_over)
    old, new = wait_for(
        "both", lambda: found if len(found := running(app, "web")) == 2 else None, every_s=0.1
    )
    assert old["Id"] == before["web"].id
    assert "taken over" in app.until("the hand-over", lambda v: "beside" in v["reason"])["reason"]
    app.home.restart()
    assert [each["Id"] for each in running(app, "web")] == [old["Id"], new["Id"]]

    app.home.docker.write(new["Id"], "/run/iotistic/handover-complete")
    app.until_done("r2")
    after = app.container("web")
    assert after["Id"] == new["Id"]
    wait_for(
        "the old one's name",
        lambda: app.container("web")["Name"] == old["Name"] or None,
        every_s=0.1,
    )


def running(app: App, service: str) -> list[dict[str, Any]]:
    """Its running containers, the oldest first."""
    return [each for each in app.inspected(service) if each["State"]["Running"]]


def test_without_a_word_of_the_new_the_old_goes_after_the_time_for_it(app: App) -> None:
    hand_over = {"strategy": {"kind": "hand-over", "handover_timeout": "2s"}}
    before = app.settle("r1", app.service("web"), **hand_over)
    after = app.settle("r2", app.service("web", environment={"NEW": "1"}), **hand_over)
    assert after["web"].id != before["web"].id
    assert any("no word of the new" in entry["reason"] for entry in app.journal())


def test_a_new_one_that_does_not_stay_up_never_takes_the_old_one_away(app: App) -> None:
    hand_over = {
        "strategy": {"kind": "hand-over", "handover_timeout": "1s"},
        "verify": {"timeout": "4s", "min_healthy_s": 1},
    }
    before = app.settle("r1", app.service("web"), **hand_over)
    app.deploy("r2", app.service("web", command=["sh", "-c", "exit 3"]), **hand_over)
    app.until("r1 alone", lambda found: found["phase"] == "rolled-back")
    assert app.containers() == before


# -- secrets


def test_a_secret_is_a_file_in_memory_and_nowhere_else(app: App) -> None:
    home = app.home
    values = {"pin": "pin-4711-0815", "token": "token-c0ffee-42"}
    secrets = {name: {"value": value} for name, value in values.items()}
    web = app.service(
        "web",
        secrets=["pin", {"source": "token", "target": "/etc/token", "mode": "0440", "gid": 7}],
        command=["sh", "-c", "cat /run/secrets/pin; trap 'exit 0' TERM; sleep 3600 & wait"],
    )
    app.settle("r1", web, app.service("db"), secrets=secrets)

    def inside(*command: str) -> str:
        return home.docker.inside(app.container("web")["Id"], *command)

    assert inside("cat", "/run/secrets/pin") == values["pin"]
    assert inside("cat", "/etc/token") == values["token"]
    assert inside("ls", "-ln", "/etc/token").split()[:4] == ["-r--r-----", "1", "0", "7"]
    assert inside("ls", "-ln", "/run/secrets/pin").startswith("-r--r--r--")
    assert "Read-only" in inside("sh", "-c", "echo x > /run/secrets/pin")
    assert is_in_memory(app.folder("secrets", "web"))

    app.until_reported("the release", lambda found: found["release"]["id"] == "r1")
    everywhere = {
        "docker inspect": json.dumps(app.container("web")),
        "explain": json.dumps(app.explain()),
        "target": json.dumps(home.agent.call("GET", "/v1/state/target")),
        "report": json.dumps(app.reported()),
        "plan": home.shown("plan"),
        "logs of the service": home.shown("services", "logs", "web", "--app", str(app.app_id)),
        "log of the agent": home.agent.log.read_text(),
        "cloud": json.dumps(
            home.site.cloud.call("GET", f"/api/v1/devices/{home.site.uuid}/target-state")
        ),
        "log of the cloud": home.site.cloud.log.read_text(),
    }
    for value in values.values():
        assert [place for place, text in everywhere.items() if value in text] == []
        for folder in (home.agent.folder, home.site.cloud.folder):
            assert [path for path in files(folder) if value.encode() in path.read_bytes()] == []


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def test_another_value_makes_the_service_anew_and_no_secret_outlives_its_use(app: App) -> None:
    home = app.home

    def settle(release: str, pin: str, **config: Any) -> Mapping[str, Any]:
        secrets = {"pin": {"value": pin}}
        return app.settle(release, app.service("web", **config), app.service("db"), secrets=secrets)

    first = settle("r1", "first-value", secrets=["pin"])
    second = settle("r2", "second-value", secrets=["pin"])
    assert (second["web"] != first["web"], second["db"]) == (True, first["db"])
    assert home.docker.inside(second["web"].id, "cat", "/run/secrets/pin") == "second-value"
    (stop,) = [entry for entry in app.journal() if entry["step"] == "stop"]
    assert [d["field"] for d in stop["differences"]] == ["secrets.pin"]
    assert not any(f"{word}-value" in json.dumps(stop) for word in ("first", "second"))

    # Nothing in memory outlives a power cut: it is there again before the service starts.
    home.agent.kill()
    home.docker.http.call("POST", f"/containers/{second['web'].id}/kill")
    (app.folder("secrets", "web") / "pin").unlink()
    home.agent.start()
    home.agent.ready()
    again = app.until_seen(
        "web again", lambda seen: "web" in seen and seen["web"].state == "running"
    )
    assert home.docker.inside(again["web"].id, "cat", "/run/secrets/pin") == "second-value"

    settle("r3", "third-value")
    wait_for(
        "the file gone", lambda: None if (app.folder("secrets", "web") / "pin").exists() else True
    )


# -- order


def test_a_service_starts_after_what_it_depends_on_and_a_job_runs_once(app: App) -> None:
    home = app.home
    job = app.service("migrate", ONESHOT.reference, restart="no")
    db = app.service("db", healthcheck=WELL)
    web = app.service(
        "web",
        depends_on={
            "db": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        },
    )
    patient = {"verify": {"timeout": "60s", "min_healthy_s": 1}}
    app.deploy("r1", web, job, db, **patient)
    app.until_seen("the job done", lambda s: "migrate" in s and s["migrate"].state == "exited")
    waits = wait_for("a wait of web", lambda: waits_of(app, "web") or None, every_s=0.1)
    assert waits == [("dependency", "waits for db to be healthy, it is starting")]
    assert app.containers()["web"].state == "created"

    home.docker.write(app.container("db")["Id"], "/well")
    app.until_done("r1")
    started = app.containers()
    assert str(started["web"].started_at) > str(started["db"].started_at)

    # Its container is gone, and it is still done: for this agent, and for the next one.
    home.docker.http.call("DELETE", f"/containers/{started['migrate'].id}")
    home.restart()
    home.agent.until_settled()
    home.agent.call("GET", "/v1/plan")
    assert app.containers() == {name: started[name] for name in ("db", "web")}

    job["config"]["environment"] = {"MESSAGE": "once more"}
    after = app.settle("r2", web, job, db, **patient)
    assert after["migrate"].state == "exited"
    assert {name: after[name] for name in ("db", "web")} == {
        name: started[name] for name in ("db", "web")
    }


def waits_of(app: App, service: str) -> list[tuple[str, str]]:
    waits = app.explain()["waits"]
    return [(w["reason"], w["message"]) for w in waits if w["serviceName"] == service]


def test_a_job_that_fails_holds_up_who_needs_it_and_says_so(app: App) -> None:
    job = app.service("migrate", ONESHOT.reference, restart="no", environment={"CODE": "4"})
    web = app.service(
        "web", depends_on={"migrate": {"condition": "service_completed_successfully"}}
    )
    app.deploy("r1", web, job)
    found = app.until("the verdict", lambda found: found["verdict"] == "aborted")
    assert "migrate ended with code 4" in found["reason"]
    assert app.until_reported("it", lambda each: each["plan"]["verdict"] == "aborted")


# -- what a person stopped


def test_a_stop_by_hand_lasts_as_long_as_was_said(app: App) -> None:
    home, s = app.home, app.service
    app.settle("r1", s("web"), s("db"), s("cache"))

    assert app.act("stop", serviceName="web", until="release")["status"] == "stopped"
    assert app.act("stop", serviceName="db", until="forever")["status"] == "stopped"
    home.restart()
    found = app.until("its verdict", lambda found: found["verdict"] == "interrupted")
    assert "a person stopped" in found["reason"]
    stopped = {name: seen.state for name, seen in app.containers().items()}
    assert stopped == {"web": "exited", "db": "exited", "cache": "running"}

    new: dict[str, Any] = {"environment": {"NEW": "1"}}
    app.deploy("r2", s("web", **new), s("db", **new), s("cache"))
    app.until_seen("web", lambda seen: "web" in seen and seen["web"].state == "running")
    app.until("the release", lambda found: (found["release"], found["phase"]) == ("r2", "done"))
    assert not running(app, "db")

    assert app.act("start", serviceName="db")["status"] in ("started", "starting")
    app.until_done("r2")
    assert app.container("db")["Config"]["Env"].count("NEW=1") == 1


# -- what is kept, and what goes


def test_volumes_are_kept_until_somebody_purges_them(app: App) -> None:
    home = app.home

    def web(number: int) -> dict[str, Any]:
        return app.service("web", volumes=["data:/data"], environment={"N": str(number)})

    def data() -> str:
        return home.docker.inside(app.container("web")["Id"], "ls", "/data")

    app.settle("r1", web(1))
    home.docker.write(app.container("web")["Id"], "/data/orders")
    app.settle("r2", web(2))
    assert "orders" in data()
    app.settle("r3", app.service("db"))
    app.settle("r4", web(4))
    assert "orders" in data()

    code, _ = home.iotctl("apps", "purge", str(app.app_id))
    assert code == 0
    app.until_done("r4")
    assert "orders" not in data()
