"""How far releases are, as the report tells it: the same facts, the same words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync.report import build_report
from iotistic.model.release import ReleasePhase
from iotistic.model.words import Dialect, Verdict, WaitReason
from iotistic.planner.step import AppVerdict, Plan, Step, Wait
from iotistic.planner.world import (
    Attempt,
    Candidate,
    GoodRelease,
    Lock,
    LockOwner,
    Rejection,
    Releases,
    StepKind,
    Subject,
)
from tests.agent.sync.builders import FACTS, container, service, target

APP = 1001
WEB = Subject(app_id=APP, kind="service", name="1")
AT_MS = 1_760_000_100_000
AT = "2025-10-09T08:55:00Z"
BOOT = FACTS.boot_wall_ms


def verdict(kind: Verdict = Verdict.SETTLED, **fields: Any) -> AppVerdict:
    return AppVerdict(
        **{
            "verdict": kind,
            "phase": ReleasePhase.DONE,
            "release": "r2",
            "release_hash": "h2",
            **fields,
        }
    )


def snap(found: AppVerdict, *waits: Wait, steps: tuple[Step, ...] = (), **more: Any) -> Snapshot:
    return Snapshot(
        target=target(service()),
        containers=(container("1"),),
        plan=Plan(verdicts={APP: found}, waits=waits, steps=steps),
        **more,
    )


def report(snapshot: Snapshot, **facts: Any) -> dict[str, Any]:
    return build_report(snapshot, replace(FACTS, **facts))


def wait(reason: WaitReason, message: str = "why", until_s: float | None = None) -> Wait:
    return Wait(reason=reason, subject=WEB, message=message, service_name="web", until_s=until_s)


GOOD = GoodRelease(app_id=APP, release_hash="h2", release="r2", at_ms=AT_MS)
REJECTED = Rejection(
    app_id=APP,
    release_hash="h2",
    release="r2",
    reason="web: ended with code 3",
    service_name="web",
    last_words=("cannot open /dev/pump",),
    at_ms=AT_MS,
)


def test_a_release_that_is_well_says_since_when() -> None:
    found = report(snap(verdict(), releases=Releases(good=(GOOD,))))

    assert found["release"] == {"1001": {"id": "r2", "phase": "done", "since": AT}}
    assert found["plan"] == {"1001": {"verdict": "settled"}}


def test_a_release_that_is_watched_says_since_when_and_until_when() -> None:
    candidate = Candidate(
        app_id=APP, release_hash="h2", release="r2", deadline_s=400.0, began_ms=AT_MS
    )
    watching = Wait(
        reason=WaitReason.VERIFYING,
        subject=Subject(app_id=APP, kind="app", name=""),
        message="well for 10 s",
        until_s=117.3,
    )

    found = report(
        snap(
            verdict(Verdict.APPLYING, phase=ReleasePhase.VERIFYING, reason="well for 10 s"),
            watching,
            releases=Releases(candidates=(candidate,)),
        )
    )

    assert found["release"]["1001"] == {
        "id": "r2",
        "phase": "verifying",
        "reason": "well for 10 s",
        "since": AT,
    }
    # Until its deadline: when it will have been well for long enough is worked out at each look.
    assert found["plan"]["1001"]["until"] == "2025-10-09T09:00:00Z"


def test_a_release_that_was_taken_back_says_who_failed_and_what_it_wrote() -> None:
    known = Releases(
        good=(GoodRelease(app_id=APP, release_hash="h1", release="r1"),), rejected=(REJECTED,)
    )
    found = report(
        snap(
            verdict(Verdict.REJECTED, phase=ReleasePhase.ROLLED_BACK, reason="r2 was taken back"),
            releases=known,
        )
    )

    assert found["release"]["1001"] == {
        "id": "r2",
        "phase": "rolled-back",
        "since": AT,
        "reason": "web: ended with code 3",
        "goodId": "r1",
        "rejected": {"service": "web", "lastWords": ["cannot open /dev/pump"]},
    }
    assert "was taken back" in found["plan"]["1001"]["meaning"]
    assert found["apps"]["1001"]["reason"] == "r2 was taken back"


def test_last_lines_are_bounded_and_the_newest_stay() -> None:
    words = (*(f"{n} {'ü' * 400}" for n in range(60)), "the end")
    found = report(
        snap(
            verdict(Verdict.REJECTED, phase=ReleasePhase.REJECTED),
            releases=Releases(rejected=(replace(REJECTED, last_words=words),)),
        )
    )

    kept = found["release"]["1001"]["rejected"]["lastWords"]
    assert kept[-1] == "the end"
    assert len("\n".join(kept).encode()) <= 8 * 1024
    assert len(kept) > 5


def test_a_plan_is_short_however_much_is_planned() -> None:
    steps = tuple(
        Step(kind=StepKind.START, subject=WEB, reason="r" * 1000, service_name=f"s{n}")
        for n in range(500)
    )
    waits = [wait(WaitReason.BACKOFF, "m" * 1000, 100.0 + n) for n in range(500)]

    found = report(snap(verdict(Verdict.APPLYING, reason="r" * 1000), *waits, steps=steps))

    assert len(json.dumps(found["plan"])) < 6_000
    assert found["plan"]["1001"]["next"][0]["service"] == "s0"


def test_what_a_person_locked_says_until_when() -> None:
    lock = Lock(app_id=APP, owner=LockOwner.PERSON, holder="anna", until_s=400.0)

    found = report(
        snap(
            verdict(Verdict.WAITING, phase=ReleasePhase.BLOCKED, reason="web: locked"),
            wait(WaitReason.LOCKED, "locked by person anna", 400.0),
            locks=(lock,),
        )
    )

    assert found["plan"]["1001"]["until"] == "2025-10-09T09:00:00Z"
    assert found["plan"]["1001"]["waiting"] == [
        {"reason": "locked", "service": "web", "message": "locked by person anna"}
    ]


def test_time_alone_changes_nothing() -> None:
    """The same state, looked at later: figures of waits have moved, the report has not."""

    def seen(now_s: float, share: str, free: str) -> dict[str, Any]:
        waits = (
            wait(WaitReason.IMAGE_PULLING, f"web:2, {share}"),
            wait(WaitReason.DISK_LOW, f"{free} MiB of disk are free", now_s + 60),
            wait(WaitReason.LOCKED, "locked by service web", now_s + 30),
            wait(WaitReason.ENGINE_RESTARTING, "ended", now_s + 5),
            wait(WaitReason.BACKOFF, "no such file", 500.0),
        )
        applying = verdict(
            Verdict.APPLYING, phase=ReleasePhase.DOWNLOADING, reason=f"web: web:2, {share}"
        )
        return report(snap(applying, *waits), now_s=now_s)

    assert seen(100.0, "3%", "120") == seen(180.0, "62%", "97")
    assert seen(100.0, "3%", "120")["plan"]["1001"]["until"] == "2025-10-09T09:01:40Z"


def test_volumes_that_differ_are_a_warning() -> None:
    found = report(snap(verdict(warnings=("volume data: is not as the target describes it",))))

    assert found["warnings"] == [
        {
            "code": "not-changed",
            "message": "volume data: is not as the target describes it",
            "appId": APP,
        }
    ]


def test_how_often_a_service_ended_in_a_row_is_counted() -> None:
    crashed = Attempt(
        subject=WEB, step=StepKind.HEAL, count=2, not_before_s=102.0, failed_at_ms=AT_MS
    )
    found = report(snap(verdict(), attempts=(crashed,)))
    (row,) = found["apps"]["1001"]["services"]

    assert row["crashes"] == 2
    assert "error" not in row  # twice is an accident


def test_a_failure_is_dated_by_when_it_happened() -> None:
    failed = Attempt(
        subject=WEB, step=StepKind.START, count=4, not_before_s=300.0, failed_at_ms=AT_MS, code="x"
    )
    (row,) = report(snap(verdict(), attempts=(failed,)))["apps"]["1001"]["services"]

    assert row["error"]["timestamp"] == AT


def test_an_older_cloud_hears_of_none_of_it() -> None:
    known = Releases(rejected=(REJECTED,))
    found = report(
        snap(verdict(Verdict.REJECTED, phase=ReleasePhase.ROLLED_BACK), releases=known),
        dialect=Dialect.O1,
    )

    assert {"release", "plan"}.isdisjoint(found)
    assert "crashes" not in found["apps"]["1001"]["services"][0]
