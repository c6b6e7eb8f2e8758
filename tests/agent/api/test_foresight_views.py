"""What would happen: numbers, risks and what they are made of. Tables over the pure views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotistic.agent.api.downtime import ROUND_S, Interruption, interruptions, took
from iotistic.agent.api.foresight_views import Download, WhatIf, pulls, what_if_json
from iotistic.agent.api.risks import risks
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.model.observation import Image
from iotistic.model.release import Strategy, StrategyKind
from iotistic.planner.foresight import Foreseen, foresee
from iotistic.planner.policy import Policy
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import (
    Candidate,
    Host,
    Lock,
    LockOwner,
    Rejection,
    Releases,
    StepKind,
    World,
)
from tests.agent.api.known import facts, good
from tests.planner.builders import container, of, resources, service, target, wanted, world

APP = 1001
MIB = 1024 * 1024


def app(*services: Any, **fields: Any) -> Wanted:
    """One app worked out, with fields of the app changed afterwards."""
    want = wanted(target(*services))
    return replace(want, apps=tuple(replace(a, **fields) for a in want.apps))


def runs(want: Wanted, *names: str, **facts_of_world: Any) -> World:
    """The world in which these services of `want` run, and its release is good."""
    images = tuple(str(of(want, name).target.spec.image) for name in names)
    return world(
        *(container(of(want, name), cid=f"c{n}") for n, name in enumerate(names)),
        has=resources(want, images=images),
        **{"releases": good(want), **facts_of_world},
    )


OLD = app(service("web"))
NEW = app(service("web", image="web:2"))


def course(seen: World, want: Wanted, policy: Policy | None = None) -> Foreseen:
    found = foresee(seen, want, policy or Policy())
    assert found.steps
    return found


def journal(kind: str, took_ms: int) -> JournalEntry:
    return JournalEntry(
        at_ms=1,
        app_id=APP,
        event=JournalEvent.STEP_DONE,
        service_name="web",
        detail={"step": kind, "tookMs": took_ms},
    )


def test_a_stop_counts_with_its_whole_grace_when_nothing_was_measured() -> None:
    want = app(service("web", image="web:2", stop_grace_period="30s"))

    (found,) = interruptions(course(runs(OLD, "web"), want), want, {})

    assert found.times == 1
    assert found.lasts_s is not None
    assert 30 < found.lasts_s < 40
    assert found.measured is False


def test_what_the_journal_measured_takes_the_place_of_what_is_assumed() -> None:
    kinds = ("stop", "remove", "create-container", "start")
    measured = took(journal(kind, ms) for kind in kinds for ms in (100, 200, 900))

    (found,) = interruptions(course(runs(OLD, "web"), NEW), NEW, measured)

    assert found.measured is True
    assert found.lasts_s == pytest.approx(4 * 0.2 + 4 * ROUND_S, abs=2 * ROUND_S)


def test_a_service_that_goes_is_down_for_good() -> None:
    want = app(service("web"), service("db"))
    seen = runs(want, "web", "db")

    found = interruptions(course(seen, OLD), OLD, {})

    assert found == (Interruption(app_id=APP, service_name="db", times=1, for_good=True),)


def test_down_while_downloading_is_no_number() -> None:
    want = wanted(target(service("web", image="web:2")))
    kill_first = replace(
        want,
        apps=tuple(
            replace(a, strategy=Strategy(kind=StrategyKind.KILL_THEN_DOWNLOAD)) for a in want.apps
        ),
    )

    (found,) = interruptions(course(runs(OLD, "web"), kill_first), kill_first, {})

    assert (found.lasts_s, found.for_good) == (None, False)
    assert found.notes == ("it is down while its app's images are downloaded",)


def test_a_hand_over_interrupts_nothing() -> None:
    want = replace(
        NEW,
        apps=tuple(replace(a, strategy=Strategy(kind=StrategyKind.HAND_OVER)) for a in NEW.apps),
    )

    assert interruptions(course(runs(OLD, "web"), want), want, {}) == ()


def test_the_size_of_an_image_is_that_of_its_like() -> None:
    seen = runs(OLD, "web")
    assert seen.resources is not None
    here = Image(
        id="sha256:old", references=("docker.io/library/web:1",), size_bytes=35 * MIB, created_s=1
    )
    images = replace(seen.resources, images=(here,))

    (found,) = pulls(course(replace(seen, resources=images), NEW), images)

    assert found == Download(
        image=of(NEW).target.spec.image,
        service_name="web",
        app_id=APP,
        size_bytes=35 * MIB,
        like="docker.io/library/web:1",
    )


def test_of_an_image_without_its_like_nothing_is_claimed() -> None:
    want = app(service("web"), service("db", image="db:7"))

    found = pulls(course(runs(OLD, "web"), want), resources(OLD, images=("web:1",)))

    assert [download.size_bytes for download in found] == [None]


@pytest.mark.parametrize(
    ("size", "free", "enough"),
    [
        pytest.param(35 * MIB, 1000 * MIB, True, id="known, fits"),
        pytest.param(35 * MIB, 280 * MIB, False, id="known, would be below the floor"),
        pytest.param(0, 1000 * MIB, None, id="unknown size: not known"),
        pytest.param(35 * MIB, None, None, id="unknown room: not known"),
    ],
)
def test_whether_the_disk_has_room(size: int, free: int | None, enough: bool | None) -> None:
    seen = runs(OLD, "web", host=Host(disk_free_bytes=free))
    assert seen.resources is not None
    here = tuple(replace(image, size_bytes=size) for image in seen.resources.images)
    seen = replace(seen, resources=replace(seen.resources, images=here))
    asked = WhatIf(
        world=seen,
        wanted=NEW,
        foreseen=course(seen, NEW),
        version=2,
        is_held=False,
        kept_free_bytes=256 * MIB,
    )

    found = what_if_json(asked, facts(OLD, container(of(OLD))), {})

    assert found["disk"]["enough"] is enough


def codes(seen: World, want: Wanted, policy: Policy | None = None) -> set[str]:
    return {risk.code for risk in risks(seen, want, foresee(seen, want, policy or Policy()))}


def test_nothing_to_do_is_no_risk() -> None:
    assert codes(runs(OLD, "web"), OLD) == set()


def test_risks_of_an_ordinary_update() -> None:
    assert codes(replace(runs(OLD, "web")), replace(NEW, good={APP: OLD.apps[0]})) == {
        "image-without-digest"
    }


def test_without_a_release_that_was_well_there_is_no_way_back() -> None:
    assert "no-way-back" in codes(runs(OLD, "web", releases=Releases()), NEW)


def test_a_good_release_that_cannot_be_read_is_no_way_back() -> None:
    assert "no-way-back" in codes(runs(OLD, "web"), NEW)


def test_a_lock_in_the_way_is_named_with_its_holder() -> None:
    lock = Lock(app_id=APP, owner=LockOwner.PERSON, holder="anna", reason="milling")
    seen = runs(OLD, "web", locks=(lock,))

    (found,) = [r for r in risks(seen, NEW, foresee(seen, NEW, Policy())) if r.code == "locked"]

    assert found.message == "updates are held off by person anna, milling"
    assert "unlock" in found.remedy


def test_a_release_that_was_taken_back_is_not_tried_by_itself() -> None:
    (mine,) = NEW.apps
    rejected = Rejection(
        app_id=APP, release_hash=mine.release_hash, release=mine.release, reason="it broke"
    )
    known = replace(good(OLD), rejected=(rejected,))
    want = replace(NEW, good={APP: OLD.apps[0]})

    assert "rejected-before" in codes(runs(OLD, "web", releases=known), want)


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"cap_add": ["NET_ADMIN"]}, "NET_ADMIN"),
        ({"network_mode": "host"}, "network_mode: host"),
        ({"privileged": True}, "privileged"),
        ({"volumes": ["/etc:/etc:ro"]}, "/etc"),
    ],
)
def test_what_reaches_the_host_is_named(config: dict[str, Any], shown: str) -> None:
    want = app(service("web", image="web:2", **config), rejection=None)
    seen = runs(OLD, "web")

    found = [
        r for r in risks(seen, want, foresee(seen, want, Policy())) if r.code == "reaches-host"
    ]

    assert [shown in risk.message for risk in found] == [True]


def test_a_port_that_two_services_publish() -> None:
    want = app(
        service("web", ports=["8080:80"]), service("db", image="db:1", ports=["127.0.0.1:8080:5"])
    )

    assert "port-twice" in codes(runs(OLD, "web"), want)


def test_a_range_that_two_services_publish_is_told_once() -> None:
    ports = ["1-1000:1-1000"]
    want = app(service("web", ports=ports), service("db", image="db:1", ports=ports))
    seen = runs(OLD, "web")

    found = [r for r in risks(seen, want, foresee(seen, want, Policy())) if r.code == "port-twice"]

    assert ["and 999 more are published" in risk.message for risk in found] == [True]


def test_the_same_port_on_two_addresses_is_no_clash() -> None:
    want = app(
        service("web", ports=["127.0.0.1:8080:80"]),
        service("db", image="db:1", ports=["127.0.0.2:8080:5"]),
    )

    assert "port-twice" not in codes(runs(OLD, "web"), want)


def test_steps_beyond_what_a_reply_holds_are_counted() -> None:
    want = app(*(service(f"s{n}", image=f"s{n}:1") for n in range(600)))
    seen = world(has=resources(want), releases=Releases(candidates=_begun(want)))
    asked = WhatIf(
        world=seen,
        wanted=want,
        foreseen=foresee(seen, want, Policy(pulls_max=600)),
        version=2,
        is_held=False,
        kept_free_bytes=0,
    )

    found = what_if_json(asked, facts(want), {})

    shown = sum(len(steps) for steps in found["rounds"])
    assert shown + found["stepsLeftOut"] == found["steps"]
    assert shown <= 2000
    assert StepKind.START in {step["kind"] for steps in found["rounds"] for step in steps}


def _begun(want: Wanted) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(app_id=a.app_id, release_hash=a.release_hash, release="r", deadline_s=1e9)
        for a in want.apps
    )
