"""What somebody should know though nothing has stopped working."""

from __future__ import annotations

from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.rows import Facts
from iotistic.agent.api.views import Json, error_json
from iotistic.agent.provisioning.status import machine_changed
from iotistic.model.errors import IotisticError

TARGET_WARNINGS_MAX = 20
CONFIG_KEYS_MAX = 5


def warnings_of(rooms: Rooms, facts: Facts) -> list[Json]:
    """All of them, the most urgent first."""
    found = [*rooms.storage(), *rooms.link(), *rooms.listening.problems.values()]
    if facts.snapshot.look_error is not None:
        found.insert(0, facts.snapshot.look_error)
    if (clock := rooms.wall_clock.problem) is not None:
        found.append(clock)
    if rooms.provisioning.status().resetting:
        found.append(
            IotisticError(
                "a factory reset is under way: nothing is started, and the agent starts anew",
                code="resetting",
            )
        )
    if not rooms.provisioning.machine_matches:
        found.append(machine_changed())
    if troubles := rooms.config.judgement().troubles:
        keys = ", ".join(outcome.path for outcome in troubles[:CONFIG_KEYS_MAX])
        more = ", …" if len(troubles) > CONFIG_KEYS_MAX else ""
        found.append(
            IotisticError(
                f"of the target's config {len(troubles)} not in force: {keys}{more}",
                code="config-not-in-force",
                remedy="see why: iotctl config show",
            )
        )
    if facts.snapshot.target is not None:
        found.extend(
            IotisticError(text, code="target-field-ignored")
            for text in facts.snapshot.target.warnings[:TARGET_WARNINGS_MAX]
        )
    return [shown for error in found if (shown := error_json(error)) is not None]
