"""What a technician reads. The agent's answers are those of its own views."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from iotistic.agent.api.explain_views import Told, explain_json
from iotistic.agent.api.rows import Facts
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.planner.steps import subject_of
from iotistic.planner.world import (
    Attempt,
    GoodRelease,
    Lock,
    LockOwner,
    Rejection,
    Releases,
    StepKind,
)
from tests.agent.api.known import NOW_S, facts
from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script, refused
from tests.cli.test_program import on_terminal
from tests.cli.test_status import lines
from tests.planner.builders import container, of, service, target, wanted

APP = 1001
WEB = wanted(target(service("web", ports=["8080:80"])))
NEW = wanted(target(service("web", image="web:2", ports=["8080:80"])))


def explained(known: Facts, **told: Any) -> dict[str, Any]:
    (app,) = known.apps
    as_sent: dict[str, Any] = json.loads(json.dumps(explain_json(app, None, known, Told(**told))))
    return as_sent


def entry(event: JournalEvent, seconds: float, **fields: Any) -> JournalEntry:
    return JournalEntry(at_ms=answers.before(seconds), app_id=APP, event=event, **fields)


def test_an_app_that_is_as_wanted_is_short(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/explain/1001", explained(facts(WEB, container(of(WEB)))))

    said = iotctl("explain", "1001")

    release = WEB.apps[0].release
    assert said.code == 0
    assert agent.last.query == {"journal": "20"}
    assert said.out == lines(
        "app       1001 app1001",
        "state     settled",
        "that is   everything is as the target wants it",
        "why       -",
        f"release   {release}: done",
        "services  1 of 1 as wanted",
        "",
        "web (web)",
        "  wanted  running, web:1",
        "  is      running",
        "",
        "releases",
        f"wanted  {release}: done",
        f"good    {release}: well since an unknown time",
    )


def test_a_locked_update_names_the_holder_the_difference_and_what_helps(
    iotctl: Iotctl, agent: Script
) -> None:
    lock = Lock(
        app_id=APP,
        owner=LockOwner.PERSON,
        holder="anna",
        reason="milling",
        until_s=NOW_S + 7200,
        at_ms=answers.before(60),
    )
    before = GoodRelease(app_id=APP, release_hash="old", release="r1", at_ms=answers.before(7200))
    known = facts(
        NEW, container(of(WEB)), locks=(lock,), releases=Releases(good=(before,)), images=("web:2",)
    )
    agent.on("GET", "/v1/explain/shop/web", explained(known))

    said = iotctl("explain", "shop/web").out

    assert "state     waiting" in said
    assert "locked by person anna, milling" in said
    assert "differs  image: wanted docker.io/library/web:2, found another value" in said
    assert "next: wait for who holds it, or if it is a person's: iotctl apps unlock 1001" in said
    assert "1001  person  anna    2 h" in said
    assert "good    r1: well since 2 h ago" in said


def test_failures_tell_how_often_what_and_when_again(iotctl: Iotctl, agent: Script) -> None:
    failed = Attempt(
        subject=subject_of(APP, "web"),
        step=StepKind.START,
        count=3,
        not_before_s=NOW_S + 62,
        purpose=of(WEB).spec_hash,
        code="port-allocated",
        message="start web: port 8080 is taken by container pump",
        failed_at_ms=5,
    )
    crashed = replace(failed, step=StepKind.HEAL, count=2, code="service-ended", message="ended")
    known = facts(WEB, container(of(WEB), "created"), attempts=(failed, crashed))
    agent.on("GET", "/v1/explain/1001", explained(known))

    said = iotctl("explain", "1001").out

    assert "failed   start, 3 times in a row, again in 1 min 2 s: start web: port 8080" in said
    assert "port     wants 8080:80/tcp: start web: port 8080 is taken by container pump" in said
    assert "crashes  2 in a row" in said


def test_a_release_that_was_taken_back_shows_the_last_lines_of_who_failed(
    iotctl: Iotctl, agent: Script
) -> None:
    (app,) = NEW.apps
    rejected = Rejection(
        app_id=APP,
        release_hash=app.release_hash,
        release=app.release,
        reason="ended with code 3",
        service_name="web",
        last_words=("boot", "cannot open /dev/pump"),
        at_ms=answers.before(120),
    )
    good = GoodRelease(app_id=APP, release_hash=WEB.apps[0].release_hash, release="r1")
    want = replace(WEB, apps=NEW.apps, good={APP: WEB.apps[0]})
    known = facts(want, container(of(WEB)), releases=Releases(good=(good,), rejected=(rejected,)))
    agent.on("GET", "/v1/explain/1001", explained(replace(known, wanted=WEB)))

    said = iotctl("explain", "1001").out

    assert "state     rejected" in said
    assert "that is   the release was not well in time and was taken back" in said
    assert (
        "next: save a better release in the target, or try this one again: iotctl apps retry"
        in said
    )
    assert f"taken back  {app.release}, 2 min ago: web: ended with code 3" in said
    assert f"  last lines of web in {app.release}:\n  | boot\n  | cannot open /dev/pump\n" in said


def test_the_journal_says_what_was_done_and_why(iotctl: Iotctl, agent: Script) -> None:
    told = (
        entry(
            JournalEvent.STEP_FAILED,
            5,
            service_id="web",
            service_name="web",
            reason="no such file",
            detail={"step": "start", "why": "made, not started"},
        ),
        entry(
            JournalEvent.STEP_DONE,
            10,
            service_id="web",
            service_name="web",
            reason="image changed",
            detail={
                "step": "stop",
                "tookMs": 1250,
                "differences": [{"field": "image", "wanted": "web:2", "found": "another value"}],
            },
        ),
        entry(JournalEvent.STOPPED_BY_PERSON, 3600, service_name="web", detail={"by": "bert"}),
    )
    known = facts(WEB, container(of(WEB)))
    agent.on("GET", "/v1/explain/1001", explained(known, journal=told))

    assert iotctl("explain", "1001").out.endswith(
        lines(
            "what happened, newest first",
            "5 s ago   web: start failed: no such file;"
            " it was to be done because: made, not started",
            "10 s ago  web: stop done, took 1.2 s: image changed"
            " (image wanted web:2, found another value)",
            "1 h ago   web: stopped by hand by bert",
        )
    )


def test_an_app_that_is_not_there_is_4(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/explain/7", refused(404, "app-not-found", "no app 7", remedy="known: 1"))

    said = iotctl("explain", "7")

    assert (said.code, said.err) == (4, "iotctl: no app 7\n  next: known: 1\n")


def test_a_name_cannot_leave_its_place(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/explain/..%3F/a%2Fb", refused(404, "app-not-found", "no"))

    assert iotctl("explain", "..?/a/b").code == 4


def test_programs_get_the_document_as_it_came(iotctl: Iotctl, agent: Script) -> None:
    known = explained(facts(WEB, container(of(WEB))))
    agent.on("GET", "/v1/explain/1001", known)

    assert iotctl("explain", "1001", "--json").document == known


def test_on_a_terminal_of_80_columns_nothing_is_cut(agent: Script) -> None:
    reason = "a very long reason that goes on " * 8
    told = [
        entry(
            JournalEvent.STEP_FAILED,
            7 * 3600,
            service_name="web",
            reason=reason,
            detail={"step": "create-container", "why": reason},
        )
    ]
    failed = Attempt(
        subject=subject_of(APP, "web"),
        step=StepKind.START,
        count=3,
        not_before_s=NOW_S + 62,
        purpose=of(WEB).spec_hash,
        code="start-failed",
        message=reason,
    )
    known = facts(WEB, container(of(WEB), "created"), attempts=(failed,))
    agent.on("GET", "/v1/explain/1001", explained(known, journal=told))

    code, said = on_terminal(["explain", "1001", "--no-color"], 80)

    assert code == 0
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= 80
    # Told as the reason of the app, of the service's failure, and twice in the journal.
    assert " ".join(said.split()).count("a very long reason") >= 4 * 8
