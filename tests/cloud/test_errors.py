"""What is refused is refused in one form, and within limits."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import httpx
import pytest

from iotistic.cloud.db.database import Database
from tests.cloud.running import UUID, Running

STATE = "/api/v1/device/state"
MB = 1024 * 1024


@pytest.fixture
async def key(cloud: Running) -> str:
    return await cloud.o1_device()


def assert_in_form(reply: httpx.Response, code: str) -> None:
    body = reply.json()
    assert {"error", "message", "code", "requestId"} <= set(body)
    assert set(body) <= {"error", "message", "code", "requestId", "details"}
    assert body["code"] == code
    assert body["requestId"] == reply.headers["X-Request-Id"]
    assert "Traceback" not in reply.text


async def test_a_path_that_is_not_there(cloud: Running) -> None:
    reply = await cloud.ask("GET", "/nowhere")

    assert reply.status_code == 404
    assert_in_form(reply, "not-found")


async def test_a_method_that_is_not_possible(cloud: Running) -> None:
    reply = await cloud.ask("PUT", "/health")

    assert reply.status_code == 405
    assert "GET" in reply.headers["Allow"]
    assert_in_form(reply, "method-not-allowed")


async def test_our_own_mistakes_tell_the_caller_nothing(
    cloud: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Database) -> None:
        raise RuntimeError("SELECT password FROM users")

    monkeypatch.setattr(Database, "ping", broken)
    reply = await cloud.ask("GET", "/ready")

    assert reply.status_code == 500
    assert_in_form(reply, "internal")
    assert "SELECT" not in reply.text
    assert reply.json()["requestId"] in {
        getattr(record, "request_id", None) for record in caplog.records
    }


async def test_10_mb_are_read_and_one_byte_more_is_not(cloud: Running, key: str) -> None:
    head = b'{"' + UUID.encode() + b'":{"version":1,"x":"'
    fits = head + b"x" * (10 * MB - len(head) - 3) + b'"}}'
    assert len(fits) == 10 * MB

    assert (await cloud.ask("PATCH", STATE, content=fits, key=key)).status_code != 413
    reply = await cloud.ask("PATCH", STATE, content=fits + b" ", key=key)
    assert reply.status_code == 413
    assert_in_form(reply, "too-large")


async def test_a_bomb_is_not_inflated(cloud: Running, key: str) -> None:
    bomb = gzip.compress(b"\0" * (200 * MB), compresslevel=9)
    assert len(bomb) < MB

    reply = await cloud.ask(
        "PATCH", STATE, content=bomb, key=key, headers={"Content-Encoding": "gzip"}
    )

    assert reply.status_code == 413
    assert_in_form(reply, "too-large")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not gzip", id="no gzip"),
        pytest.param(gzip.compress(b'{"a":1}')[:-4], id="cut off"),
        pytest.param(gzip.compress(b"{}") + b"more", id="something behind"),
        pytest.param(zlib.compress(b"{}"), id="zlib"),
    ],
)
async def test_broken_gzip_is_a_400(cloud: Running, key: str, content: bytes) -> None:
    reply = await cloud.ask(
        "PATCH", STATE, content=content, key=key, headers={"Content-Encoding": "gzip"}
    )

    assert reply.status_code == 400
    assert_in_form(reply, "invalid-field")


NO_OBJECTS = {
    "nothing": b"",
    "half a JSON": b"{",
    "HTML": b"<html></html>",
    "a list": b"[]",
    "a text": b'"text"',
    "deep and open": b"[" * 100_000,
    "deep": b'{"a":' * 40 + b"1" + b"}" * 40,
    "not a number": b'{"a": NaN}',
    "no text": b'{"a": "\xff"}',
}


@pytest.mark.parametrize(
    "route",
    [
        "POST /api/v1/auth/login",
        "POST /api/provisioning/v2/key-exchange",
        "POST /api/provisioning/v2/register",
        "POST /api/v1/device/register",
        f"PATCH {STATE}",
    ],
)
async def test_what_is_no_json_object_is_a_400(cloud: Running, key: str, route: str) -> None:
    method, path = route.split(" ")
    for what, content in NO_OBJECTS.items():
        reply = await cloud.ask(method, path, content=content, key=key)

        assert reply.status_code == 400, (what, reply.text)
        assert_in_form(reply, "invalid-field")


async def test_another_encoding_is_refused_by_name(cloud: Running, key: str) -> None:
    reply = await cloud.ask(
        "PATCH", STATE, content=b"x", key=key, headers={"Content-Encoding": "br"}
    )

    assert reply.status_code == 400
    assert "gzip" in reply.json()["message"]


async def test_an_announced_length_is_enough_to_refuse(cloud: Running) -> None:
    reply = await cloud.ask(
        "POST", "/api/v1/auth/login", content=b"{}", headers={"Content-Length": "999999999999"}
    )

    assert reply.status_code == 413


@pytest.mark.parametrize("value", ["-1", "x", "9" * 30, "1001"])
async def test_a_bad_query_names_the_field(cloud: Running, value: str) -> None:
    reply = await cloud.ask("GET", f"/api/v1/devices?limit={value}", who="viewer")

    assert reply.status_code == 400
    assert reply.json()["details"]["path"] == "limit"


async def test_the_schema_describes_the_api(cloud: Running) -> None:
    schema: dict[str, Any] = json.loads((await cloud.ask("GET", "/api/schema/openapi.json")).text)

    assert schema["openapi"].startswith("3.")
    assert "/api/v1/device/{uuid}/state" in schema["paths"]
    assert set(schema["components"]["securitySchemes"]) == {"person", "device"}
