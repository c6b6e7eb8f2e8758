"""The one thing that is safe to do now for one service: a line a case."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.model.words import Verdict, WaitReason
from iotistic.planner.plan import plan
from iotistic.planner.step import Step, Wait
from iotistic.planner.wanted import NOTHING_WANTED
from iotistic.planner.wishes import fulfilled
from iotistic.planner.world import Attempt, Intent, IntentKind, StepKind, World
from tests.planner.builders import container, of, resources, service, target, wanted, world
from tests.planner.worlds import steady

OLD = wanted(target(service(image="web:1")))
NEW = wanted(target(service(image="web:2")))
PAUSED = wanted(target(service(image="web:2", state="paused")))
STOPPED = wanted(target(service(image="web:2", state="stopped")))
ONE_SHOT = wanted(target(service(image="web:2", restart="no")))
TWO = wanted(target(service(image="web:2"), service("db", image="db:1")))
HERE = resources(NEW, images=("web:2",))


def said(seen: World, want: Any) -> str:
    """The plan for the only service, as one word or two."""
    decided = plan(steady(seen, want), want)
    found: list[Step | Wait] = [*decided.steps, *decided.waits]
    mine = [f for f in found if f.service_name == "web" or f.subject.kind == "network"]
    if not mine:
        return "as wanted"
    first = mine[0]
    return str(first.kind) if isinstance(first, Step) else f"wait {first.reason}"


@pytest.mark.parametrize(
    ("seen", "want", "expected"),
    [
        pytest.param(world(has=resources(NEW)), NEW, "pull", id="absent, no image: pull"),
        pytest.param(
            world(has=resources(NEW), pulling={"docker.io/library/web:2": 0.5}),
            NEW,
            "wait image-pulling",
            id="pull under way: wait",
        ),
        pytest.param(
            world(has=resources(NEW, images=("web:2",), objects=False)),
            NEW,
            "create-network",
            id="image here, no network: make it first",
        ),
        pytest.param(world(has=HERE), NEW, "create-container", id="absent, all here: create"),
        pytest.param(world(container(of(NEW), "created")), NEW, "start", id="made: start"),
        pytest.param(world(container(of(NEW))), NEW, "as wanted", id="as wanted: leave it alone"),
        pytest.param(
            world(container(of(OLD)), has=resources(NEW)),
            NEW,
            "pull",
            id="old one runs: pull first",
        ),
        pytest.param(world(container(of(OLD)), has=HERE), NEW, "stop", id="successor here: stop"),
        pytest.param(
            world(container(of(TWO)), has=resources(TWO, images=("web:2",))),
            wanted(target(service(image="web:2", user="1"), service("db", image="db:1"))),
            "wait images-of-app-missing",
            id="another image of the app is not here: runs on",
        ),
        pytest.param(
            world(container(of(OLD), "exited"), has=HERE), NEW, "remove", id="old one ended: remove"
        ),
        pytest.param(
            world(container(of(OLD), "paused"), has=HERE), NEW, "stop", id="old one paused: stop"
        ),
        pytest.param(
            world(container(of(OLD), "restarting"), has=HERE),
            NEW,
            "stop",
            id="old one in a crash loop: stop, do not wait for it",
        ),
        pytest.param(
            world(container(of(NEW), "exited", exit_code=137)), NEW, "heal", id="killed: heal"
        ),
        pytest.param(world(container(of(NEW), "dead")), NEW, "heal", id="dead: heal"),
        pytest.param(
            world(container(of(NEW), "restarting")),
            NEW,
            "wait engine-restarting",
            id="the engine restarts it: wait",
        ),
        pytest.param(
            world(container(of(NEW), "removing")),
            NEW,
            "wait engine-removing",
            id="the engine removes it: wait",
        ),
        pytest.param(
            world(container(of(NEW))), PAUSED, "pause", id="running, wanted paused: pause"
        ),
        pytest.param(
            world(container(of(NEW), "paused")), NEW, "unpause", id="paused, wanted running"
        ),
        pytest.param(
            world(container(of(NEW), "paused")), PAUSED, "as wanted", id="paused as wanted"
        ),
        pytest.param(
            world(container(of(NEW))), STOPPED, "stop", id="running, wanted stopped: stop"
        ),
        pytest.param(
            world(container(of(NEW), "paused")), STOPPED, "stop", id="paused, wanted stopped"
        ),
        pytest.param(
            world(container(of(NEW), "exited")), STOPPED, "as wanted", id="stopped stays to look at"
        ),
        pytest.param(world(), STOPPED, "as wanted", id="wanted stopped, nothing there: nothing"),
        pytest.param(
            world(container(of(ONE_SHOT), "exited", exit_code=0)),
            ONE_SHOT,
            "as wanted",
            id="a one-shot that completed is as wanted",
        ),
        pytest.param(
            world(container(of(ONE_SHOT), "exited", exit_code=3)),
            ONE_SHOT,
            "wait ended",
            id="a one-shot that failed rests",
        ),
        pytest.param(
            world(container(of(NEW)), container(of(NEW), "exited", cid="c2")),
            NEW,
            "remove",
            id="a second container: remove the one that ended",
        ),
    ],
)
def test_next_step(seen: World, want: Any, expected: str) -> None:
    assert said(seen, want) == expected


def test_a_change_names_the_fields_and_masks_values() -> None:
    old = wanted(target(service(environment={"TOKEN": "one", "MODE": "a"})))
    new = wanted(target(service(environment={"TOKEN": "another-one", "MODE": "a"}, user="7")))

    seen = world(container(of(old)), has=resources(new, images=("web:1",)))
    step = plan(steady(seen, new), new).steps[0]

    assert [d.field for d in step.differences] == ["environment.TOKEN", "user"]
    assert step.reason == "environment.TOKEN, user changed"
    assert "another-one" not in repr(step)


def test_a_failed_step_waits_for_its_time_and_says_why() -> None:
    step = plan(world(has=resources(NEW)), NEW).steps[0]
    failure = Attempt(
        subject=step.subject, step=StepKind.PULL, count=3, not_before_s=1030.0, message="no route"
    )

    waiting = plan(world(has=resources(NEW), attempts=(failure,)), NEW)
    later = plan(world(has=resources(NEW), attempts=(failure,), now_s=1030.0), NEW)

    assert waiting.steps == ()
    assert (waiting.waits[0].reason, waiting.ask_again_s) == (WaitReason.BACKOFF, 1030.0)
    assert "no route" in waiting.waits[0].message
    assert waiting.verdicts[1001].verdict is Verdict.WAITING
    assert [s.kind for s in later.steps] == [StepKind.PULL]


def test_a_failure_under_another_specification_is_not_held_against_this_one() -> None:
    made = container(of(NEW), "created")
    failure = Attempt(
        subject=plan(steady(world(made), NEW), NEW).steps[0].subject,
        step=StepKind.START,
        count=9,
        not_before_s=9e9,
        purpose="1:another",
    )
    assert [s.kind for s in plan(steady(world(made, attempts=(failure,)), NEW), NEW).steps] == [
        StepKind.START
    ]


def test_a_persons_stop_holds_until_the_target_wants_another_specification() -> None:
    stop = Intent(kind=IntentKind.STOP, app_id=1001, service_id="web", purpose=of(OLD).spec_hash)
    assert said(world(container(of(OLD)), intents=(stop,)), OLD) == "stop"
    assert said(world(container(of(OLD), "exited"), intents=(stop,)), OLD) == "as wanted"
    assert said(world(container(of(OLD), "exited"), intents=(stop,), has=HERE), NEW) == "remove"


def test_a_persons_stop_outlives_a_target_that_was_lost_but_not_one_without_the_service() -> None:
    stop = Intent(kind=IntentKind.STOP, app_id=1001, service_id="web", purpose=of(OLD).spec_hash)
    seen = world(container(of(OLD), "exited"), intents=(stop,))
    assert fulfilled(seen, NOTHING_WANTED) == ()
    assert fulfilled(seen, wanted(target(version=2))) == (stop,)


def test_a_restart_is_asked_of_the_very_container_the_person_saw() -> None:
    wish = Intent(
        kind=IntentKind.RESTART, app_id=1001, service_id="web", container_id="c1", seen_start="t0"
    )
    step = plan(steady(world(container(of(NEW)), intents=(wish,)), NEW), NEW).steps[0]
    assert (step.kind, step.target, step.seen_start) == (StepKind.RESTART, "c1", "t0")
    assert said(world(container(of(NEW), cid="c2"), intents=(wish,)), NEW) == "as wanted"


def test_what_is_being_removed_is_not_as_wanted_yet() -> None:
    leftover = container(of(NEW))
    nothing = wanted(target(version=2))
    stop = plan(steady(world(leftover), nothing), nothing).steps[0]

    decided = plan(world(leftover, in_flight=frozenset({stop.subject})), nothing)

    assert (decided.steps, decided.settled) == ((), False)
    assert decided.waits[0].reason is WaitReason.STEP_IN_FLIGHT
