"""What is known of a device, made up for views."""

from __future__ import annotations

from typing import Any

from iotistic.agent.api.rows import Facts
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.model.observation import Container
from iotistic.planner.foresight import after
from iotistic.planner.plan import plan
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import GoodRelease, Releases
from tests.planner.builders import resources, service, target, world

NOW_S = 1000.0
WALL_MS = 1_760_000_000_000


def facts(want: Wanted, *containers: Container, **more: Any) -> Facts:
    """What is known after a look that found these containers; the target's releases are good."""
    seen = world(
        *containers,
        has=resources(want, images=more.pop("images", ("web:1",))),
        now_s=NOW_S,
        **{"releases": good(want)}
        | {
            name: more[name]
            for name in ("attempts", "intents", "locks", "releases")
            if name in more
        },
    )
    decided = plan(seen, want)
    while notes := [step for step in decided.steps if step.kind.is_journal]:
        for step in notes:
            seen = after(seen, step)
        decided = plan(seen, want)
    fields = {
        "containers": containers,
        "plan": decided,
        "locks": seen.locks,
        "releases": seen.releases,
        "rounds": 1,
        **more,
    }
    return Facts(
        snapshot=Snapshot(target=target(service()), **fields),
        wanted=want,
        now_s=NOW_S,
        wall_ms=WALL_MS,
    )


def good(want: Wanted) -> Releases:
    """The releases of a target that has been well."""
    return Releases(
        good=tuple(
            GoodRelease(app_id=app.app_id, release_hash=app.release_hash, release=app.release)
            for app in want.apps
        )
    )
