"""What a device should run: saved, deployed, polled, rolled back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from iotistic.model.canonical import etag_of
from tests.cloud.joining import Device
from tests.cloud.running import UUID, Running, app, at_rest, service

PATH = f"/api/v1/devices/{UUID}/target-state"
STATE = f"/api/v1/device/{UUID}/state"


@pytest.fixture
async def key(cloud: Running) -> str:
    return await Device(cloud, (await cloud.new_key())["key"]).joined()


async def save(cloud: Running, target: dict[str, Any], query: str = "", **how: Any) -> Any:
    return await cloud.ok("PUT", f"{PATH}{query}", target, who="operator", **how)


async def poll(cloud: Running, key: str, held: str | None = None) -> httpx.Response:
    headers = {} if held is None else {"If-None-Match": held}
    return await cloud.ask("GET", STATE, key=key, headers=headers)


async def test_before_the_first_target_there_is_no_opinion(cloud: Running, key: str) -> None:
    reply = await poll(cloud, key)

    assert reply.json() == {UUID: {"apps": {}, "config": {}, "version": None}}
    assert (await poll(cloud, key, reply.headers["ETag"])).status_code == 304
    shown = await cloud.ok("GET", PATH, who="viewer")
    assert (shown["version"], shown["apps"]) == (None, {})


async def test_a_saved_target_reaches_the_device(cloud: Running, key: str) -> None:
    empty = (await poll(cloud, key)).headers["ETag"]

    saved = await save(cloud, {**app(service()), "config": {"logging": {"level": "debug"}}})

    assert (saved["version"], saved["needs_deployment"]) == (1, False)
    reply = await poll(cloud, key, empty)
    inner = reply.json()[UUID]
    assert inner["version"] == 1
    assert inner["needs_deployment"] is False
    assert inner["target_epoch"]
    assert inner["last_deployed_at"].endswith("Z")
    assert inner["config"] == {"logging": {"level": "debug"}}
    assert inner["apps"]["1001"]["services"][0]["serviceId"] == "1"
    assert reply.headers["ETag"] == etag_of(inner)


@pytest.mark.parametrize("form", ["{}", "W/{}", "bare", '"other", {}'])
async def test_an_etag_is_compared_weakly(cloud: Running, key: str, form: str) -> None:
    await save(cloud, app(service()))
    etag = (await poll(cloud, key)).headers["ETag"]
    held = etag.strip('"') if form == "bare" else form.replace("{}", etag)

    reply = await poll(cloud, key, held)

    assert reply.status_code == 304
    assert not reply.content
    assert reply.headers["ETag"] == etag


async def test_a_poll_that_finds_nothing_new_is_one_query_and_no_write(
    cloud: Running, key: str
) -> None:
    await save(cloud, app(service()))
    etag = (await poll(cloud, key)).headers["ETag"]
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert (await poll(cloud, key, etag)).status_code == 304
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert [statement.split()[0] for statement in asked] == ["BEGIN", "SELECT"]


async def test_a_staged_target_waits_for_its_deploy(cloud: Running, key: str) -> None:
    await save(cloud, app(service("one")))
    etag = (await poll(cloud, key)).headers["ETag"]

    staged = await save(cloud, app(service("two")), "?stage=1")

    assert (staged["version"], staged["deployedVersion"]) == (2, 1)
    assert staged["needs_deployment"] is True
    assert (await poll(cloud, key, etag)).status_code == 304
    status = await cloud.ok("GET", f"/api/v1/devices/{UUID}/deployment-status", who="viewer")
    assert (status["version"], status["deployedVersion"]) == (2, 1)

    await cloud.ok("POST", f"/api/v1/devices/{UUID}/deploy", who="operator")

    assert (await poll(cloud, key, etag)).json()[UUID]["version"] == 2


async def test_what_is_staged_can_be_dropped(cloud: Running, key: str) -> None:
    cancel = f"/api/v1/devices/{UUID}/deploy/cancel"
    await save(cloud, app(service("one")), "?stage=1")
    never = await cloud.ask("POST", cancel, who="operator")
    assert (never.status_code, never.json()["code"]) == (409, "nothing-deployed")
    await cloud.ok("POST", f"/api/v1/devices/{UUID}/deploy", who="operator")
    await save(cloud, app(service("two")), "?stage=1")

    dropped = await cloud.ok("POST", cancel, who="operator")

    assert dropped["needs_deployment"] is False
    assert dropped["apps"]["1001"]["services"][0]["serviceName"] == "one"
    again = await cloud.ok("POST", cancel, who="operator")
    assert again["version"] == dropped["version"]


async def test_nothing_can_be_deployed_before_it_is_saved(cloud: Running, key: str) -> None:
    reply = await cloud.ask("POST", f"/api/v1/devices/{UUID}/deploy", who="operator")

    assert (reply.status_code, reply.json()["code"]) == (404, "no-target-yet")


async def test_a_dry_run_checks_and_saves_nothing(cloud: Running, key: str) -> None:
    target = app(service(surprise=1))

    checked = await save(cloud, target, "?dryRun=1")

    assert any("surprise" in warning for warning in checked["warnings"])
    assert (await cloud.ok("GET", PATH, who="viewer"))["version"] is None


async def test_a_bad_target_is_refused_with_the_path_to_the_field(cloud: Running, key: str) -> None:
    for target, path in (
        (app(service(ports=["99999:80"])), "apps.1001.services[0].config.ports[0]"),
        (app({**service(), "state": "runing"}), "apps.1001.services[0].state"),
        (app(service(), service("other")), "apps.1001.services"),
        ({"apps": {"1": {"appId": 2, "appName": "a"}}}, "apps.1.appId"),
        ({"config": {}}, "apps"),
        ({"apps": 5}, "apps"),
        ({"apps": {}, "config": []}, "config"),
        ({"apps": {}, "newEpoch": "yes"}, "newEpoch"),
    ):
        for query in ("", "?dryRun=1"):
            reply = await cloud.ask("PUT", f"{PATH}{query}", target, who="operator")
            assert reply.status_code == 400, target
            assert reply.json()["details"]["path"] == path
    assert (await cloud.ok("GET", PATH, who="viewer"))["version"] is None


async def test_a_list_of_apps_becomes_a_map(cloud: Running, key: str) -> None:
    one = {"appId": "7", "appName": "shop", "services": [service()]}

    saved = await save(cloud, {"apps": [one]})

    assert list(saved["apps"]) == ["7"]
    assert saved["apps"]["7"]["appId"] == 7


async def test_what_was_read_can_be_changed_and_written_back(cloud: Running, key: str) -> None:
    await save(cloud, app(service()))
    read = await cloud.ok("GET", PATH, who="operator")
    read["apps"]["1001"]["services"][0]["state"] = "paused"

    saved = await save(cloud, read)

    assert saved["version"] == 2
    assert saved["warnings"] == []


async def test_a_change_on_an_old_version_is_refused(cloud: Running, key: str) -> None:
    await save(cloud, app(service()), headers={"If-Match": '"0"'})
    etag = (await cloud.ask("GET", PATH, who="viewer")).headers["ETag"]
    await save(cloud, app(service("mine")), headers={"If-Match": etag})

    for path, method in ((PATH, "PUT"), (f"/api/v1/devices/{UUID}/deploy", "POST")):
        reply = await cloud.ask(
            method, path, app(service("late")), who="operator", headers={"If-Match": etag}
        )
        assert (reply.status_code, reply.json()["code"]) == (412, "changed-meanwhile")
    assert (await cloud.ok("GET", PATH, who="viewer"))["version"] == 2


async def test_if_match_with_a_star_wants_any_version(cloud: Running, key: str) -> None:
    star = {"If-Match": "*"}
    first = await cloud.ask("PUT", PATH, app(service()), who="operator", headers=star)
    assert first.status_code == 412

    await save(cloud, app(service()))

    assert (await save(cloud, app(service()), headers=star))["version"] == 2


async def test_of_two_changes_at_once_one_wins(cloud: Running, second: Running, key: str) -> None:
    await save(cloud, app(service()))
    etag = (await cloud.ask("GET", PATH, who="viewer")).headers["ETag"]

    replies = await asyncio.gather(
        *(
            at.ask("PUT", PATH, app(service(name)), who="operator", headers={"If-Match": etag})
            for at, name in ((cloud, "one"), (second, "other"), (cloud, "third"))
        )
    )

    assert sorted(reply.status_code for reply in replies) == [200, 412, 412]


async def test_the_history_says_who_and_why(cloud: Running, key: str) -> None:
    await save(cloud, {**app(service("one")), "comment": "first try"})
    await save(cloud, app(service("two")), "?stage=1")

    history = await cloud.ok("GET", f"{PATH}/history", who="viewer")

    newest, oldest = history["versions"]
    assert (oldest["version"], oldest["author"], oldest["comment"]) == (1, "operator", "first try")
    assert oldest["deployedAt"]
    assert newest["deployedAt"] is None
    old = await cloud.ok("GET", f"{PATH}/history/1", who="operator")
    assert old["apps"]["1001"]["services"][0]["serviceName"] == "one"
    assert (await cloud.ask("GET", f"{PATH}/history/9", who="viewer")).status_code == 404


async def test_a_rollback_is_a_new_version_with_old_content(cloud: Running, key: str) -> None:
    await save(cloud, app(service("one")))
    await save(cloud, app(service("two")))

    await cloud.ok("POST", f"{PATH}/rollback", {"version": 1}, who="operator")

    inner = (await poll(cloud, key)).json()[UUID]
    assert inner["version"] == 3
    assert inner["apps"]["1001"]["services"][0]["serviceName"] == "one"
    history = await cloud.ok("GET", f"{PATH}/history", who="viewer")
    assert history["versions"][0]["comment"] == "back to version 1"
    missing = await cloud.ask("POST", f"{PATH}/rollback", {"version": 9}, who="operator")
    assert missing.status_code == 404


async def test_the_epoch_changes_only_when_an_operator_says_so(cloud: Running, key: str) -> None:
    async def epoch() -> str:
        return str((await poll(cloud, key)).json()[UUID]["target_epoch"])

    await save(cloud, app(service("one")))
    first = await epoch()
    await save(cloud, app(service("two")))
    assert await epoch() == first

    await save(cloud, {**app(service("two")), "newEpoch": True})

    assert await epoch() != first


async def test_only_the_newest_hundred_versions_are_kept(cloud: Running, key: str) -> None:
    for _ in range(103):
        await save(cloud, {"apps": {}})

    history = await cloud.ok("GET", f"{PATH}/history", who="viewer")

    assert [entry["version"] for entry in history["versions"]] == list(range(103, 3, -1))


async def test_values_of_the_environment_are_not_readable_at_rest(
    cloud: Running, key: str, database: Path
) -> None:
    await save(cloud, app(service(environment={"TOKEN": "hush-hush-hush"})))

    assert b"hush-hush" not in at_rest(database)
    inner = (await poll(cloud, key)).json()[UUID]
    config = inner["apps"]["1001"]["services"][0]["config"]
    assert config["environment"] == {"TOKEN": "hush-hush-hush"}


async def test_a_removed_device_has_no_target_to_write(cloud: Running, key: str) -> None:
    await cloud.ok("DELETE", f"/api/v1/devices/{UUID}", who="operator")

    assert (await cloud.ask("PUT", PATH, {"apps": {}}, who="operator")).status_code == 404
