"""What devices say about releases."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from iotistic.model.report import hash_of
from tests.cloud.joining import Device
from tests.cloud.running import UUID, Running

STATE = "/api/v1/device/state"
CURRENT = f"/api/v1/devices/{UUID}/current-state"


@pytest.fixture
async def key(cloud: Running) -> str:
    return await Device(cloud, (await cloud.new_key())["key"]).joined()


def release(phase: str, name: str = "r2", **more: Any) -> dict[str, Any]:
    reason = "web: unhealthy" if phase in {"rejected", "rolled-back"} else ""
    return {"id": name, "phase": phase, "reason": reason, "since": "2026-01-01T00:00:00Z", **more}


def document(**releases: Any) -> dict[str, Any]:
    return {
        "apps": {"7": {"appId": 7, "appName": "shop", "services": []}},
        "plan": {"7": {"verdict": "waiting", "next": [], "waiting": [{"reason": "locked"}]}},
        "version": 4,
        "release": {name.removeprefix("a"): value for name, value in releases.items()},
    }


async def send(cloud: Running, key: str, inner: Any) -> None:
    await cloud.ok("PATCH", STATE, {UUID: inner}, key=key)


async def told(cloud: Running) -> list[Any]:
    entries = (await cloud.ok("GET", "/api/v1/audit", who="admin"))["entries"]
    return [one for one in reversed(entries) if one["action"] == "release-rejected"]


async def test_releases_and_plans_are_shown_as_they_came(cloud: Running, key: str) -> None:
    sent = document(a7=release("verifying", failed=[{"service": "web", "log": ["x"]}], more=1))
    await send(cloud, key, sent)

    seen = await cloud.ok("GET", CURRENT, who="viewer")

    assert seen["release"] == sent["release"]
    assert seen["plan"] == sent["plan"]
    assert seen["system_info"] == {"version": 4}


async def test_a_rejected_release_is_told_once(
    cloud: Running, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "iotistic.cloud"):
        for phase in ("applying", "verifying", "rejected", "rejected", "rolled-back", "done"):
            await send(cloud, key, document(a7=release(phase), a8=release("done")))

    (entry,) = await told(cloud)
    assert (entry["actor"], entry["subject"]) == (f"device:{UUID}", f"device:{UUID}")
    assert entry["details"] == {
        "app": "7",
        "release": "r2",
        "phase": "rejected",
        "reason": "web: unhealthy",
    }
    assert caplog.messages == ["release rejected"]


async def test_one_whose_rejection_fell_between_two_reports_is_told_too(
    cloud: Running, key: str
) -> None:
    first = document(a7=release("applying"))
    await send(cloud, key, first)
    patch = {"release": {"7": {"phase": "rolled-back", "reason": "db"}}, "base": hash_of(first)}

    await send(cloud, key, patch)

    assert [entry["details"]["reason"] for entry in await told(cloud)] == ["db"]


async def test_each_app_and_each_release_is_told_for_itself(cloud: Running, key: str) -> None:
    await send(cloud, key, document(a7=release("rejected", "r1"), a8=release("rejected", "r1")))
    await send(cloud, key, document(a7=release("rejected", "r2"), a8=release("rejected", "r1")))

    seen = [(entry["details"]["app"], entry["details"]["release"]) for entry in await told(cloud)]
    assert seen == [("7", "r1"), ("8", "r1"), ("7", "r2")]


async def test_a_device_that_says_very_much_is_heard_a_little(cloud: Running, key: str) -> None:
    many = {f"a{n}": release("rejected", "r" * 1000) for n in range(50)}

    await send(cloud, key, document(**many))

    entries = await told(cloud)
    assert len(entries) == 10
    assert {len(entry["details"]["release"]) for entry in entries} == {300}


@pytest.mark.parametrize(
    "odd", [5, [], "x", {"7": 5}, {"7": {"phase": []}}, {"7": {"phase": "rejected", "id": [1]}}]
)
async def test_a_form_that_nobody_knows_is_kept_and_harms_nothing(
    cloud: Running, key: str, odd: Any
) -> None:
    await send(cloud, key, {**document(), "release": odd, "plan": odd})

    assert (await cloud.ok("GET", CURRENT, who="viewer"))["version"] == 4


async def test_the_config_that_a_device_reports_shows_no_secret(cloud: Running, key: str) -> None:
    await send(cloud, key, {**document(), "config": {"mqtt": {"password": "hush", "user": "u"}}})

    seen = await cloud.ok("GET", CURRENT, who="admin")

    assert seen["config"] == {"mqtt": {"password": "***", "user": "u"}}
