"""The worked example of the page on the planner: its plans are those of the code.

After a change that is meant, look at the difference, then let `IOTISTIC_WRITE_STORIES=1` write the
page's plans anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from iotistic.model.release import ReleasePhase
from iotistic.model.words import Verdict, WaitReason
from iotistic.planner.step import Plan, Step, Wait
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import StepKind
from tests.house.tree import ROOT
from tests.planner.builders import service
from tests.planner.drive import APP, Drive, want

PAGE = ROOT / "docs" / "explanation" / "how-the-planner-decides.md"
PLAN = re.compile(r"(<!-- plan: ([a-z0-9, -]+) -->\n+```text\n)(.*?)(```\n)", re.DOTALL)


def test_the_plans_of_the_worked_example_are_those_of_the_code() -> None:
    plans = dict(_example())
    if os.environ.get("IOTISTIC_WRITE_STORIES") == "1":
        text = PLAN.sub(
            lambda found: f"{found[1]}{_joined(plans, found[2])}{found[4]}", PAGE.read_text()
        )
        PAGE.write_text(text)

    blocks = PLAN.findall(PAGE.read_text())

    assert [name for _, names, _, _ in blocks for name in names.split(", ")] == list(plans)
    for _, names, text, _ in blocks:
        assert text.splitlines() == _joined(plans, names).splitlines()


def _joined(plans: Mapping[str, str], names: str) -> str:
    return "\n".join(plans[name] for name in names.split(", "))


def test_every_verdict_phase_wait_and_step_is_told_of() -> None:
    page = PAGE.read_text()
    words = [*Verdict, *ReleasePhase, *WaitReason, *StepKind]

    assert [str(word) for word in words if f"`{word}`" not in page] == []


DATABASE = f"db@sha256:{'4' * 64}"


def _target(number: int, image: str) -> Wanted:
    return want(
        service("db", DATABASE, volumes=["data:/var/lib/db"]),
        service("web", image, depends_on=["db"], healthcheck={"test": "wget -q localhost"}),
        version=number,
        release={"id": f"r{number}"},
        verify={"timeout": "60s", "min_healthy_s": 10},
    )


def _example() -> Iterator[tuple[str, str]]:
    device = Drive(_target(1, "web:1.0"), DATABASE)
    yield from _round_by_round(device, "pull", "objects", "make", "start db", "start web")
    device.change("web", health="starting", up_s=1.0)
    yield "check", _shown(device)
    device.change("web", health="healthy", up_s=8.0)
    device.change("db", up_s=30.0)
    yield "settle time", _shown(device)
    device.change("web", up_s=10.0)
    yield from _round_by_round(device, "commit", "settled")

    device.release(_target(2, "web:2.0"))
    names = ("download", "lock", "watch", "stop", "remove", "make 2", "start 2")
    yield from _round_by_round(device, *names)
    device.change("web", health="unhealthy", up_s=55.0)
    yield "not well", _shown(device)
    (watch,) = device.world.releases.candidates
    device.world = replace(device.world, now_s=watch.deadline_s)
    yield from _round_by_round(device, "reject", "back", "back 2", "back 3", "back 4")
    device.change("web", health="healthy")
    yield from _round_by_round(device, "unlock", "rolled back")


def _round_by_round(device: Drive, *names: str) -> Iterator[tuple[str, str]]:
    for name in names:
        yield name, _shown(device)
        device.round()


def _shown(device: Drive) -> str:
    decided: Plan = device.plan()
    lines = [f"do    {step.kind} {_of(step)}: {step.reason}" for step in decided.steps]
    lines += [f"wait  {_of(wait)}: {wait.message} ({wait.reason})" for wait in decided.waits]
    verdict = decided.verdicts[APP]
    told = f"{verdict.verdict}, {verdict.phase}"
    lines.append(f"shop  {told}" + (f": {verdict.reason}" if verdict.reason else ""))
    return "".join(f"{line}\n" for line in lines)


def _of(one: Step | Wait) -> str:
    return one.service_name or one.subject.name or "shop"
