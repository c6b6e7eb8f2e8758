"""When a release counts as good, and what happens to one that does not become so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iotistic.model.release import ReleasePhase
from iotistic.model.words import ContainerState, Verdict
from iotistic.planner.world import Releases
from tests.planner.builders import service
from tests.planner.drive import APP, Drive, want

IMAGES = ("web:1", "web:2", "db:1")
VERIFY = {"timeout": "60s", "min_healthy_s": 10}


def on_the_way(**app: Any) -> Drive:
    """web:1 is good, web:2 has just been started."""
    device = Drive(want(service(), verify=VERIFY, **app), *IMAGES)
    device.settle()
    device.release(want(service(image="web:2"), verify=VERIFY, version=2, **app))
    device.until("start web")
    device.act()
    device.done.clear()
    return device


def later(device: Drive, span_s: float, *, up_s: float | None = None) -> None:
    """Time passes, without anything else."""
    device.world = replace(device.world, now_s=device.world.now_s + span_s)
    if up_s is not None:
        device.change("web", up_s=up_s)


def verdict(device: Drive) -> tuple[Verdict, ReleasePhase]:
    found = device.plan().verdicts[APP]
    return found.verdict, found.phase


def test_a_release_is_good_when_all_have_run_for_the_settle_time() -> None:
    device = on_the_way()
    assert verdict(device) == (Verdict.APPLYING, ReleasePhase.VERIFYING)
    later(device, 4, up_s=4)
    assert device.said() == {"wait verifying"}
    assert device.plan().ask_again_s == device.world.now_s + 6
    later(device, 6, up_s=10)
    assert "commit" in device.said()
    device.round()
    assert verdict(device) == (Verdict.SETTLED, ReleasePhase.DONE)
    device.settle()
    assert device.plan().steps == ()


def test_a_first_release_is_watched_as_well_and_then_good() -> None:
    device = Drive(want(service()), *IMAGES)
    device.settle()
    assert [g.release_hash for g in device.world.releases.good] == [
        device.wanted.apps[0].release_hash
    ]


def test_a_release_that_does_not_run_in_time_is_taken_back() -> None:
    device = on_the_way()
    device.change("web", state=ContainerState.RESTARTING, exit_code=1)
    later(device, 50)
    assert "reject web" not in device.said()
    later(device, 20)
    assert device.said() == {"reject web"}

    _settle(device)

    assert device.container("web").image == "web:1"
    assert verdict(device) == (Verdict.REJECTED, ReleasePhase.ROLLED_BACK)
    assert "was taken back" in device.plan().verdicts[APP].reason


def test_an_unhealthy_release_is_taken_back_though_it_runs() -> None:
    device = on_the_way()
    device.change("web", health="unhealthy")
    later(device, 61, up_s=60)
    assert device.said() == {"reject web"}


def test_what_a_container_of_another_release_wrote_is_no_answer() -> None:
    """The secrets it was made with may be known no more, so nothing of it may be shown."""
    device = Drive(want(service(), verify=VERIFY), *IMAGES)
    device.settle()
    device.release(want(service(image="web:2"), verify=VERIFY, version=2))
    device.until("stop web")
    later(device, 61)
    (reject,) = device.plan().steps
    assert (reject.kind, reject.target) == ("reject", "")

    device = on_the_way()
    device.change("web", health="unhealthy")
    later(device, 61, up_s=60)
    (reject,) = device.plan().steps
    assert (reject.kind, reject.target) == ("reject", device.container("web").id)


def test_a_one_shot_that_fails_is_known_to_be_bad_at_once() -> None:
    device = Drive(want(service(), verify=VERIFY), *IMAGES)
    device.settle()
    device.release(want(service(), service("job", "db:1", restart="no"), verify=VERIFY, version=2))
    device.until("start job")
    device.act()
    device.change("job", state=ContainerState.EXITED, exit_code=2)
    assert device.said() == {"reject job"}


def test_a_rejected_release_is_not_tried_again_until_somebody_says_so() -> None:
    device = on_the_way()
    device.change("web", state=ContainerState.EXITED, exit_code=1)
    later(device, 61)
    device.round()
    _settle(device)
    later(device, 10_000)
    assert device.plan().steps == ()

    known = device.world.releases
    device.world = replace(device.world, releases=replace(known, rejected=()))
    device.until("stop web")


def test_a_rejected_release_does_not_stand_in_the_way_of_another_one() -> None:
    device = on_the_way()
    device.change("web", state=ContainerState.EXITED, exit_code=1)
    later(device, 61)
    device.round()
    _settle(device)
    device.release(want(service(image="web:2", user="1"), verify=VERIFY, version=3))
    device.settle()
    assert verdict(device) == (Verdict.SETTLED, ReleasePhase.DONE)


def test_without_a_good_release_a_bad_one_is_tried_on_and_called_degraded() -> None:
    device = Drive(want(service(), verify=VERIFY), *IMAGES)
    device.until("start web")
    device.round()
    device.change("web", state=ContainerState.RESTARTING, exit_code=1)
    later(device, 61)
    assert verdict(device)[0] is Verdict.DEGRADED
    assert not any(word.startswith("reject") for word in device.said())
    device.change("web", state=ContainerState.RUNNING, exit_code=None, up_s=20)
    assert "commit" in device.said()


def test_on_failure_keep_does_not_go_back() -> None:
    device = Drive(want(service(), verify={**VERIFY, "on_failure": "keep"}), *IMAGES)
    device.settle()
    keep = {**VERIFY, "on_failure": "keep"}
    device.release(want(service(image="web:2"), verify=keep, version=2))
    device.until("start web")
    device.round()
    device.change("web", state=ContainerState.RESTARTING, exit_code=1)
    later(device, 61)
    assert verdict(device)[0] is Verdict.DEGRADED


def test_services_found_as_wanted_without_any_notes_are_good_after_a_while() -> None:
    device = Drive(want(service()), *IMAGES)
    device.settle()
    device.world = replace(device.world, releases=Releases(), locks=())
    device.done.clear()
    device.settle()
    assert device.words() == ["commit"]


def test_a_service_that_a_person_stopped_does_not_fail_a_release() -> None:
    from iotistic.planner.world import Intent, IntentKind

    device = on_the_way()
    spec = device.wanted.apps[0].services[0].spec_hash
    stop = Intent(kind=IntentKind.STOP, app_id=APP, service_id="web", purpose=spec)
    device.world = replace(device.world, intents=(stop,))
    device.until("commit")
    device.round()
    found = device.plan().verdicts[APP]
    assert found.verdict is Verdict.INTERRUPTED
    assert "a person stopped web" in found.reason


def test_an_unhealthy_service_of_a_good_release_is_degraded() -> None:
    device = Drive(want(service()), *IMAGES)
    device.settle()
    device.change("web", health="unhealthy")
    assert verdict(device)[0] is Verdict.DEGRADED
    device.change("web", health="starting")
    assert verdict(device)[0] is Verdict.APPLYING


def test_what_failed_is_the_reason_and_not_what_is_tried_next() -> None:
    from iotistic.planner.world import Attempt, StepKind

    device = Drive(want(service(), verify=VERIFY), *IMAGES)
    device.settle()
    device.release(want(service(image="web:2"), verify=VERIFY, version=2))
    device.until("start web")
    (start,) = [step for step in device.plan().steps if step.kind == "start"]
    later(device, 100)
    failure = Attempt(
        subject=start.subject, step=StepKind.START, count=4, purpose=start.purpose,
        not_before_s=device.world.now_s, message="port 8080 is taken by printer",
    )  # fmt: skip
    device.world = replace(device.world, attempts=(failure,))
    (reject,) = device.plan().steps
    assert "port 8080 is taken by printer" in reject.reason


def test_while_a_person_holds_what_others_wait_for_a_releases_time_does_not_run() -> None:
    from iotistic.planner.world import Intent, IntentKind

    services = (service("web", depends_on=["db"]), service("db", "db:1"))
    device = Drive(want(*services, verify=VERIFY), *IMAGES)
    device.settle()
    changed = (service("web", "web:2", depends_on=["db"]), service("db", "db:1", user="1"))
    device.release(want(*changed, verify=VERIFY, version=2))
    device.until("start db")
    db = device.wanted.apps[0].service("db")
    assert db is not None
    stop = Intent(kind=IntentKind.STOP, app_id=APP, service_id="db", purpose=db.spec_hash)
    device.world = replace(device.world, intents=(stop,))
    for _ in range(40):
        device.world = replace(device.world, now_s=device.world.now_s + 20)
        assert not any(word.startswith("reject") for word in device.said())
        device.round()

    device.world = replace(device.world, intents=())
    device.settle()

    assert device.container("web").image == "web:2"


def test_a_pull_that_goes_on_is_no_failure() -> None:
    device = on_the_way(strategy="kill-then-download")
    assert verdict(device)[1] is ReleasePhase.VERIFYING


def _settle(device: Drive) -> None:
    for _ in range(30):
        steps = device.round()
        if not steps:
            return
    raise AssertionError(device.said())
