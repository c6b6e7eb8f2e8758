"""A body becomes the target that is asked about."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.agent.api.question import asked_target
from iotistic.agent.store.records import StoredTarget, target_hash
from iotistic.model.errors import InvalidField

SHOP: dict[str, Any] = {
    "appId": 1,
    "appName": "shop",
    "services": [{"serviceId": 1, "config": {"environment": {"PASS": "hunter2"}}}],
}
LAB: dict[str, Any] = {"appId": 2, "appName": "lab", "services": []}


def held(version: int | None = 4, epoch: str | None = "e1") -> StoredTarget:
    apps, config = {"1": SHOP}, {"logLevel": "info"}
    return StoredTarget(
        apps=apps,
        config=config,
        version=version,
        epoch=epoch,
        etag=None,
        state_hash=target_hash(apps, config),
        received_at_ms=0,
    )


def test_without_a_version_it_would_be_the_next_of_the_same_epoch() -> None:
    found = asked_target({"apps": {"2": LAB}}, held())

    assert found == {"apps": {"2": LAB}, "version": 5, "target_epoch": "e1"}


def test_the_first_target_is_version_1() -> None:
    assert asked_target({"apps": {}}, None)["version"] == 1


def test_a_version_that_is_given_stays_without_an_epoch_of_ours() -> None:
    assert asked_target({"apps": {}, "version": 9}, held()) == {"apps": {}, "version": 9}


def test_others_stay_when_the_body_says_so() -> None:
    found = asked_target({"apps": {"2": LAB}, "keepOthers": True}, held())

    assert found["apps"] == {"1": SHOP, "2": LAB}
    assert found["config"] == {"logLevel": "info"}
    assert "keepOthers" not in found


def test_a_mask_stands_for_the_value_that_is_held() -> None:
    service = {"serviceId": 1, "config": {"environment": {"PASS": "***", "NEW": "1"}}}

    found = asked_target({"apps": {"1": {**SHOP, "services": [service]}}}, held())

    (asked,) = found["apps"]["1"]["services"]
    assert asked["config"]["environment"] == {"PASS": "hunter2", "NEW": "1"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"config": {}}, "apps"),
        ({"apps": [], "keepOthers": True}, "apps"),
        ({"apps": {}, "keepOthers": "maybe"}, "keepOthers"),
    ],
)
def test_what_is_no_target_is_refused_with_its_path(body: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidField) as caught:
        asked_target(body, held())

    assert caught.value.path == path
