"""The benchmarks: names that stay, all of them explained, and means that measure what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import converge, footprint, outbox, plan, process, traffic
from benchmarks.counting import counting
from benchmarks.outcome import Aim, Outcome
from iotistic.planner import plan as planner
from scripts.support.engine_http import EngineHttp
from tests.house.tree import ROOT

README = (ROOT / "benchmarks" / "README.md").read_text()
NAMES = {
    "footprint": footprint.NAMES,
    "converge": converge.NAMES,
    "plan": plan.NAMES,
    "outbox": outbox.NAMES,
    "traffic": traffic.NAMES,
}
# What readers of the last line rely on, spelled out once more so that no rename goes unnoticed.
PROMISED = {
    "footprint": {"idle_pss_mb", "ready_s", "threads"},
    "converge": {
        "noop_cpu_ms_50",
        "heal_s",
        "converge_1_vs_docker_run",
        "converge_10_vs_docker_run",
        "converge_50_vs_docker_run",
    },
    "plan": {
        "plan_500_ms",
        "compose_create_ratio",
        "compose_noop_ratio",
        "compose_change_one_ratio",
    },
    "outbox": {
        "append_vs_naive",
        "append_p99_ms",
        "append_cpu_us",
        "bytes_per_record",
        "drain_per_s",
    },
    "traffic": {"low_bandwidth_mb_month", "diff_vs_full"},
}


BUSY = """
import threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
memory = [0] * 4_000_000
while True: pass
"""


@pytest.mark.parametrize("bench", NAMES)
def test_every_name_is_explained_and_nothing_else_is(bench: str) -> None:
    section = README.split(f"\n## {bench}\n")[1].split("\n## ")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(NAMES[bench])


@pytest.mark.parametrize("bench", NAMES)
def test_the_names_that_others_read_stay(bench: str) -> None:
    assert PROMISED[bench] <= set(NAMES[bench])


def test_the_last_line_is_one_object_with_figures_and_ratios() -> None:
    outcome = Outcome("footprint", ("ready_s", "a_vs_b"))
    outcome.figure("ready_s", 0.81234)
    outcome.ratio("a_vs_b", 2.0)

    assert json.loads(outcome.line()) == {
        "bench": "footprint",
        "figures": {"ready_s": 0.812},
        "ratios": {"a_vs_b": 2.0},
    }


def test_the_table_says_which_aim_was_missed() -> None:
    outcome = Outcome("footprint", ("ready_s", "idle_pss_mb", "a_vs_b"))
    outcome.figure("ready_s", 0.5, Aim(at_most=1.0))
    outcome.figure("idle_pss_mb", 41.0, Aim(at_most=40.0))
    outcome.ratio("a_vs_b", 19.0, Aim(at_least=20.0, why="so much"))

    kept, missed, too_little = outcome.table().splitlines()[1:]

    assert kept.endswith("<= 1")
    assert missed.endswith("<= 40  MISSED")
    assert too_little.endswith(">= 20 (so much)  MISSED")


def test_a_benchmark_that_does_not_exist_is_a_usage_error() -> None:
    said = subprocess.run(
        [ROOT / "scripts" / "bench", "everything"], capture_output=True, text=True, check=False
    )

    assert said.returncode == 2
    assert "footprint, converge, plan" in said.stderr


def test_cpu_time_memory_and_threads_of_a_process_and_its_children_are_read() -> None:
    shell = subprocess.Popen(["sh", "-c", '"$0" -c "$1" & wait', sys.executable, BUSY])
    try:
        deadline_s = time.monotonic() + 30
        while len(family := process.family(shell.pid)) < 2 or process.cpu_ms(family[1]) < 100:
            assert time.monotonic() < deadline_s

        assert family[0] == shell.pid
        assert process.threads(family) == 3
        assert process.memory_mb(family) > 32
        assert process.memory_mb(family, "Rss") >= process.memory_mb(family)
    finally:
        for pid in reversed(process.family(shell.pid)):
            os.kill(pid, 9)
        shell.wait()


@pytest.mark.docker
def test_requests_to_the_engine_are_counted_on_their_way(docker_host: str, tmp_path: Path) -> None:
    with counting(tmp_path, docker_host) as between:
        http = EngineHttp(between.host)
        http.call("GET", "/containers/json")
        http.call("GET", "/containers/json", all="1")
        http.call("GET", "/networks")

    assert between.seen == {"GET containers/json": 2, "GET networks": 1}


@pytest.mark.parametrize(("situation", "steps"), [("settled", 0), ("new", 1), ("changed", 1)])
def test_planning_is_measured_in_the_situations_it_says(situation: str, steps: int) -> None:
    question = plan.questions(apps=2, services=3)[situation]

    decided = planner.plan(question.world, question.wanted)

    assert not decided.needs_resources
    assert decided.settled == (situation == "settled")
    assert len(decided.steps) == 2 * steps  # for each app: its release begins, or its lock is taken


@pytest.mark.long
def test_an_idle_device_stays_below_what_is_promised() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.traffic", "--hours", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout.splitlines()[-1])
    assert found["figures"]["low_bandwidth_mb_month"] <= 1.0
    assert found["ratios"]["diff_vs_full"] <= 0.02


@pytest.mark.system
def test_the_outbox_is_measured_beside_a_plain_loop() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.outbox", "--repeat", "1", "--seconds", "0.5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "strace" in said.stderr and os.environ.get("CI") != "true":
        pytest.skip("strace is not installed")

    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout.splitlines()[-1])
    assert PROMISED["outbox"] - found["ratios"].keys() <= found["figures"].keys()
    assert found["ratios"]["append_vs_naive"] > 10


@pytest.mark.docker
@pytest.mark.system
@pytest.mark.parametrize(
    ("bench", "options"),
    [
        ("footprint", ("--seconds", "1")),
        ("converge", ("--only", "heal", "--repeat", "1")),
        ("plan", ("--repeat", "1")),
    ],
)
def test_a_benchmark_measures_the_real_programs(
    docker_host: str, bench: str, options: tuple[str, ...]
) -> None:
    said = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{bench}", *options],
        cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": docker_host},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout.splitlines()[-1])
    assert found["bench"] == bench
    # An idle agent may well use no CPU in the second it is looked at.
    figures = {n: value for n, value in found["figures"].items() if n != "idle_cpu_percent"}
    assert figures
    assert all(value > 0 for value in figures.values())
