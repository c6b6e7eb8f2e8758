"""What would happen with a target, as a technician reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script, refused
from tests.cli.test_status import lines

MIB = 1024 * 1024
TARGET = {"apps": {"1001": {"appId": 1001, "appName": "shop", "services": []}}, "config": {}}
COMPOSE = "name: shop\nservices:\n  web:\n    image: web:2\n"


def step(kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "appId": 1001,
        "serviceId": "1",
        "serviceName": "web",
        "subject": "1001/service/1",
        "reason": "image changed",
        "image": None,
        "release": None,
        "differences": [],
        **changes,
    }


def answer(**changes: Any) -> dict[str, Any]:
    return {
        "targetVersion": 8,
        "isHeld": False,
        "refusal": None,
        "settles": True,
        "steps": 4,
        "stepsLeftOut": 0,
        "rounds": [
            [step("pull", reason="image not here")],
            [step("take-locks", serviceId=None, serviceName=None, subject="1001/app/")],
            [step("stop", differences=[{"field": "image", "wanted": "web:2", "found": "x"}])],
            [step("start", reason="made, not started")],
        ],
        "interruptions": [
            {
                "appId": 1001,
                "serviceName": "web",
                "times": 1,
                "forGood": False,
                "lastsMs": 12_800,
                "measured": False,
                "notes": [],
            }
        ],
        "pull": {
            "images": [
                {
                    "image": "web:2",
                    "appId": 1001,
                    "serviceName": "web",
                    "bytes": 35 * MIB,
                    "like": "docker.io/library/web:1",
                }
            ],
            "bytes": 35 * MIB,
            "unknown": 0,
        },
        "disk": {
            "freeBytes": 2048 * MIB,
            "neededBytes": 35 * MIB,
            "keptFreeBytes": 256 * MIB,
            "enough": True,
        },
        "risks": [],
        "rejections": [],
        "warnings": [],
        "waits": [],
        "apps": [
            {
                "appId": 1001,
                "appName": "shop",
                "verdict": "settled",
                "meaning": "…",
                "reason": "",
                "remedy": None,
                "release": "r2",
                "releaseNow": "r1",
                "steps": 4,
                "goes": False,
            }
        ],
        **changes,
    }


NOTHING: dict[str, Any] = {
    "steps": 0,
    "rounds": [],
    "interruptions": [],
    "pull": {"images": [], "bytes": 0, "unknown": 0},
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "target.json"
    path.write_text(json.dumps({**TARGET, "etag": "e7", "comment": "no"}))
    return str(path)


def test_the_course_is_told_round_by_round(iotctl: Iotctl, agent: Script, file: str) -> None:
    agent.on("POST", "/v1/plan", answer())

    said = iotctl("plan", "--target", file)

    assert said.code == 7
    assert agent.last.document == TARGET
    assert said.out == lines(
        "With target version 8 (nothing of it is applied):",
        "",
        "ROUND  APP   SERVICE  DOES   WHY",
        "1      1001  web      pull   image not here",
        "2      1001  web      stop   image changed",
        "3      1001  web      start  made, not started",
        "",
        "APP   INTERRUPTED  FOR ABOUT                         BESIDE",
        "1001  web          12 s, at most, by its stop grace  -",
        "",
        "downloads web:2 for web, about 35 MiB, as docker.io/library/web:1 is",
        "disk: 2.0 GiB free, about 35 MiB needed, 256 MiB kept free: enough",
        "app 1001 shop would be settled, release r2 (was well last: r1)",
    )


def test_a_target_that_changes_nothing_is_0(iotctl: Iotctl, agent: Script, file: str) -> None:
    agent.on("POST", "/v1/plan", answer(**NOTHING))

    said = iotctl("plan", "--target", file)

    assert said.code == 0
    assert "Nothing would happen" in said.out


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        (
            {"refusal": {"code": "target-went-back", "message": "it is older", "remedy": "do so"}},
            "it would not be accepted: it is older\n  next: do so\n",
        ),
        (
            {
                "rejections": [
                    {"appId": 7, "appName": "x", "code": "c", "message": "denied", "remedy": "so"}
                ]
            },
            "app 7: denied\n  next: so\n",
        ),
        (
            {
                "risks": [
                    {
                        "code": "no-way-back",
                        "appId": 1001,
                        "serviceName": None,
                        "message": "it does not go back",
                        "remedy": "keep it",
                    }
                ]
            },
            "app 1001: it does not go back (no-way-back)\n  next: keep it\n",
        ),
        (
            {
                "waits": [
                    {
                        "reason": "locked",
                        "appId": 1001,
                        "serviceName": "web",
                        "message": "by anna",
                        "remedy": "unlock it",
                    }
                ]
            },
            "web would wait: locked: by anna\n  next: unlock it\n",
        ),
        ({"warnings": ["links: unknown"]}, "warning: links: unknown\n"),
        (
            {"disk": {**answer()["disk"], "enough": False}},
            "256 MiB kept free: TOO LITTLE\n",
        ),
    ],
)
def test_what_stands_in_the_way_is_told_with_what_helps(
    iotctl: Iotctl, agent: Script, file: str, changes: dict[str, Any], shown: str
) -> None:
    agent.on("POST", "/v1/plan", answer(**changes))

    said = iotctl("plan", "--target", file)

    assert said.code == 7
    assert shown in said.out


def test_a_compose_file_is_one_app_beside_the_others(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE)
    services = [{"serviceId": 5, "serviceName": "web"}]
    held = {"77": {"appId": 77, "appName": "shop", "services": services}}
    agent.on("GET", "/v1/state/target", {"apps": held, "config": {}})
    agent.on("POST", "/v1/plan", answer())

    iotctl("plan", "--target", str(path))

    asked = agent.last.document
    assert (asked["keepOthers"], list(asked["apps"])) == (True, ["77"])
    (web,) = asked["apps"]["77"]["services"]
    assert (web["serviceId"], web["serviceName"]) == (5, "web")


def test_on_a_device_without_a_target_a_compose_file_is_the_first_app(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE)
    agent.on("GET", "/v1/state/target", refused(404, "not-found", "none"))
    agent.on("POST", "/v1/plan", answer())

    iotctl("plan", "--target", str(path))

    assert list(agent.last.document["apps"]) == ["1001"]


def test_a_fault_is_told_with_its_line(iotctl: Iotctl, agent: Script, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE + "    ports: [no-port]\n")
    agent.on("GET", "/v1/state/target", refused(404, "not-found", "none"))

    said = iotctl("plan", "--target", str(path))

    assert said.code == 2
    assert "compose.yaml line 5: " in said.err


def test_programs_get_the_document_as_it_came(iotctl: Iotctl, agent: Script, file: str) -> None:
    agent.on("POST", "/v1/plan", answer())

    said = iotctl("plan", "--target", file, "--json")

    assert (said.code, said.document) == (7, answer())
