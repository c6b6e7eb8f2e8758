from __future__ import annotations

from typing import Any

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script
from tests.cli.test_status import lines


def step(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "create-container",
        "appId": 1001,
        "serviceId": "2",
        "serviceName": "db",
        "subject": "1001/service/2",
        "reason": "it is not as wanted",
        "image": None,
        "differences": [{"field": "environment.MODE", "wanted": "***", "found": "***"}],
        **changes,
    }


def test_the_table_names_each_service_its_next_step_and_why(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/plan", answers.plan())

    said = iotctl("plan")

    assert said.code == 7
    assert said.out == lines(
        "APP   SERVICE  NEXT  WHY",
        "1001  web      wait  image-pulling: web:2, 62 %, looks again in 5 s",
        "1001  db       -     as wanted",
        "1 of 2 services settled with target version 7. Looks again in 5 s.",
    )


def test_a_reason_is_not_said_twice(iotctl: Iotctl, agent: Script) -> None:
    wait = {**answers.plan()["waits"][0], "reason": "ended", "message": "ended with code 3"}
    agent.on("GET", "/v1/plan", answers.plan(waits=[wait]))

    assert "wait  ended with code 3, looks again" in iotctl("plan").out


def test_steps_on_volumes_and_on_what_has_to_go_have_rows_too(
    iotctl: Iotctl, agent: Script
) -> None:
    volume = step(
        kind="create-volume",
        serviceId=None,
        serviceName=None,
        subject="1001/volume/data",
        differences=[],
        reason="db needs it",
    )
    gone = step(kind="remove", serviceId=9, subject="1001/service/9", differences=[], reason="gone")
    agent.on("GET", "/v1/plan", answers.plan(steps=[volume, step(), gone], askAgainInMs=None))

    said = iotctl("plan")

    assert said.out == lines(
        "APP   SERVICE      NEXT              WHY",
        "1001  web          wait              image-pulling: web:2, 62 %, looks again in 5 s",
        "1001  db           create-container  it is not as wanted (environment.MODE)",
        "1001  9            remove            gone",
        "1001  volume data  create-volume     db needs it",
        "1 of 2 services settled with target version 7.",
    )


def test_a_settled_device_is_0(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/plan", answers.plan(settled=True, waits=[], askAgainInMs=None))

    assert iotctl("plan").code == 0
    assert iotctl("plan", "--json").code == 0


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("engineError", "the engine: no socket\nnext: start it\n"),
        ("refusal", "the newest target: no socket\nnext: start it\n"),
    ],
)
def test_what_stands_in_the_way_is_told(
    iotctl: Iotctl, agent: Script, field: str, shown: str
) -> None:
    error = answers.error("x", "no socket", "start it")
    agent.on("GET", "/v1/plan", answers.plan(**{field: error}))

    assert shown in iotctl("plan").out


def test_without_a_target_there_is_nothing_to_do(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/plan", answers.plan(apps=[], waits=[], targetVersion=None, settled=True))

    said = iotctl("plan")

    assert (said.code, said.out) == (0, "No target yet: nothing to do.\n")
