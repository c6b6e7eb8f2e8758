"""What is remembered of one-shots, where a label says little."""

from __future__ import annotations

from dataclasses import replace

from iotistic.planner.wishes import completed
from iotistic.planner.world import CloseLook, Difference
from tests.planner.builders import service
from tests.planner.drive import Drive, want


def test_a_one_shot_of_another_version_of_the_agent_is_not_taken_for_the_one_wanted_now() -> None:
    """It would be remembered as done, removed because it differs, and its successor never run."""
    device = Drive(want(service("job", "job:1", restart="no")), "job:1")
    device.settle()
    device.done.clear()
    device.world = replace(device.world, completed=frozenset())
    device.change("job", spec_hash="2:beyond")
    assert completed(device.world, device.wanted) == frozenset()

    differs = Difference(field="command", wanted="new", found="old")
    spec_hash = device.wanted.apps[0].services[0].spec_hash
    look = CloseLook(compared_with=spec_hash, differences=(differs,))
    device.world = replace(device.world, inspected={device.container("job").id: look})
    device.settle()

    assert "start job" in device.words()
