"""Networks that change, volumes that differ, and what belongs to others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.planner.builders import service
from tests.planner.drive import APP, Drive, want

IMAGES = ("web:1", "db:1", "job:1")


def networked(**networks: Any) -> Drive:
    """Two services in `front`, one in the default network; all run."""
    device = Drive(state(networks), *IMAGES)
    device.settle()
    device.done.clear()
    return device


def state(networks: Any, version: int = 1) -> Any:
    return want(
        service("web", networks=["front"]),
        service("job", "job:1", networks=["front"], restart="no"),
        service("db", "db:1"),
        networks=networks,
        version=version,
    )


def test_a_network_whose_description_changed_is_made_anew_with_what_is_in_it() -> None:
    device = networked(front={})
    db = device.container("db").id

    device.release(state({"front": {"internal": True}}, version=2))
    device.settle()

    words = device.words()
    assert words.index("remove-network front") < words.index("create-network front")
    assert words.index("stop web") < words.index("remove-network front")
    assert words.index("create-network front") < words.index("create-container web")
    assert device.container("db").id == db
    assert device.world.resources is not None
    (front,) = [n for n in device.world.resources.networks if n.short_name == "front"]
    assert front.spec_hash == device.wanted.apps[0].networks[1].spec_hash


def test_a_stopped_service_does_not_keep_a_network_from_being_made_anew() -> None:
    def two(front: Any, version: int = 1) -> Any:
        stopped = "running" if version == 1 else "stopped"
        return want(
            service("web", networks=["front"]),
            service("db", "db:1", state=stopped, networks=["front"]),
            networks={"front": front},
            version=version,
        )

    device = Drive(two({}), *IMAGES)
    device.settle()
    device.release(two({"internal": True}, version=2))
    device.settle()
    assert device.running() == {"web"}
    words = device.words()
    assert words.index("remove db") < words.index("remove-network front")
    assert words.count("create-network front") == 2


def test_a_one_shot_that_is_done_does_not_run_again_for_a_network() -> None:
    device = networked(front={})
    device.release(state({"front": {"internal": True}}, version=2))
    device.settle()
    assert "create-container job" not in device.words()


def test_a_network_of_an_older_agent_without_a_label_is_as_wanted() -> None:
    device = networked(front={})
    _relabel(device, None)
    assert device.plan().steps == ()


def test_a_network_that_another_version_of_the_agent_made_is_left_alone() -> None:
    device = networked(front={})
    _relabel(device, "99:whatever")
    assert device.plan().steps == ()


def test_a_volume_that_differs_is_told_of_and_kept() -> None:
    def with_volume(options: Any, version: int = 1) -> Any:
        return want(
            service(volumes=["data:/data"]),
            volumes={"data": {"driver_opts": options}},
            version=version,
        )

    device = Drive(with_volume({}), *IMAGES)
    device.settle()
    device.done.clear()
    device.release(with_volume({"size": "1g"}, version=2))
    device.settle()
    assert not [step for step in device.done if step.kind.endswith("volume")]
    (warning,) = device.plan().verdicts[APP].warnings
    assert "volume data" in warning


def test_an_external_network_is_waited_for_and_never_made() -> None:
    device = Drive(
        want(service(networks=["lan"]), networks={"lan": {"external": True, "name": "plant"}}),
        *IMAGES,
    )
    assert device.said() == {"wait external-missing web"}
    assert device.world.resources is not None
    device.world = replace(
        device.world,
        resources=replace(device.world.resources, other_networks=frozenset({"plant"})),
    )
    device.settle()
    assert device.container("web").networks == ("plant",)
    assert not [step for step in device.done if step.kind.endswith("network")]


def _relabel(device: Drive, label: str | None) -> None:
    assert device.world.resources is not None
    networks = tuple(replace(n, spec_hash=label) for n in device.world.resources.networks)
    seen = replace(device.world.resources, networks=networks)
    device.world = replace(device.world, resources=seen)
