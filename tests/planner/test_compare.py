"""Whether a container is the one that is wanted: by label, by listing, by a close look."""

from __future__ import annotations

from dataclasses import replace

from iotistic.model.words import ContainerState
from iotistic.planner.world import CloseLook, Difference
from tests.planner.builders import service
from tests.planner.drive import Drive, want


def running() -> Drive:
    device = Drive(want(service()), "web:1")
    device.settle()
    device.done.clear()
    return device


def look(device: Drive, *differences: Difference, compared_with: str | None = None) -> None:
    device.world = replace(
        device.world,
        inspected={
            device.container("web").id: CloseLook(
                compared_with=compared_with or device.wanted.apps[0].services[0].spec_hash,
                differences=differences,
            )
        },
    )


DRIFT = Difference(field="mem_limit", wanted="64M", found="128M")


def test_a_container_that_somebody_changed_is_made_anew_and_the_field_is_named() -> None:
    device = running()
    look(device, DRIFT)
    device.until("stop web")
    (stop,) = [s for s in device.plan().steps if s.kind == "stop"]
    assert stop.reason == "mem_limit changed from outside"
    assert stop.differences == (DRIFT,)


def test_a_look_for_another_specification_says_nothing_about_this_one() -> None:
    device = running()
    look(device, DRIFT, compared_with="1:another")
    assert device.plan().steps == ()


def test_a_label_of_another_version_is_looked_at_closely_before_anything_is_done() -> None:
    device = running()
    device.change("web", spec_hash="2:beyond")
    decided = device.plan()
    assert decided.steps == ()
    assert decided.needs_inspection == {device.container("web").id}


def test_a_container_that_cannot_be_looked_at_holds_no_other_service_up() -> None:
    device = Drive(want(service(), service("db", "db:1")), "web:1", "db:1")
    device.settle()
    device.change("web", spec_hash="2:beyond")
    device.change("db", state=ContainerState.EXITED, exit_code=1)
    assert device.said() == {"wait step-in-flight web", "heal db"}
    assert device.plan().needs_inspection == {device.container("web").id}
    assert not device.plan().settled


def test_a_container_of_another_version_that_is_as_wanted_is_left_alone() -> None:
    device = running()
    device.change("web", spec_hash="2:beyond")
    look(device)
    assert device.plan().steps == ()
    assert device.plan().settled


def test_a_container_of_another_version_that_differs_is_made_anew() -> None:
    device = running()
    device.change("web", spec_hash="2:beyond")
    look(device, DRIFT)
    device.settle()
    assert "create-container web" in device.words()


def test_a_container_without_a_label_is_judged_by_a_close_look() -> None:
    device = running()
    device.change("web", spec_hash=None)
    assert device.plan().needs_inspection
    look(device)
    assert device.plan().settled


def test_a_renamed_app_gets_new_names_and_no_new_containers() -> None:
    device = running()
    web = device.container("web")
    device.change("web", name="shop-as-it-was")
    device.settle()
    assert device.words() == ["rename web"]
    assert device.container("web").id == web.id
    assert device.container("web").name == web.name
