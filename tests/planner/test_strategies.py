"""In which order the new replaces the old."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotistic.model.words import Verdict
from iotistic.planner.world import CloseLook, Difference
from tests.planner.builders import service
from tests.planner.drive import APP, Drive, pulled, want

ENGINE_STEPS = ("pull", "stop", "remove", "create-container", "start", "remove-image", "rename")


def updated(strategy: Any, **config: Any) -> Drive:
    """One service at web:1, with web:2 to come."""
    device = Drive(want(service(image="web:1"), strategy=strategy))
    device.settle()
    device.done.clear()
    device.release(want(service(image="web:2", **config), strategy=strategy, version=2))
    return device


def order(device: Drive) -> list[str]:
    """The engine's steps so far."""
    return [word for word in device.words() if word.split()[0] in ENGINE_STEPS]


def test_download_then_kill_stops_the_old_when_the_new_image_is_here() -> None:
    device = updated("download-then-kill")
    device.settle()
    assert order(device) == [
        "pull web", "stop web", "remove web", "create-container web", "start web",
    ]  # fmt: skip


def test_what_is_not_in_the_new_release_runs_on_until_its_images_are_here() -> None:
    device = Drive(want(service(image="web:1")), "web:1")
    device.settle()
    device.release(want(service("site", "web:2"), version=2))
    for _ in range(3):
        device.round(but=lambda step: step.kind == "pull")
    assert "wait images-of-app-missing web" in device.said()
    assert device.running() == {"web"}
    device.settle()
    assert device.running() == {"site"}


def test_kill_then_download_stops_the_old_before_the_download() -> None:
    device = updated("kill-then-download")
    device.settle()
    assert order(device) == [
        "stop web", "remove web", "pull web", "create-container web", "start web",
    ]  # fmt: skip


def test_delete_then_download_removes_the_old_image_first() -> None:
    device = updated("delete-then-download")
    device.settle()
    assert order(device)[:4] == [
        "stop web", "remove web", "remove-image docker.io/library/web:1", "pull web",
    ] or order(device)[2].startswith("remove-image")  # fmt: skip
    kinds = [str(step.kind) for step in device.done]
    assert kinds.index("remove-image") < kinds.index("pull")


def test_delete_then_download_goes_on_when_the_old_image_cannot_be_removed() -> None:
    device = updated("delete-then-download")
    assert device.world.resources is not None
    in_use = frozenset(image.id for image in device.world.resources.images)
    device.world = replace(
        device.world, resources=replace(device.world.resources, images_in_use=in_use)
    )
    device.settle()
    assert "pull web" in order(device)


def test_hand_over_runs_the_new_beside_the_old_until_its_word() -> None:
    device = updated({"kind": "hand-over", "handover_timeout": "20h"})
    device.until("wait handover web")
    assert len(device.world.containers) == 2
    assert device.running() == {"web"}

    new = device.container("web")
    assert new.name.endswith(".next")
    device.world = replace(device.world, handed_over=frozenset({new.id}))
    device.settle()

    assert order(device) == [
        "pull web", "create-container web", "start web", "stop web", "remove web", "rename web",
    ]  # fmt: skip
    assert [c.id for c in device.world.containers] == [new.id]
    assert not device.container("web").name.endswith(".next")


def test_hand_over_takes_over_without_a_word_after_its_time() -> None:
    device = updated({"kind": "hand-over", "handover_timeout": "30s"})
    device.settle()
    assert order(device)[-3:] == ["stop web", "remove web", "rename web"]


def test_hand_over_never_lets_the_old_go_while_the_new_does_not_run() -> None:
    device = updated({"kind": "hand-over", "handover_timeout": "30s"})
    device.until("start web")
    old = next(c for c in device.world.containers if c.state == "running")
    for _ in range(4):
        device.round(but=lambda step: step.kind == "start")
    assert next(c for c in device.world.containers if c.id == old.id).state == "running"


