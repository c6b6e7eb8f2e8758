"""Seeing and leaving safe mode, and what failed inside of the agent."""

from __future__ import annotations

from typing import Any

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script

GONE = {"status": "leaving", "pid": 4711, "startedAt": 1}


def safe(**changes: Any) -> dict[str, Any]:
    return {
        "active": True,
        "crashes": 3,
        "because": "Segmentation fault",
        "triesAgainInMs": 240_000,
        **changes,
    }


def test_why_it_is_in_safe_mode_and_for_how_long(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/status", answers.status(safeMode=safe()))
    said = iotctl("safe-mode", "show")
    assert said.code == 7
    assert said.out.splitlines() == [
        "in safe mode after 3 fast crashes: Segmentation fault",
        "applies again by itself in 4 min",
        "next: correct the target, or iotctl safe-mode leave",
    ]


def test_an_agent_that_is_well_is_not_in_it(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/status", answers.status(safeMode=safe(active=False)))
    said = iotctl("safe-mode", "show")
    assert (said.code, said.out) == (0, "not in safe mode\n")


def test_an_agent_that_knows_no_safe_mode_is_told_from_one_that_is_well(
    iotctl: Iotctl, agent: Script
) -> None:
    agent.on("GET", "/v1/status", answers.status())
    assert iotctl("safe-mode", "show").code == 1


def test_leaving_waits_for_the_next_life(iotctl: Iotctl, agent: Script) -> None:
    agent.on("POST", "/v1/safe-mode/leave", GONE)
    agent.on("GET", "/v1/status", answers.status())
    said = iotctl("safe-mode", "leave")
    assert (said.code, said.out) == (0, "leaving safe mode\n")
    assert "the agent is back" in said.err


def test_a_normal_restart_leaves_it_or_just_restarts(iotctl: Iotctl, agent: Script) -> None:
    agent.on("POST", "/v1/safe-mode/leave", GONE)
    assert iotctl("restart", "--normal", "--no-wait").out == "leaving safe mode\n"
    agent.on("POST", "/v1/safe-mode/leave", {**GONE, "status": "not-in-safe-mode"})
    agent.on("POST", "/v1/agent/restart", {**GONE, "status": "restarting"})
    said = iotctl("restart", "--normal", "--no-wait")
    assert (said.code, said.out) == (0, "not in safe mode\nrestarting\n")


def test_what_failed_inside_of_the_agent_is_on_the_screen(iotctl: Iotctl, agent: Script) -> None:
    services = [
        {"name": "metrics", "state": "running", "restarts": 0, "startedAt": 1, "error": None},
        {
            "name": "cloud-sync",
            "state": "backing-off",
            "restarts": 3,
            "startedAt": 1,
            "error": {"code": "internal", "message": "unexpected ValueError", "remedy": None},
        },
    ]
    agent.on("GET", "/v1/status", answers.status(services=services))
    said = iotctl("status")
    assert (
        "trouble      cloud-sync failed 3 times, is started again soon: unexpected ValueError"
        in said.out
    )
    assert "metrics" not in said.out
