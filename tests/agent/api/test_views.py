"""What is known goes in, what the API says comes out: tables."""

from __future__ import annotations

import time
from typing import Any

import pytest

from iotistic.agent.api.plan_views import device_settled, plan_json
from iotistic.agent.api.rows import Ambiguous, Facts, find_service
from iotistic.agent.api.views import app_json, service_json
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.model.errors import EngineUnavailable, Refused
from iotistic.model.words import WaitReason
from iotistic.planner.step import Plan, Wait
from iotistic.planner.steps import subject_of
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import Attempt, Intent, IntentKind, StepKind
from tests.agent.api.known import NOW_S, WALL_MS, facts
from tests.planner.builders import container, of, service, target, targets, wanted

APP = 1001


def shown(known: Facts, name: str = "web") -> dict[str, Any]:
    rows = [row for app in known.apps for row in app.services]
    return service_json(find_service(rows, name), known)


WEB = wanted(target(service()))
STOPPED = wanted(target(service(state="stopped")))
PAUSED = wanted(target(service(state="paused")))
ONE_SHOT = wanted(target(service(restart="no")))


def failure(step: StepKind, count: int = 1, *, purpose: str = "", in_s: float = 30.0) -> Attempt:
    return Attempt(
        subject=subject_of(APP, "web"),
        step=step,
        count=count,
        not_before_s=NOW_S + in_s,
        purpose=purpose or of(WEB).spec_hash,
        code="start-failed",
        message="no such file",
    )


def stop(want: Wanted) -> Intent:
    return Intent(
        kind=IntentKind.STOP, app_id=APP, service_id="web", purpose=of(want).spec_hash, at_ms=5
    )


@pytest.mark.parametrize(
    ("known", "status", "service_status", "settled", "next_", "why"),
    [
        pytest.param(
            facts(WEB, container(of(WEB))), "running", "running", True, None, "as wanted",
            id="as wanted",
        ),
        pytest.param(
            facts(WEB), None, "pending", False, "create-container", "not there", id="not there"
        ),
        pytest.param(
            facts(WEB, container(of(WEB), "created")), "created", "pending", False, "start",
            "made, not started", id="made",
        ),
        pytest.param(
            facts(WEB, container(of(WEB), "exited", exit_code=3)), "exited", "stopped", False,
            "heal", "ended with code 3, wanted running", id="ended: healed",
        ),
        pytest.param(
            facts(WEB, container(of(WEB), "restarting")), "restarting", "error", False, "wait",
            None, id="the engine restarts it",
        ),
        pytest.param(
            facts(STOPPED), None, "stopped", True, None, "as wanted", id="wanted stopped, not there"
        ),
        pytest.param(
            facts(PAUSED, container(of(PAUSED), "paused")), "paused", "stopped", True, None,
            "as wanted", id="paused counts as stopped",
        ),
        pytest.param(
            facts(ONE_SHOT, container(of(ONE_SHOT), "exited")), "exited", "stopped", True, None,
            "as wanted", id="ran to its end",
        ),
        pytest.param(
            facts(WEB, container(of(WEB), "exited"), intents=(stop(WEB),)), "exited", "stopped",
            True, None, "stopped by hand", id="stopped by hand",
        ),
        pytest.param(
            facts(WEB, container(of(WEB)), intents=(stop(WEB),)), "running", "running", False,
            "stop", "wanted stopped", id="stopped by hand, still running",
        ),
        pytest.param(
            facts(
                WEB, container(of(WEB), "created"),
                attempts=(failure(StepKind.START),),
            ),
            "created", "error", False, "wait", "no such file", id="a start that failed",
        ),
    ],
)  # fmt: skip
def test_how_a_service_stands(
    known: Facts,
    status: str | None,
    service_status: str,
    settled: bool,
    next_: str | None,
    why: str | None,
) -> None:
    found = shown(known)
    assert found["status"] == status
    assert found["serviceStatus"] == service_status
    assert found["settled"] is settled
    assert found["next"] == next_
    if why is not None:
        assert found["why"] == why


@pytest.mark.parametrize(
    ("attempt", "kind"),
    [
        (failure(StepKind.START), "StartFailure"),
        (failure(StepKind.CREATE_CONTAINER, 4), "StartFailure"),
        (failure(StepKind.HEAL, 3), "CrashLoopBackOff"),
        (failure(StepKind.HEAL, 1), None),
    ],
)
def test_what_a_failure_is_called(attempt: Attempt, kind: str | None) -> None:
    found = shown(facts(WEB, container(of(WEB), "created"), attempts=(attempt,)))["error"]
    if kind is None:
        assert found is None
        return
    assert found["type"] == kind
    assert found["retryCount"] == attempt.count
    assert found["nextRetryAt"] == WALL_MS + 30_000


def test_before_the_first_look_nothing_is_claimed_to_be_settled() -> None:
    known = Facts(snapshot=Snapshot(), wanted=WEB, now_s=NOW_S, wall_ms=WALL_MS)
    (app,) = known.apps
    found = app_json(app, known)
    assert (found["verdict"], found["servicesSettled"], found["servicesTotal"]) == ("waiting", 0, 1)
    assert found["reason"]
    assert found["services"][0]["settled"] is False
    assert device_settled(known) is False


@pytest.mark.parametrize(
    ("more", "settled"),
    [
        ({}, True),
        ({"engine_error": EngineUnavailable("gone")}, False),
        ({"refusal": Refused("no")}, False),
        ({"rounds": 0}, False),
    ],
)
def test_when_a_device_is_settled(more: dict[str, Any], settled: bool) -> None:
    assert device_settled(facts(WEB, container(of(WEB)), **more)) is settled


def test_a_service_of_a_rejected_app_says_why() -> None:
    want = wanted(target(service(volumes=["/etc:/etc"])))
    found = shown(facts(want))
    assert found["settled"] is False
    assert "not allowed" in found["why"]


def test_a_wait_is_told_in_milliseconds() -> None:
    wait = Wait(
        reason=WaitReason.BACKOFF,
        subject=subject_of(APP, "web"),
        message="no such file",
        until_s=NOW_S + 2.5,
    )
    known = facts(WEB, plan=Plan(waits=(wait,), ask_again_s=NOW_S + 2.5))
    found = plan_json(known)
    assert found["askAgainInMs"] == 2500
    assert found["waits"] == [
        {
            "reason": "backoff",
            "appId": APP,
            "serviceId": "web",
            "serviceName": "web",
            "subject": f"{APP}/service/web",
            "message": "no such file",
            "inMs": 2500,
            "remedy": f"mend the cause; to try at once: iotctl apps retry {APP}",
        }
    ]
    assert shown(known)["retryInMs"] == 2500


def test_a_name_in_two_apps_is_ambiguous_but_with_its_container() -> None:
    want = wanted(targets({1: [service()], 2: [service()]}))
    known = facts(want)
    rows = [row for app in known.apps for row in app.services]
    with pytest.raises(Ambiguous) as caught:
        find_service(rows, "web")
    names = [c.wanted.request.name for c in caught.value.candidates if c.wanted]
    assert [find_service(rows, name).app_id for name in names] == [1, 2]


def test_a_thousand_services_are_shown_in_no_time() -> None:
    """Every answer is made on the event loop."""
    apps = {n: [service(f"s{m}") for m in range(100)] for n in range(1, 11)}
    want = wanted(targets(apps))
    known = facts(want)
    started_s = time.process_time()
    rows = [app_json(app, known) for app in known.apps]
    plan_json(known)
    assert time.process_time() - started_s < 0.5
    assert sum(len(row["services"]) for row in rows) == 1000
