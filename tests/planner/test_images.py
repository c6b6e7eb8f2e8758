"""Which images go, which stay, and when nothing is pulled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iotistic.model.observation import Image
from iotistic.model.target import parse_target
from iotistic.model.words import ContainerState
from iotistic.planner.policy import Policy
from iotistic.planner.step import Step
from iotistic.planner.world import Host
from tests.planner.builders import service, wanted
from tests.planner.drive import Drive, image, pulled, want

GIB = 1024**3
MIB = 1024**2


def holding(*names: str, mine: tuple[str, ...], free: int = 10 * GIB) -> Drive:
    """web:1 runs and is good; these images of 400 MiB each are here, some of them pulled by us."""
    device = Drive(want(service()), "web:1")
    device.settle()
    assert device.world.resources is not None
    kept = (replace(i, size_bytes=400 * MIB) for i in device.world.resources.images)
    images = (*kept, *(image(name, 400 * MIB) for name in names))
    device.world = replace(
        device.world,
        resources=replace(device.world.resources, images=images),
        pulled=tuple(pulled(name, at_ms=n) for n, name in enumerate(mine)),
        host=Host(disk_free_bytes=free),
    )
    return device


def removed(device: Drive) -> list[str]:
    return [step.target for step in device.plan().steps if step.kind == "remove-image"]


def test_unneeded_images_stay_within_their_budget() -> None:
    assert removed(holding("a:1", "b:1", mine=("a:1", "b:1"))) == []


def test_beyond_the_budget_the_longest_unneeded_goes() -> None:
    device = holding("c:1", "a:1", "b:1", mine=("b:1", "c:1", "a:1"))
    assert removed(device) == ["sha256:b:1"]


def test_only_images_that_this_agent_pulled_go() -> None:
    device = holding("a:1", "b:1", "c:1", mine=("c:1",))
    device.policy = Policy(image_budget_bytes=0)
    assert removed(device) == ["sha256:c:1"]


def test_when_the_disk_is_short_unneeded_images_go_although_within_budget() -> None:
    device = holding("a:1", "b:1", mine=("a:1", "b:1"), free=100 * MIB)
    assert removed(device) == ["sha256:a:1"]
    assert "disk is short" in device.plan().steps[0].reason


def test_images_of_the_target_of_containers_and_of_the_good_release_stay() -> None:
    device = holding("web:2", mine=("web:1", "web:2"))
    device.policy = Policy(image_budget_bytes=0)
    device.release(want(service(image="web:2"), version=2))
    assert removed(device) == []
    device.settle()
    assert [s.target for s in device.done if s.kind == "remove-image"] == ["sha256:web:1"]


def test_an_image_that_some_other_container_is_made_of_stays() -> None:
    device = holding("a:1", mine=("a:1",))
    device.policy = Policy(image_budget_bytes=0)
    assert device.world.resources is not None
    device.world = replace(
        device.world,
        resources=replace(device.world.resources, images_in_use=frozenset({"sha256:a:1"})),
    )
    assert removed(device) == []


def test_while_an_image_is_pulled_others_of_its_repository_stay() -> None:
    device = holding("a:1", mine=("a:1",))
    device.policy = Policy(image_budget_bytes=0)
    device.world = replace(device.world, pulling={"docker.io/library/a:2": 0.5})
    assert removed(device) == []


def test_with_too_little_disk_nothing_is_pulled_and_what_runs_goes_on() -> None:
    device = holding(mine=(), free=10 * MIB)
    device.release(want(service(image="web:2"), version=2))
    assert device.said() == {"wait disk-low web"}
    (wait,) = device.plan().waits
    assert "10 MiB of disk are free, 256 are kept free" in wait.message
    assert wait.until_s is not None


def test_with_too_little_memory_nothing_is_pulled() -> None:
    device = holding(mine=())
    device.world = replace(device.world, host=Host(memory_free_bytes=MIB))
    device.release(want(service(image="web:2"), version=2))
    assert device.said() == {"wait memory-low web"}


def test_a_pull_says_for_which_release_it_is() -> None:
    device = Drive(want(service()))
    step: Step = device.plan().steps[0]
    assert step.release_hash == device.wanted.apps[0].release_hash


def test_a_tag_that_somebody_else_moved_makes_no_container_anew_for_ever() -> None:
    """A container made anew would have the same other image, again and again."""
    device = Drive(want(service(), service("db", "web:1"), release={"id": "r1"}), "web:1")
    device.settle()
    release = device.wanted.apps[0].release_hash
    device.world = replace(device.world, pulled=(pulled("web:1", release_hash=release),))
    assert device.world.resources is not None
    moved = Image(id="sha256:moved", references=image("web:1").references)
    device.world = replace(device.world, resources=replace(device.world.resources, images=(moved,)))
    device.change("db", state=ContainerState.EXITED, exit_code=1)
    device.done.clear()

    device.settle()

    assert device.words() == ["heal db", "create-container db", "start db"]
    assert device.container("db").image_id == "sha256:moved"


def moved_by_its_own_release() -> Drive:
    """web:1 was pulled for r1, which is good, and again for r2, when it was another image."""
    device = Drive(want(service(), release={"id": "r1"}), "web:1")
    device.settle()
    pins = (pulled("web:1", release_hash=device.wanted.apps[0].release_hash),)
    device.release(want(service(), release={"id": "r2"}, version=2))
    assert device.said() == {"pull web"}
    assert device.world.resources is not None
    (old,) = device.world.resources.images
    held = replace(old, references=(), size_bytes=400 * MIB)
    images = (held, Image(id="sha256:new", references=old.references))
    release = device.wanted.apps[0].release_hash
    device.world = replace(
        device.world,
        resources=replace(device.world.resources, images=images),
        pulled=(*pins, replace(pins[0], image_id="sha256:new", release_hash=release)),
    )
    device.until("start web")
    device.act()
    assert device.container("web").image_id == "sha256:new"
    return device


def test_the_way_back_leads_to_the_image_that_the_tag_was_then() -> None:
    device = moved_by_its_own_release()
    device.change("web", health="unhealthy")
    device.world = replace(device.world, now_s=device.world.now_s + 400)
    device.until("reject web")
    device.until("start web")
    device.act()
    assert device.container("web").image_id == "sha256:web:1"
    device.until("release-locks")
    device.act()
    assert device.said() == set()


def test_the_image_that_the_good_release_was_made_of_stays_without_its_tag() -> None:
    device = moved_by_its_own_release()
    device.policy = Policy(image_budget_bytes=0)
    assert removed(device) == []
    device.settle()
    assert [s.target for s in device.done if s.kind == "remove-image"] == ["sha256:web:1"]


def test_a_pull_is_for_the_platform_that_the_service_names() -> None:
    device = Drive(want(service(platform="linux/arm64")))
    assert [step.platform for step in device.plan().steps] == ["linux/arm64"]


def test_room_is_not_made_of_what_another_app_needs() -> None:
    def app(app_id: int, name: str) -> dict[str, Any]:
        service_of_it = service(image=name, restart="no")
        strategy = "delete-then-download"
        return {
            "appId": app_id, "appName": "a", "services": [service_of_it], "strategy": strategy,
        }  # fmt: skip

    target = parse_target({"apps": [app(1, "web:1"), app(2, "web:2")], "version": 1})
    device = Drive(wanted(target), "web:1")
    device.world = replace(device.world, pulled=(pulled("web:1"),))
    assert {step.kind for step in device.plan().steps} & {"remove-image"} == set()
