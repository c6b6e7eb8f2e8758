"""Secrets of a target: for the device alone, sealed at rest, a mask to everybody else."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from iotistic.cloud.db.migrate import migrate
from iotistic.cloud.requests import token_hash
from iotistic.model.canonical import canonical_json, etag_of
from tests.cloud.joining import Device
from tests.cloud.running import (
    SERVER_KEY,
    UUID,
    Running,
    app,
    at_rest,
    running_cloud,
    service,
    url_of,
)

PATH = f"/api/v1/devices/{UUID}/target-state"
STATE = f"/api/v1/device/{UUID}/state"
HUSH = "hush-hush"
MASK = "***"


@pytest.fixture
async def key(cloud: Running) -> str:
    return await Device(cloud, (await cloud.new_key())["key"]).joined()


def secretive(**more: Any) -> dict[str, Any]:
    """A target with a secret in every place that has one."""
    target = app(
        service("web", "1", environment={"A": HUSH, "N": 5}, secrets=["pw"]),
        service("db", 2, environment=[f"B={HUSH}"], command=f"serve --password={HUSH}"),
    )
    target["apps"]["1001"]["secrets"] = {"pw": {"value": HUSH}}
    return {**target, "config": {"mqtt": {"password": HUSH, "user": "u"}}, **more}


async def served(cloud: Running, key: str) -> Any:
    return (await cloud.ask("GET", STATE, key=key)).json()[UUID]


async def save(cloud: Running, target: Any, query: str = "", **how: Any) -> httpx.Response:
    return await cloud.ask("PUT", f"{PATH}{query}", target, who="operator", **how)


async def test_only_the_device_gets_a_secret(cloud: Running, key: str, database: Path) -> None:
    answers = [await save(cloud, secretive(), "?dryRun=1"), await save(cloud, secretive())]
    answers += [
        await cloud.ask("GET", path, who=who)
        for who in ("viewer", "operator", "admin")
        for path in (PATH, f"{PATH}/history", f"{PATH}/history/1")
    ]
    answers.append(await cloud.ask("POST", f"{PATH}/rollback", {"version": 1}, who="operator"))
    answers.append(await cloud.ask("GET", "/api/v1/audit", who="admin"))
    answers.append(await cloud.ask("POST", f"/api/v1/devices/{UUID}/deploy", who="operator"))

    assert {answer.status_code for answer in answers} == {200}
    assert [answer.text for answer in answers if HUSH in answer.text] == []
    assert HUSH.encode() not in at_rest(database)
    inner = await served(cloud, key)
    assert json.dumps(inner).count(HUSH) == 5
    assert inner["apps"]["1001"]["secrets"] == {"pw": {"value": HUSH}}


async def test_what_is_no_secret_stays_to_be_seen(cloud: Running, key: str) -> None:
    await save(cloud, secretive())

    shown = await cloud.ok("GET", PATH, who="viewer")

    web, db = shown["apps"]["1001"]["services"]
    assert web["config"] == {"environment": {"A": MASK, "N": MASK}, "secrets": ["pw"]}
    assert db["config"]["environment"] == [f"B={MASK}"]
    assert shown["config"] == {"mqtt": {"password": MASK, "user": "u"}}


async def test_a_masked_document_that_is_saved_keeps_the_secrets(cloud: Running, key: str) -> None:
    await save(cloud, secretive())
    before = await served(cloud, key)
    read = await cloud.ok("GET", PATH, who="operator")
    read["apps"]["1001"]["services"][0]["config"]["environment"]["NEW"] = "open"

    assert (await save(cloud, read)).status_code == 200

    after = await served(cloud, key)
    assert after["apps"]["1001"]["services"][0]["config"]["environment"].pop("NEW") == "open"
    assert (after["apps"], after["config"]) == (before["apps"], before["config"])


async def test_a_mask_that_stands_for_nothing_is_refused(cloud: Running, key: str) -> None:
    target = app(service(environment={"A": MASK}))

    for query in ("", "?dryRun=1", "?stage=1"):
        refused = await save(cloud, target, query)
        assert refused.status_code == 400
        assert refused.json()["details"]["path"] == ("apps.1001.services[0].config.environment.A")
    assert (await cloud.ok("GET", PATH, who="viewer"))["version"] is None


async def test_a_mask_means_what_is_newest_not_what_is_deployed(cloud: Running, key: str) -> None:
    await save(cloud, app(service(environment={"A": "one"})))
    await save(cloud, app(service(environment={"A": "two"})), "?stage=1")

    await save(cloud, app(service(environment={"A": MASK})))

    inner = await served(cloud, key)
    assert inner["apps"]["1001"]["services"][0]["config"]["environment"] == {"A": "two"}


async def test_of_many_changes_at_once_none_brings_back_an_older_secret(
    cloud: Running, second: Running, key: str
) -> None:
    await save(cloud, app(service(environment={"A": "one"})))
    new = app(service(environment={"A": "two"}))
    masked = app(service(environment={"A": MASK}))

    await asyncio.gather(save(cloud, new), *(save(at, masked) for at in (cloud, second) * 3))

    inner = await served(cloud, key)
    assert inner["version"] == 8
    assert inner["apps"]["1001"]["services"][0]["config"]["environment"] == {"A": "two"}


async def test_an_error_about_a_secret_does_not_tell_it(cloud: Running, key: str) -> None:
    for target in (
        app(service(environment=[[HUSH]])),
        app(service(environment={"A": [HUSH]})),
        {"apps": {"1": {"appName": "a", "services": [], "secrets": {"a": HUSH}}}},
        {"apps": {"1": {"appName": "a", "services": [], "secrets": {"a": {"value": [HUSH]}}}}},
    ):
        refused = await save(cloud, target)
        assert refused.status_code == 400
        assert HUSH not in refused.text


async def test_a_target_that_is_strict_refuses_what_nobody_knows(cloud: Running, key: str) -> None:
    assert (await save(cloud, app(service(surprise=1)))).status_code == 200

    refused = await save(cloud, {**app(service(surprise=1)), "strict": True})
    assert (await save(cloud, {**app(service()), "strict": True})).status_code == 200

    assert refused.json()["details"]["path"] == "apps.1001.services[0].config.surprise"
    assert (await served(cloud, key))["strict"] is True


def sealed(document: Any) -> bytes:
    return SERVER_KEY.seal(canonical_json(document), context="target:7")


BODY = app(service(environment={"A": HUSH}))
INNER = {
    **BODY,
    "version": 3,
    "target_epoch": "e",
    "needs_deployment": False,
    "last_deployed_at": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """A database as the first version of the cloud wrote it, with one device."""
    path = tmp_path / "first.sqlite"
    migrate(url_of(path), to="0001")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO devices (id, uuid, name, type, fleet_id, dialect, state, is_active,"
            " signs, created_at, registered_at) VALUES"
            " (7, ?, 'press', 'edge', 'f', 'v2', 'registered', 1, 1, 1000, 1000)",
            (UUID,),
        )
        for table, *values in (
            ("credentials", 1, 7, token_hash("key-of-press"), None, 1, 1000, None),
            ("target_versions", 7, 3, sealed(BODY), 1000, "ada", "why", 1000),
            ("device_targets", 7, "e", 3, 3, 1000, etag_of(INNER), sealed(INNER)),
        ):
            marks = ", ".join("?" * len(values))
            connection.execute(" ".join(["INSERT INTO", table, f"VALUES ({marks})"]), values)
    return path


async def test_a_database_of_the_first_version_is_served_as_it_was(first_version: Path) -> None:
    """Secrets were sealed in it already, and no device sees a new target after an update."""
    async with running_cloud(first_version) as cloud:
        reply = await cloud.ask("GET", STATE, key="key-of-press")
        held = {"If-None-Match": etag_of(INNER)}
        again = await cloud.ask("GET", STATE, key="key-of-press", headers=held)

    assert reply.json() == {UUID: INNER}
    assert reply.headers["ETag"] == etag_of(INNER)
    assert again.status_code == 304
    assert HUSH.encode() not in at_rest(first_version)
