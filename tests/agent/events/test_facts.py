"""What is worth an event, and when it is told."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.events.facts import EventKind, Fact, facts_of, news
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.model.errors import EngineUnavailable, InvalidField, IotisticError
from iotistic.model.release import ReleasePhase
from iotistic.model.words import Verdict
from iotistic.planner.attempts import STABLE_S
from iotistic.planner.step import AppVerdict, Plan
from iotistic.planner.world import Attempt, StepKind, Subject
from tests.agent.sync.builders import service, snapshot, target


def told(*steps: Snapshot, now_s: float = 0.0) -> list[dict[str, object]]:
    """The events of one thing after the other."""
    words: dict[str, str] = {}
    events: list[dict[str, object]] = []
    for step in steps:
        facts = facts_of(step, now_s=now_s)
        for key, word, event in news(words, facts, is_complete=step.rounds > 0):
            if word is None:
                del words[key]
            else:
                words[key] = word
            if event:
                events.append(event)
    return events


def looked(verdict: Verdict, phase: ReleasePhase, reason: str = "") -> Snapshot:
    found = AppVerdict(verdict=verdict, phase=phase, release="r7", reason=reason)
    return replace(
        snapshot(target(service(service_id=1))), plan=Plan(verdicts={1001: found}), rounds=1
    )


def of_kind(events: list[dict[str, object]], kind: EventKind) -> list[dict[str, object]]:
    return [event for event in events if event["event"] == kind]


def test_a_release_is_told_phase_by_phase_and_once_each() -> None:
    applying = looked(Verdict.APPLYING, ReleasePhase.APPLYING, "start web")
    still = looked(Verdict.APPLYING, ReleasePhase.APPLYING, "start db")
    done = looked(Verdict.SETTLED, ReleasePhase.DONE)

    events = told(applying, still, done, done)

    assert [e["phase"] for e in of_kind(events, EventKind.RELEASE_PHASE)] == ["applying", "done"]
    verdicts = of_kind(events, EventKind.APP_VERDICT)
    assert [(e.get("before"), e["verdict"]) for e in verdicts] == [
        (None, "applying"),
        ("applying", "settled"),
    ]
    assert "reason" not in verdicts[0], "it would be another one at every look"


def test_why_a_release_was_rejected_is_told() -> None:
    (event,) = of_kind(
        told(looked(Verdict.REJECTED, ReleasePhase.REJECTED, "web ended")), EventKind.APP_VERDICT
    )

    assert (event["appId"], event["reason"]) == (1001, "web ended")


def test_an_engine_is_lost_once_and_back_once() -> None:
    well = Snapshot(rounds=1)
    gone = replace(well, engine_error=EngineUnavailable("no container engine answers"))

    events = told(well, gone, gone, well)

    assert [e["event"] for e in events] == ["engine-lost", "engine-back"]
    assert events[0]["code"] == "engine-unavailable"


def test_before_anybody_looked_nothing_is_gone() -> None:
    running = looked(Verdict.SETTLED, ReleasePhase.DONE)
    restarted = Snapshot(target=running.target)

    assert told(running, restarted, running) == told(running)


def test_a_target_is_accepted_or_refused_by_version() -> None:
    accepted = snapshot(target(service(service_id=1)))
    refused = replace(
        accepted,
        offered_version=9,
        refusal=InvalidField("apps.1", expected="an app", found=3),
    )

    events = told(accepted, refused, refused)

    assert [e["event"] for e in events] == ["target-accepted", "target-refused"]
    assert (events[1]["version"], events[1]["code"]) == (9, "invalid-field")


def test_a_crash_loop_begins_at_the_third_end_and_is_over_when_it_ran_long_enough() -> None:
    state = target(service(service_id=1))
    (app,) = state.apps
    (one,) = app.services
    subject = Subject(app_id=app.app_id, kind="service", name=one.key)

    def crashed(count: int) -> Snapshot:
        attempt = Attempt(
            subject=subject, step=StepKind.HEAL, count=count, not_before_s=100.0, message="ended"
        )
        return replace(snapshot(state), attempts=(attempt,), rounds=1)

    begun = of_kind(told(crashed(2), crashed(3), crashed(4)), EventKind.CRASH_LOOP_BEGUN)
    assert [event["restarts"] for event in begun] == [3]

    words = {key: fact.word for key, fact in facts_of(crashed(3), now_s=100.0).items()}
    later = facts_of(crashed(3), now_s=100.0 + STABLE_S)
    ended = [event for _, _, event in news(words, later, is_complete=True)]
    assert ended == [
        {
            "event": "crash-loop-ended",
            "appId": app.app_id,
            "serviceName": one.service_name,
        }
    ]


def test_a_warning_begins_and_ends() -> None:
    full = IotisticError("no room", code="disk-full")
    facts = facts_of(Snapshot(), now_s=0.0, warnings=[full])
    begun = [event for _, _, event in news({}, facts, is_complete=False)]
    words = {key: fact.word for key, fact in facts.items()}
    ended = [event for _, _, event in news(words, {}, is_complete=True)]

    assert begun == [
        {"event": "warning-begun", "code": "disk-full", "message": "no room"},
    ]
    assert ended == [
        {"event": "warning-ended", "code": "disk-full"},
    ]


WORDS = st.dictionaries(
    st.sampled_from(["engine", "warning/a", "verdict/1", "release/1", "crash-loop/1/a/b"]),
    st.sampled_from(["x", "y", "z"]),
)


@given(WORDS, WORDS, st.booleans())
def test_what_was_told_is_not_told_again(
    before: dict[str, str], now: dict[str, str], is_complete: bool
) -> None:
    facts = {key: Fact(word, EventKind.APP_VERDICT) for key, word in now.items()}

    after = dict(before)
    for key, word, _ in news(before, facts, is_complete=is_complete):
        if word is None:
            del after[key]
        else:
            after[key] = word

    assert not news(after, facts, is_complete=is_complete)
    assert not is_complete or after == now
