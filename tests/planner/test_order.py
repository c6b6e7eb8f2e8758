"""What starts after what, and what stops before what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotistic.model.words import ContainerState, Verdict
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import Intent, IntentKind
from tests.planner.builders import service
from tests.planner.drive import APP, Drive, want

IMAGES = ("web:1", "db:1", "job:1")


def pair(condition: str, *, required: bool = True, **db: Any) -> Drive:
    """`web`, which waits for `db`; both made, `db` started or waited for."""
    dependency = {"db": {"condition": condition, "required": required}}
    return Drive(want(service("web", depends_on=dependency), service("db", "db:1", **db)), *IMAGES)


def test_a_service_starts_after_the_one_it_depends_on() -> None:
    device = pair("service_started")
    device.until("start db")
    assert "wait dependency web" in device.said()
    device.settle()
    words = device.words()
    assert words.index("start db") < words.index("start web")


def test_a_service_waits_until_the_other_one_is_healthy() -> None:
    device = pair("service_healthy", healthcheck={"test": "true"})
    device.until("start db")
    device.act()
    device.change("db", health="starting")
    assert "wait dependency web" in device.said()
    device.change("db", health="healthy")
    assert "start web" in device.said()


def test_what_has_no_health_check_is_not_waited_for_for_ever() -> None:
    device = pair("service_healthy")
    for _ in range(8):
        device.round()
    verdict = device.plan().verdicts[APP]
    assert verdict.verdict is Verdict.ABORTED
    assert "db has no health check" in verdict.reason


def test_a_service_waits_until_a_one_shot_has_ended_well() -> None:
    device = pair("service_completed_successfully", restart="no")
    device.until("start db")
    device.settle()
    words = device.words()
    assert words.index("start db") < words.index("start web")


def test_what_is_always_restarted_can_never_complete_and_that_is_said() -> None:
    device = pair("service_completed_successfully")
    for _ in range(8):
        device.round()
    verdict = device.plan().verdicts[APP]
    assert verdict.verdict is Verdict.ABORTED
    assert "restart: unless-stopped" in verdict.reason


def test_what_has_ended_can_never_be_healthy_and_that_is_said() -> None:
    device = pair("service_healthy", restart="no")
    for _ in range(8):
        device.round()
    verdict = device.plan().verdicts[APP]
    assert (verdict.verdict, verdict.reason) == (
        Verdict.ABORTED, "web: db has ended, so it can never be healthy",
    )  # fmt: skip


def test_a_one_shot_that_failed_aborts_what_waits_for_it() -> None:
    device = pair("service_completed_successfully", restart="no")
    device.until("start db")
    device.act()
    device.change("db", state=ContainerState.EXITED, exit_code=3)
    assert "wait dependency-failed web" in device.said()
    assert device.plan().verdicts[APP].verdict is Verdict.ABORTED


@pytest.mark.parametrize("code", [137, 143, 255])
def test_a_one_shot_that_was_killed_runs_again(code: int) -> None:
    """The power was away, or the agent stopped it and thought better of it."""
    device = Drive(want(service("job", "job:1", restart="no")), *IMAGES)
    device.until("start job")
    device.act()
    device.change("job", state=ContainerState.EXITED, exit_code=code)
    device.done.clear()
    device.settle()
    assert device.words()[:3] == ["heal job", "create-container job", "start job"]


def test_what_is_not_required_does_not_hold_up_a_start_when_it_failed() -> None:
    device = pair("service_completed_successfully", required=False, restart="no")
    device.until("start db")
    device.act()
    device.change("db", state=ContainerState.EXITED, exit_code=3)
    assert "start web" in device.said()


def test_a_one_shot_is_remembered_as_done_when_its_container_is_gone() -> None:
    device = pair("service_completed_successfully", restart="no")
    device.settle()
    gone = device.container("db").id
    device.world = _without(device, gone)
    device.done.clear()

    device.settle()

    assert "create-container db" not in device.words()


def test_a_dependency_that_the_target_wants_stopped_aborts() -> None:
    device = Drive(
        want(service("web", depends_on=["db"]), service("db", "db:1", state="stopped")), *IMAGES
    )
    device.until("wait dependency-failed web")
    assert "stopped by the target" in device.plan().verdicts[APP].reason


def test_what_depends_on_a_service_is_stopped_before_it() -> None:
    first = want(service("web", depends_on=["db"]), service("db", "db:1"))
    device = Drive(first, *IMAGES)
    device.settle()
    device.done.clear()
    device.release(
        want(
            service("web", user="1", depends_on=["db"]), service("db", "db:1", user="1"), version=2
        )
    )
    device.until("stop web")
    assert "wait dependents-first db" in device.said()
    device.settle()
    words = device.words()
    assert words.index("stop web") < words.index("stop db")
    assert words.index("start db") < words.index("start web")


def test_what_asks_for_it_is_made_anew_with_the_service_it_depends_on() -> None:
    depends = {"db": {"condition": "service_started", "restart": True}}
    first = want(service("web", depends_on=depends), service("db", "db:1"), service("job", "job:1"))
    device = Drive(first, *IMAGES)
    device.settle()
    before = {name: device.container(name).id for name in ("web", "db", "job")}
    device.release(
        want(
            service("web", depends_on=depends),
            service("db", "db:1", user="1"),
            service("job", "job:1"),
            version=2,
        )
    )
    device.settle()
    after = {name: device.container(name).id for name in ("web", "db", "job")}
    assert {name for name in before if before[name] != after[name]} == {"web", "db"}


def test_nothing_is_made_anew_with_a_service_that_is_wanted_stopped() -> None:
    depends = {"db": {"condition": "service_started", "restart": True}}
    device = Drive(want(service("web", depends_on=depends), service("db", "db:1")), *IMAGES)
    device.settle()
    web = device.container("web")
    stopped = service("db", "db:1", state="stopped")
    device.release(want(service("web", depends_on=depends), stopped, version=2))
    device.settle()
    assert device.running() == {"web"}
    assert device.container("web").id == web.id


@pytest.mark.parametrize("changed", ["db", "web"])
def test_what_shares_a_network_of_a_service_follows_it(changed: str) -> None:
    def state(user: str | None, version: int = 1) -> Any:
        config = {"user": user} if user else {}
        db = config if changed == "db" else {}
        web = config if changed == "web" else {}
        return want(
            service("web", network_mode="service:db", **web),
            service("db", "db:1", **db),
            version=version,
        )

    device = Drive(state(None), *IMAGES)
    device.settle()
    before = {name: device.container(name).id for name in ("web", "db")}
    assert device.container("web").network_mode == f"container:{before['db']}"

    device.release(state("1", version=2))
    device.settle()

    after = {name: device.container(name).id for name in ("web", "db")}
    assert device.container("web").network_mode == f"container:{after['db']}"
    assert after["web"] != before["web"]
    assert (after["db"] != before["db"]) is (changed == "db")


def test_what_is_as_wanted_is_not_touched_when_its_dependency_changes() -> None:
    device = Drive(want(service("web", depends_on=["db"]), service("db", "db:1")), *IMAGES)
    device.settle()
    web = device.container("web").id
    device.release(
        want(service("web", depends_on=["db"]), service("db", "db:1", user="1"), version=2)
    )
    device.settle()
    assert device.container("web").id == web


def _without(device: Drive, container_id: str) -> Any:
    from dataclasses import replace

    kept = tuple(c for c in device.world.containers if c.id != container_id)
    return replace(device.world, containers=kept)


def test_what_is_not_required_does_not_hold_up_a_start_when_a_person_stopped_it() -> None:
    device = pair("service_started", required=False)
    db = device.wanted.apps[0].service("db")
    assert db is not None
    stop = Intent(kind=IntentKind.STOP, app_id=APP, service_id="db", purpose=db.spec_hash)
    device.world = replace(device.world, intents=(stop,))
    device.until("start web")


def test_a_container_stays_until_those_that_are_made_anew_with_it_have_gone() -> None:
    """Without it no later round would know why, if the agent was lost in between."""
    depends = {"db": {"condition": "service_started", "restart": True}}

    def state(version: int = 1, **db: Any) -> Any:
        return want(
            service("web", depends_on=depends), service("db", "db:1", **db), version=version
        )

    device = Drive(state(), *IMAGES)
    device.settle()
    device.change("db", state=ContainerState.EXITED, exit_code=0)
    device.release(state(2, user="1"))
    device.until("stop web")

    assert device.said() >= {"stop web", "wait dependents-first db"}
    device.settle()
    words = device.words()
    assert words.index("remove web") < words.index("remove db")


@pytest.mark.parametrize("how", ["purge", "removal"])
def test_an_app_that_goes_stops_in_order_too(how: str) -> None:
    device = pair("service_started")
    device.settle()
    if how == "purge":
        purge = Intent(kind=IntentKind.PURGE, app_id=APP, service_id="")
        device.world = replace(device.world, intents=(purge,))
    else:
        device.release(Wanted(may_remove=True))
        device.until("stop web")
    assert "wait dependents-first db" in device.said()
    device.round()
    assert "stop db" in device.said()
