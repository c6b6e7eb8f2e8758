"""Locks: who holds a change off, and when ours are taken and let go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotistic.model.words import ContainerState, Verdict
from iotistic.planner.world import Intent, IntentKind, Lock, LockOwner
from tests.planner.builders import service
from tests.planner.drive import APP, Drive, want

IMAGES = ("web:1", "web:2", "db:1")


def updating(held: Lock | None = None, **app: Any) -> Drive:
    """web:1 runs, web:2 is to come, its image is here."""
    device = Drive(want(service(), service("db", "db:1"), **app), *IMAGES)
    device.settle()
    device.done.clear()
    locks = (held,) if held else ()
    device.world = replace(device.world, locks=locks)
    device.release(want(service(image="web:2"), service("db", "db:1"), version=2, **app))
    return device


def lock(owner: LockOwner = LockOwner.PERSON, until_s: float | None = None) -> Lock:
    return Lock(app_id=APP, owner=owner, holder="jo", reason="calibrating", until_s=until_s)


@pytest.mark.parametrize("owner", [LockOwner.PERSON, LockOwner.SERVICE])
def test_somebody_elses_lock_holds_an_update_off_and_is_named(owner: LockOwner) -> None:
    device = updating(lock(owner))
    assert device.said() == {"wait locked web"}
    verdict = device.plan().verdicts[APP]
    assert verdict.verdict is Verdict.WAITING
    assert "jo" in verdict.reason
    assert "calibrating" in verdict.reason


def test_a_lock_does_not_hold_a_download_off() -> None:
    device = Drive(want(service()), "web:1")
    device.settle()
    device.world = replace(device.world, locks=(lock(),))
    device.release(want(service(image="web:2"), version=2))
    assert device.said() == {"pull web"}


def test_a_lock_that_has_run_out_is_none() -> None:
    device = updating(lock(until_s=1.0))
    assert "take-locks" in device.said()


def test_the_wait_for_a_lock_ends_when_the_lock_does() -> None:
    device = updating(lock(until_s=9e6))
    assert device.plan().ask_again_s == 9e6


def test_force_in_the_target_goes_over_a_lock() -> None:
    device = updating(lock(), lock="force")
    device.settle()
    assert device.container("web").image == "web:2"


def test_a_new_service_does_not_start_in_spite_of_a_lock() -> None:
    device = Drive(want(service()), *IMAGES)
    device.settle()
    device.world = replace(device.world, locks=(lock(),))
    device.release(want(service(), service("db", "db:1"), version=2))
    for _ in range(5):
        device.round()
    assert device.running() == {"web"}


def test_what_runs_is_kept_alive_under_a_lock() -> None:
    device = updating(lock())
    device.change("db", state=ContainerState.EXITED, exit_code=1)
    for _ in range(5):
        device.round()
    assert device.running() == {"web", "db"}
    assert device.container("web").image == "web:1"


def test_a_persons_stop_and_restart_need_no_lock() -> None:
    device = Drive(want(service()), *IMAGES)
    device.settle()
    device.world = replace(device.world, locks=(lock(),))
    spec = device.wanted.apps[0].services[0].spec_hash
    stop = Intent(kind=IntentKind.STOP, app_id=APP, service_id="web", purpose=spec)
    device.world = replace(device.world, intents=(stop,))
    assert device.said() == {"stop web"}
    again = Intent(
        kind=IntentKind.RESTART, app_id=APP, service_id="web",
        container_id=device.container("web").id,
    )  # fmt: skip
    device.world = replace(device.world, intents=(again,))
    assert device.said() == {"restart web"}


def test_our_lock_is_taken_before_the_first_stop_and_let_go_when_the_release_is_good() -> None:
    device = updating()
    device.settle()
    words = device.words()
    assert words.index("take-locks") < words.index("verify") < words.index("stop web")
    assert words.index("commit") < words.index("release-locks")
    assert device.world.locks == ()


def test_nothing_is_locked_when_nothing_has_to_stop() -> None:
    device = Drive(want(service()), *IMAGES)
    device.settle()
    assert "take-locks" not in device.words()


def test_our_lock_is_let_go_after_a_failure_too() -> None:
    device = updating(verify={"timeout": "60s", "min_healthy_s": 10})
    device.until("start web")
    device.round()
    device.change("web", state=ContainerState.EXITED, exit_code=1)
    device.world = replace(device.world, now_s=device.world.now_s + 61)
    for _ in range(12):
        device.round()
    assert device.world.locks == ()
    assert device.container("web").image == "web:1"


def test_a_lock_of_ours_that_a_crash_left_is_ours_again() -> None:
    device = updating(Lock(app_id=APP, owner=LockOwner.AGENT))
    assert "verify" in device.said()
    device.settle()
    assert device.world.locks == ()


def test_an_app_that_has_to_go_waits_for_its_lock() -> None:
    device = updating(lock())
    from iotistic.planner.wanted import Wanted

    device.wanted = Wanted(may_remove=True)
    assert device.said() == {"wait locked web", "wait locked db"}
    device.world = replace(device.world, locks=())
    for _ in range(6):
        device.round()
    assert device.world.containers == ()
    assert device.world.locks == ()
