"""A compose file as one app of a device's target."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.cloud.joining import Device
from tests.cloud.running import UUID, Running, app, service

param = pytest.param
PATH = f"/api/v1/devices/{UUID}/target-state"
STATE = f"/api/v1/device/{UUID}/state"
SHOP = """
name: shop
services:
  web:
    image: nginx:${TAG:-1.27}
    restart: no
    environment: {MODE: shop}
"""
YAML = {"Content-Type": "application/yaml; charset=utf-8"}


@pytest.fixture
async def key(cloud: Running) -> str:
    return await Device(cloud, (await cloud.new_key())["key"]).joined()


async def bring(cloud: Running, body: Any, query: str = "", **how: Any) -> httpx.Response:
    if isinstance(body, str):
        how |= {"content": body.encode(), "headers": {**YAML, **how.get("headers", {})}}
        body = None
    return await cloud.ask("PUT", f"{PATH}{query}", body, who="operator", **how)


async def apps_of(cloud: Running, key: str) -> Any:
    return (await cloud.ask("GET", STATE, key=key)).json()[UUID]["apps"]


BODIES = [
    param(SHOP, id="YAML"),
    param({"compose": SHOP}, id="a text"),
    param(
        {
            "compose": {
                "name": "shop",
                "services": {
                    "web": {
                        "image": "nginx:1.27",
                        "restart": "no",
                        "environment": {"MODE": "shop"},
                    }
                },
            }
        },
        id="an object",
    ),
]


@pytest.mark.parametrize("body", BODIES)
async def test_a_compose_file_becomes_an_app_of_the_target(
    cloud: Running, key: str, body: Any
) -> None:
    reply = await bring(cloud, body)

    assert reply.status_code == 200
    assert (reply.json()["appId"], reply.json()["version"]) == (1001, 1)
    assert reply.json()["apps"]["1001"]["services"][0]["config"]["environment"] == {"MODE": "***"}
    assert await apps_of(cloud, key) == {
        "1001": {
            "appId": 1001,
            "appName": "shop",
            "services": [
                {
                    "serviceId": "web",
                    "serviceName": "web",
                    "imageName": "nginx:1.27",
                    "config": {"restart": "no", "environment": {"MODE": "shop"}},
                }
            ],
        }
    }


async def test_other_apps_and_the_config_stay_and_services_keep_their_ids(
    cloud: Running, key: str
) -> None:
    target = app(service("web", 4, environment={"A": "hush"}), app_id=5)
    target["apps"]["9"] = {"appId": 9, "appName": "other", "services": [service("x", "1", e=1)]}
    target["apps"]["9"]["services"][0]["config"] = {"environment": {"B": "hush"}}
    target["config"] = {"mqtt": {"password": "hush"}}
    await bring(cloud, target)

    reply = await bring(cloud, SHOP)

    assert reply.json()["appId"] == 5
    apps = await apps_of(cloud, key)
    assert sorted(apps) == ["5", "9"]
    assert apps["5"]["services"][0]["serviceId"] == 4
    assert apps["9"] == target["apps"]["9"]
    served = (await cloud.ask("GET", STATE, key=key)).json()[UUID]
    assert served["config"] == {"mqtt": {"password": "hush"}}


@pytest.mark.parametrize(
    ("text", "query", "app_id", "name"),
    [
        param(SHOP, "", "1001", "shop", id="the app of the same name"),
        param(SHOP.replace("shop", "new"), "", "1003", "new", id="a free id"),
        param(SHOP, "?appId=1002", "1002", "shop", id="the one that is said"),
        param(SHOP + "x-iotistic: {app_id: 7}", "", "7", "shop", id="the one the file says"),
        param(SHOP.replace("name: shop", ""), "?appId=1002", "1002", "second", id="its old name"),
        param(SHOP, "?appId=1002&appName=third", "1002", "third", id="a name that is said"),
    ],
)
async def test_which_app_a_file_is(
    cloud: Running, key: str, text: str, query: str, app_id: str, name: str
) -> None:
    target = app(service())
    target["apps"]["1002"] = {"appId": 1002, "appName": "second", "services": []}
    await bring(cloud, target)

    assert (await bring(cloud, text, query)).status_code == 200

    apps = await apps_of(cloud, key)
    assert apps[app_id]["appName"] == name
    assert apps[app_id]["services"][0]["imageName"] == "nginx:1.27"


async def test_variables_are_those_of_the_request(cloud: Running, key: str) -> None:
    await bring(cloud, {"compose": SHOP, "variables": {"TAG": "2"}, "comment": "why"})

    assert (await apps_of(cloud, key))["1001"]["services"][0]["imageName"] == "nginx:2"
    history = await cloud.ok("GET", f"{PATH}/history", who="viewer")
    assert history["versions"][0]["comment"] == "why"


async def test_a_whole_target_may_be_yaml_too(cloud: Running, key: str) -> None:
    reply = await bring(
        cloud,
        "apps:\n  1001:\n    appName: shop\n    services: []\nconfig: {}\ncomment: by hand\n",
    )

    assert reply.status_code == 200
    assert (await apps_of(cloud, key))["1001"]["appName"] == "shop"


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        param(SHOP + "    ports: [99999]", "invalid-field", "services.web.ports[0]", id="a port"),
        param(SHOP + "    build: .", "not-on-a-device", "services.web.build", id="build"),
        param(SHOP + "    user: ${U}", "invalid-field", "services.web.user", id="no variable"),
        param(SHOP + "    env_file: .env", "invalid-field", "services.web.env_file", id="a file"),
        param(
            SHOP + "secrets: {a: {file: a}}", "invalid-field", "secrets.a.file", id="secret file"
        ),
        param(
            {"compose": {"services": {}, "secrets": {"a": {"file": "a"}}, "name": "a"}},
            "invalid-field",
            "secrets.a.file",
            id="secret file in an object",
        ),
        param(SHOP.replace("name: shop", ""), "invalid-field", "name", id="no name"),
        param(SHOP + "name: twice", "invalid-field", "name", id="a name twice"),
        param(SHOP + "\t", "invalid-field", "line 8, column 1", id="no YAML"),
        param("[]", "invalid-field", "", id="no document"),
        param({"compose": 5}, "invalid-field", "the document", id="a number"),
        param({"compose": "5"}, "invalid-field", "the document", id="a number in a text"),
        param({"compose": SHOP, "apps": {}}, "invalid-field", "apps", id="both"),
        param({"compose": SHOP, "appId": "x"}, "invalid-field", "appId", id="app id"),
        param({"compose": SHOP, "variables": {"A-": ""}}, "invalid-field", "variables", id="names"),
        param(
            {"compose": {"services": {}}, "variables": {"A": ""}},
            "invalid-field",
            "variables",
            id="variables of an object",
        ),
        param("a" * 1_100_000, "too-large", None, id="a large file"),
        param({"compose": "#" * 1_100_000}, "invalid-field", "the document", id="a large text"),
    ],
)
async def test_what_cannot_be_used_is_refused_whole_with_its_place(
    cloud: Running, key: str, body: Any, code: str, path: str | None
) -> None:
    for query in ("", "?dryRun=1"):
        reply = await bring(cloud, body, query)

        assert reply.status_code in {400, 413}, reply.text
        assert reply.json()["code"] == code
        assert reply.json().get("details", {}).get("path") == path
    assert (await cloud.ok("GET", PATH, who="viewer"))["version"] is None


async def test_a_device_of_the_older_dialect_needs_numbers(cloud: Running) -> None:
    key = await cloud.o1_device()

    refused = await bring(cloud, SHOP)
    taken = await bring(cloud, SHOP + "    x-iotistic: {service_id: 3}\n")

    assert (refused.status_code, taken.status_code) == (400, 200)
    assert "number" in refused.json()["message"]
    assert (await apps_of(cloud, key))["1001"]["services"][0]["serviceId"] == 3


async def test_warnings_name_the_place_in_the_file(cloud: Running, key: str) -> None:
    reply = await bring(cloud, SHOP + "    colour: red\n", "?dryRun=1")

    assert reply.json()["warnings"] == ["services.web.colour: unknown field, ignored"]
    assert (await cloud.ok("GET", PATH, who="viewer"))["version"] is None


async def test_a_change_on_an_old_version_is_refused(cloud: Running, key: str) -> None:
    etag = (await bring(cloud, SHOP)).headers["ETag"]
    await bring(cloud, SHOP)

    reply = await bring(cloud, SHOP, headers={"If-Match": etag})

    assert reply.status_code == 412


async def test_the_same_file_again_asks_nothing_new_of_a_service(cloud: Running, key: str) -> None:
    await bring(cloud, SHOP)
    before = await apps_of(cloud, key)

    await bring(cloud, SHOP)

    assert await apps_of(cloud, key) == before


OTHERS = {
    "another service under its name": "name: shop\nservices: {till: {image: 'nginx:1.27'}}",
    "another name under its id": (
        "name: depot\nx-iotistic: {app_id: 1001}\nservices: {web: {image: 'nginx:1.27'}}"
    ),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_an_app_that_seems_to_be_another_one_is_replaced_only_if_that_is_said(
    cloud: Running, key: str, other: str
) -> None:
    await bring(cloud, SHOP)

    for query in ("", "?dryRun=1"):
        refused = await bring(cloud, other, query)
        assert refused.status_code == 409
        assert refused.json()["code"] == "replaces-another-app"
        assert "'shop'" in refused.json()["message"]
    assert [a["services"][0]["serviceName"] for a in (await apps_of(cloud, key)).values()] == [
        "web"
    ]

    assert (await bring(cloud, {"compose": other, "replace": True})).status_code == 200
    assert (await bring(cloud, SHOP, "?replace=1")).status_code == 200
    assert (await bring(cloud, other, "?appId=1001")).status_code == 200