def test_hand_over_ends_for_a_container_that_somebody_changed() -> None:
    """Its successor is of the same specification: beside each other nothing tells them apart."""
    device = Drive(want(service(), strategy="hand-over"), "web:1")
    device.settle()
    web = device.container("web")
    look = CloseLook(
        compared_with=device.wanted.apps[0].services[0].spec_hash,
        differences=(Difference(field="user", wanted="1", found="2"),),
    )
    device.world = replace(device.world, inspected={web.id: look})
    device.done.clear()

    device.settle()

    assert order(device) == ["stop web", "remove web", "create-container web", "start web"]


def test_hand_over_to_another_image_of_the_same_tag_runs_both_side_by_side() -> None:
    release: dict[str, Any] = {"strategy": "hand-over", "release": {"id": "r1"}}
    device = Drive(want(service(image="web:latest"), **release), "web:latest")
    device.settle()
    device.done.clear()
    release["release"] = {"id": "r2"}
    device.release(want(service(image="web:latest"), version=2, **release))
    device.settle()
    assert order(device) == [
        "pull web", "create-container web", "start web", "stop web", "remove web", "rename web",
    ]  # fmt: skip


def test_a_service_that_is_to_stop_in_the_middle_of_a_hand_over_stops_wholly() -> None:
    device = updated({"kind": "hand-over", "handover_timeout": "20h"})
    device.until("wait handover web")
    stopped = service(image="web:2", state="stopped")
    device.release(want(stopped, strategy="hand-over", version=3))
    device.settle()
    assert device.running() == set()


@pytest.mark.parametrize("how", [{"restart": "no"}, {"state": "paused"}])
def test_hand_over_to_what_does_not_stay_running_ends_too(how: dict[str, Any]) -> None:
    device = updated("hand-over", **how)
    device.settle()
    assert len(device.world.containers) == 1


def test_hand_over_does_not_wait_for_a_network_that_the_old_one_holds() -> None:
    device = Drive(want(service(networks=["front"]), strategy="hand-over"), "web:1")
    device.settle()
    changed = {"front": {"internal": True}}
    device.release(
        want(
            service(networks=["front"], user="1"), strategy="hand-over", networks=changed, version=2
        )
    )
    device.settle()
    assert device.running() == {"web"}


def test_services_that_need_the_same_port_do_not_run_side_by_side() -> None:
    device = updated("hand-over", ports=["8080:80"])
    device.settle()
    assert order(device) == [
        "pull web", "stop web", "remove web", "create-container web", "start web",
    ]  # fmt: skip


def test_a_kill_first_service_does_not_hold_up_another_one_of_the_app() -> None:
    strategy = "kill-then-download"
    device = Drive(want(service(image="web:1"), service("db", "db:1"), strategy=strategy))
    device.settle()
    device.release(
        want(service(image="web:2"), service("db", "db:1"), strategy=strategy, version=2)
    )
    device.until("pull web")
    assert "db" in device.running()
    device.settle()
    assert "stop db" not in device.words()[8:]


def test_an_image_that_cannot_be_had_leaves_the_old_running() -> None:
    device = updated("download-then-kill")
    for _ in range(5):
        device.round(but=lambda step: step.kind == "pull")
    assert device.running() == {"web"}
    assert device.plan().verdicts[APP].verdict is Verdict.APPLYING


def test_pull_policy_never_waits_for_the_image_to_be_brought() -> None:
    device = Drive(want(service(image="web:1", pull_policy="never")))
    assert device.said() == {"wait image-not-allowed web"}


def test_a_moved_tag_is_another_image_only_for_a_new_release() -> None:
    first = want(service(image="web:latest"), release={"id": "r1"})
    device = Drive(first, "web:latest")
    device.settle()
    assert "pull web" not in device.words()

    device.release(want(service(image="web:latest"), release={"id": "r2"}, version=2))
    device.settle()

    assert order(device)[2:] == [
        "pull web", "stop web", "remove web", "create-container web", "start web",
    ]  # fmt: skip
    assert pulled("web:latest").reference in {p.reference for p in device.world.pulled}
