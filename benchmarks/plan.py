"""How long deciding takes, and the agent beside a compose implementation, with the same file."""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import beside_compose
from benchmarks.outcome import Aim, Outcome, progress, run
from iotistic.model.image import parse_image
from iotistic.model.observation import Image, Resources
from iotistic.model.target import parse_target
from iotistic.planner.foresight import after, time_passes
from iotistic.planner.plan import plan
from iotistic.planner.policy import Policy
from iotistic.planner.wanted import Wanted, work_out
from iotistic.planner.world import World

# The number of apps, and of services in each.
SIZES: Mapping[str, tuple[int, int]] = {
    "1": (1, 1),
    "50": (1, 50),
    "500": (1, 500),
    "50_apps": (50, 10),
}
NAMES = (
    *(name for size in SIZES for name in (f"plan_{size}_ms", f"plan_{size}_worst_ms")),
    *beside_compose.NAMES,
)
PARTS = ("planning", "compose")
_REPEATS = {"1": 2000, "50": 200, "500": 50, "50_apps": 50}
_AIMS = {"500": Aim(at_most=50.0)}
_GROUP = 10
_VARIABLES = 10
_ROUNDS_MAX = 60
_UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"
_KEY = bytes(range(32))


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench plan", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="only this part; planning takes no engine")
    parser.add_argument(
        "--repeat", type=int, metavar="N", help="how often, beside compose as in planning"
    )
    return run(Outcome("plan", NAMES), parser, bench)


def bench(options: argparse.Namespace, outcome: Outcome) -> None:
    """Measure planning in this process, then the programs on a real engine."""
    parts = (options.only,) if options.only else PARTS
    if "planning" in parts:
        for size, (apps, services) in SIZES.items():
            _planning(size, apps, services, options.repeat or _REPEATS[size], outcome)
    if "compose" in parts:
        beside_compose.bench(options.repeat, outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the planner is asked."""

    world: World
    wanted: Wanted

    def ask(self) -> None:
        """Have it decide once."""
        plan(self.world, self.wanted, _POLICY)


_POLICY = Policy()


def _planning(size: str, apps: int, services: int, repeats: int, outcome: Outcome) -> None:
    medians_ms: dict[str, float] = {}
    worst_ms = 0.0
    for situation, question in questions(apps, services).items():
        spans_ms = _spans_ms(question.ask, repeats)
        medians_ms[situation] = statistics.median(spans_ms)
        worst_ms = max(worst_ms, *spans_ms)
    outcome.figure(f"plan_{size}_ms", max(medians_ms.values()), _AIMS.get(size))
    outcome.figure(f"plan_{size}_worst_ms", worst_ms)
    told = ", ".join(f"{situation} {span:.2f} ms" for situation, span in medians_ms.items())
    progress(f"{size.replace('_', ' ')}: {told}")
    outcome.note(f"{size.replace('_', ' ')}: {told}")


def _spans_ms(ask: Callable[[], None], repeats: int) -> list[float]:
    """The CPU time of each; what the machine does meanwhile for others is not planning."""
    ask()
    spans_ms = []
    gc.collect()
    for _ in range(repeats):
        began_ns = time.thread_time_ns()
        ask()
        spans_ms.append((time.thread_time_ns() - began_ns) / 1e6)
    return spans_ms


def questions(apps: int, services: int) -> dict[str, Question]:
    """`settled`, all `new`, all `changed`, of `apps` apps with `services` services each."""
    wanted = _target(apps, services, "first")
    empty = World(now_s=1000.0, resources=Resources(images=_images(wanted)))
    settled = _settled(empty, wanted)
    # As in a round that begins: what was looked at before is known, and was not looked at now.
    known = replace(settled.world, resources_fresh=False)
    changed = _target(apps, services, "second")
    return {
        "settled": replace(settled, world=known),
        "new": Question(world=empty, wanted=wanted),
        "changed": Question(
            world=settled.world, wanted=replace(changed, good=dict(settled.wanted.good))
        ),
    }


def _settled(world: World, wanted: Wanted) -> Question:
    """What is when all that is planned has been done, and well."""
    for _ in range(_ROUNDS_MAX):
        decided = plan(world, wanted, _POLICY)
        if decided.settled and not decided.steps:
            return Question(world=world, wanted=wanted)
        for step in decided.steps:
            world = after(world, step)
        world, wanted, _ = time_passes(world, wanted, decided)
    raise AssertionError(f"not settled after {_ROUNDS_MAX} rounds")


def _target(apps: int, services: int, message: str) -> Wanted:
    document = {
        "apps": {
            str(number): {
                "appId": number,
                "appName": f"app{number}",
                "services": [_service(n, message) for n in range(services)],
            }
            for number in range(1, apps + 1)
        },
        "version": 1,
    }
    return work_out(parse_target(document), uuid=_UUID, hash_key=_KEY, policy=_POLICY)


def _service(number: int, message: str) -> dict[str, Any]:
    """Of ten services one is what the other nine depend on."""
    first = number // _GROUP * _GROUP
    return {
        "serviceId": str(number),
        "serviceName": f"s{number}",
        "imageName": f"shop/part{number % _GROUP}:1.2",
        "config": {
            "environment": {f"VARIABLE_{n}": f"{message} {n}" for n in range(_VARIABLES)},
            "restart": "unless-stopped",
            "volumes": [f"data{first}:/data"],
            **({} if number == first else {"depends_on": [f"s{first}"]}),
        },
    }


def _images(wanted: Wanted) -> tuple[Image, ...]:
    references = {s.image for app in wanted.apps for s in app.services}
    return tuple(
        Image(id=f"sha256:{n:064x}", references=(parse_image(reference, at="").canonical,))
        for n, reference in enumerate(sorted(references))
    )


if __name__ == "__main__":
    sys.exit(main())
