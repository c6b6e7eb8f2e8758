"""What devices say about themselves."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from iotistic.model.merge_patch import diff
from iotistic.model.report import hash_of
from tests.cloud.joining import Device
from tests.cloud.running import OTHER_UUID, UUID, ManualClock, Running, app, at_rest, service

STATE = "/api/v1/device/state"
CURRENT = f"/api/v1/devices/{UUID}/current-state"
DOCUMENT: dict[str, Any] = {
    "apps": {"1001": {"appId": 1001, "services": {"1": {"status": "running"}}}},
    "config": {"a": 1},
    "version": 4,
    "cpu_usage": 12,
    "os_version": "Debian 12",
    "agent_version": "0.1.0",
    "architecture": "aarch64",
    "next_report_within_ms": 60_000,
}


@pytest.fixture
async def key(cloud: Running) -> str:
    device = Device(cloud, (await cloud.new_key())["key"])
    return await device.joined()


@pytest.fixture
async def old_key(cloud: Running) -> str:
    return await cloud.o1_device()


async def send(cloud: Running, key: str, inner: Any, uuid: str = UUID) -> httpx.Response:
    return await cloud.ask("PATCH", STATE, {uuid: inner}, key=key)


async def test_a_whole_report_is_what_operators_see(cloud: Running, key: str) -> None:
    missing = await cloud.ask("GET", CURRENT, who="viewer")
    assert (missing.status_code, missing.json()["code"]) == (404, "no-report-yet")

    assert (await send(cloud, key, DOCUMENT)).json() == {"status": "ok"}

    seen = await cloud.ok("GET", CURRENT, who="viewer")
    assert seen["apps"] == DOCUMENT["apps"]
    assert seen["config"] == DOCUMENT["config"]
    assert seen["version"] == 4
    assert seen["system_info"]["cpu_usage"] == 12
    assert seen["reported_at"].endswith("Z")


async def test_a_patch_changes_what_it_names_and_removes_what_is_null(
    cloud: Running, key: str
) -> None:
    await send(cloud, key, DOCUMENT)
    changed = {**DOCUMENT, "cpu_usage": 40, "apps": {"1002": {"appId": 1002}}}
    patch = diff(DOCUMENT, changed)
    assert patch["apps"]["1001"] is None

    reply = await send(cloud, key, {**patch, "base": hash_of(DOCUMENT), "seq": 2})

    assert reply.status_code == 200
    seen = await cloud.ok("GET", CURRENT, who="viewer")
    assert seen["apps"] == {"1002": {"appId": 1002}}
    assert seen["system_info"]["cpu_usage"] == 40
    keep_alive = {"version": 4, "seq": 3, "base": hash_of(changed)}
    assert (await send(cloud, key, keep_alive)).status_code == 200


async def test_a_patch_on_anything_else_asks_for_the_whole(cloud: Running, key: str) -> None:
    first = await send(cloud, key, {"version": 4, "base": hash_of(DOCUMENT)})
    assert (first.status_code, first.json()["code"]) == (409, "resync")
    await send(cloud, key, DOCUMENT)

    stale = await send(cloud, key, {"cpu_usage": 1, "base": hash_of({})})

    assert (stale.status_code, stale.json()["code"]) == (409, "resync")
    assert (await cloud.ok("GET", CURRENT, who="viewer"))["system_info"]["cpu_usage"] == 12


async def test_the_same_patch_twice_counts_once(cloud: Running, key: str) -> None:
    await send(cloud, key, DOCUMENT)
    patch = {"cpu_usage": 13, "base": hash_of(DOCUMENT)}

    replies = [(await send(cloud, key, patch)).status_code for _ in range(2)]

    assert replies == [200, 409]


async def test_missing_apps_and_config_are_unchanged(cloud: Running, key: str) -> None:
    await send(cloud, key, DOCUMENT)

    await send(cloud, key, {"version": 5})

    seen = await cloud.ok("GET", CURRENT, who="viewer")
    assert (seen["apps"], seen["version"]) == (DOCUMENT["apps"], 5)


async def test_gzip_is_read(cloud: Running, key: str) -> None:
    body = gzip.compress(json.dumps({UUID: DOCUMENT}).encode())

    reply = await cloud.ask(
        "PATCH", STATE, content=body, key=key, headers={"Content-Encoding": "gzip"}
    )

    assert reply.status_code == 200


async def test_the_uuid_may_stand_beside_the_fields(cloud: Running, key: str) -> None:
    for name in ("uuid", "deviceUuid"):
        reply = await cloud.ask("PATCH", STATE, {name: UUID, **DOCUMENT}, key=key)
        assert reply.status_code == 200
    assert "uuid" not in (await cloud.ok("GET", CURRENT, who="viewer"))["system_info"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({OTHER_UUID: DOCUMENT}, id="another device"),
        pytest.param({UUID: DOCUMENT, OTHER_UUID: DOCUMENT}, id="another one as well"),
        pytest.param({"uuid": UUID, OTHER_UUID: DOCUMENT}, id="own field, foreign part"),
        pytest.param({"uuid": OTHER_UUID, **DOCUMENT}, id="foreign field"),
        pytest.param({"uuid": OTHER_UUID, UUID: DOCUMENT}, id="foreign field, own part"),
        pytest.param({"uuid": UUID, "deviceUuid": OTHER_UUID}, id="two opinions"),
        pytest.param({OTHER_UUID.upper(): DOCUMENT}, id="in capitals"),
    ],
)
async def test_a_device_writes_nothing_of_another(
    cloud: Running, key: str, body: dict[str, Any]
) -> None:
    await cloud.o1_device(OTHER_UUID)

    reply = await cloud.ask("PATCH", STATE, body, key=key)

    assert (reply.status_code, reply.json()["code"]) == (403, "foreign-device")
    for uuid in (UUID, OTHER_UUID):
        seen = await cloud.ask("GET", f"/api/v1/devices/{uuid}/current-state", who="viewer")
        assert seen.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="empty"),
        pytest.param({"version": 1}, id="no uuid"),
        pytest.param({UUID: [1]}, id="a list"),
        pytest.param({UUID: None}, id="nothing"),
        pytest.param({UUID: {"base": 5}}, id="base a number"),
        pytest.param({UUID: {"seq": "x"}}, id="seq a text"),
        pytest.param({UUID: {}, "more": 1}, id="something beside"),
    ],
)
async def test_a_malformed_report_is_a_400(cloud: Running, key: str, body: dict[str, Any]) -> None:
    assert (await cloud.ask("PATCH", STATE, body, key=key)).status_code == 400


async def test_wrong_types_inside_are_kept_and_harm_nothing(cloud: Running, key: str) -> None:
    odd = {"apps": "x", "version": "four", "next_report_within_ms": -5, "os_version": {"a": 1}}

    assert (await send(cloud, key, odd)).status_code == 200

    assert (await cloud.ok("GET", CURRENT, who="viewer"))["version"] is None
    assert (await cloud.ok("GET", f"/api/v1/devices/{UUID}", who="viewer"))["osVersion"]


async def test_a_report_cannot_grow_without_end(cloud: Running, key: str) -> None:
    big = {f"x{n}": "x" * (6 * 1024 * 1024) for n in range(2)}
    await send(cloud, key, {"x0": big["x0"]})

    reply = await send(cloud, key, {"x1": big["x1"], "base": hash_of({"x0": big["x0"]})})

    assert reply.status_code == 413


async def test_the_reply_hints_at_a_target(cloud: Running, key: str) -> None:
    path = f"/api/v1/devices/{UUID}/target-state"
    await cloud.ok("PUT", path, app(service()), who="operator")

    assert (await send(cloud, key, DOCUMENT)).json() == {"status": "ok", "targetVersion": 1}


async def test_a_device_is_online_until_three_promises_were_broken(
    cloud: Running, key: str, clock: ManualClock
) -> None:
    async def connection() -> str:
        shown = await cloud.ok("GET", f"/api/v1/devices/{UUID}", who="viewer")
        return str(shown["connection"])

    assert await connection() == "offline"
    await send(cloud, key, DOCUMENT)
    assert await connection() == "online"
    clock.advance(s=179)
    assert await connection() == "online"
    clock.advance(s=2)
    assert await connection() == "offline"
    await send(cloud, key, {"version": 4, "base": hash_of(DOCUMENT)})
    assert await connection() == "online"


async def test_a_report_tells_what_the_device_is(cloud: Running, key: str) -> None:
    await send(cloud, key, DOCUMENT)

    shown = await cloud.ok("GET", f"/api/v1/devices/{UUID}", who="viewer")

    assert shown["osVersion"] == "Debian 12"
    assert shown["agentVersion"] == "0.1.0"
    assert shown["architecture"] == "aarch64"
    assert shown["currentVersion"] == 4


async def test_one_identity_on_two_machines_is_flagged(cloud: Running, key: str) -> None:
    async def flagged() -> bool:
        return bool((await cloud.ok("GET", f"/api/v1/devices/{UUID}", who="viewer"))["cloned"])

    await send(cloud, key, {**DOCUMENT, "machine_hash": "a" * 64})
    assert not await flagged()
    await send(cloud, key, {**DOCUMENT, "machine_hash": "b" * 64})
    assert await flagged()


async def test_an_older_agents_report_keeps_what_it_leaves_out(
    cloud: Running, old_key: str
) -> None:
    await send(cloud, old_key, {"version": 1, "apps": {"1": {"appId": 1}}, "cpu_usage": 5})
    await send(cloud, old_key, {"version": 1, "config": {"x": 1}})

    seen = await cloud.ok("GET", CURRENT, who="viewer")

    assert seen["apps"] == {"1": {"appId": 1}}
    assert seen["config"] == {"x": 1}
    assert seen["system_info"]["cpu_usage"] == 5


async def test_an_older_agents_queued_report_is_dropped(cloud: Running, old_key: str) -> None:
    await send(cloud, old_key, {"version": 2, "cpu_usage": 5})

    assert (await send(cloud, old_key, {"cpu_usage": 99})).status_code == 200

    assert (await cloud.ok("GET", CURRENT, who="viewer"))["system_info"]["cpu_usage"] == 5


async def test_secrets_that_an_older_agent_echoes_are_not_kept(
    cloud: Running, old_key: str, database: Path
) -> None:
    echoed = app(service(environment={"TOKEN": "hush"}), service("db", environment=["P=hush"]))

    await send(cloud, old_key, {"version": 1, "apps": echoed["apps"]})

    text = (await cloud.ask("GET", CURRENT, who="admin")).text
    assert "hush" not in text
    assert "TOKEN" in text
    assert b"TOKEN" not in at_rest(database)


@pytest.mark.parametrize("environment", [{"TOKEN": "hush"}, ["TOKEN=hush"], [{"TOKEN": "hush"}]])
async def test_values_that_any_agent_sends_are_not_kept(
    cloud: Running, key: str, environment: Any
) -> None:
    apps = app(service(environment=environment))["apps"]
    sent = {**DOCUMENT, "apps": apps, "environment": environment}

    assert (await send(cloud, key, sent)).status_code == 200

    assert "hush" not in (await cloud.ask("GET", CURRENT, who="admin")).text
    # What is held is not what was sent: a patch on it is no harm, and asks for the whole.
    patch = {"cpu_usage": 1, "base": hash_of(sent)}
    assert (await send(cloud, key, patch)).json()["code"] == "resync"
    assert (await send(cloud, key, sent)).status_code == 200


async def test_a_value_that_comes_with_a_patch_is_not_kept(cloud: Running, key: str) -> None:
    await send(cloud, key, DOCUMENT)
    apps = app(service(environment={"TOKEN": "hush"}))["apps"]

    reply = await send(cloud, key, {"apps": apps, "base": hash_of(DOCUMENT)})

    assert reply.status_code == 200
    assert "hush" not in (await cloud.ask("GET", CURRENT, who="admin")).text


async def test_names_of_the_environment_and_an_operators_config_are_kept_as_they_came(
    cloud: Running, key: str
) -> None:
    apps = app(service(environment=["TOKEN", "MODE"]))["apps"]
    sent = {**DOCUMENT, "apps": apps, "config": {"environment": "production"}}
    await send(cloud, key, sent)

    reply = await send(cloud, key, {"cpu_usage": 13, "base": hash_of(sent)})

    assert reply.status_code == 200
    seen = await cloud.ok("GET", CURRENT, who="viewer")
    assert seen["apps"] == apps
    assert seen["config"] == {"environment": "production"}
