"""What is refused is refused in one form, and within limits."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest

from iotistic.cloud.db.database import Database, DatabaseUnavailable
from tests.cloud.running import UUID, Running

STATE = "/api/v1/device/state"
MB = 1024 * 1024
_PACKER = zlib.compressobj(wbits=31)
# A head and a block of gzip from which nothing comes, as often as it is repeated.
EMPTY_BLOCK = (_PACKER.flush(zlib.Z_SYNC_FLUSH), b"\x00\x00\x00\xff\xff")


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


@pytest.mark.parametrize("path", ["/nowhere", "/api/schema/nowhere"])
async def test_a_path_that_is_not_there(cloud: Running, path: str) -> None:
    reply = await cloud.ask("GET", path)

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


async def test_why_a_request_was_not_served_is_in_the_log(
    cloud: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(_: Database) -> None:
        raise DatabaseUnavailable("database or disk is full")

    monkeypatch.setattr(Database, "ping", full)
    reply = await cloud.ask("GET", "/ready")

    assert reply.status_code == 503
    assert [vars(record).get("reason") for record in caplog.records] == ["database or disk is full"]


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


async def log_in_with(
    cloud: Running, messages: Iterator[Any], *headers: tuple[bytes, bytes]
) -> int:
    """The status of a login whose body arrives as these messages."""
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": "POST", "path": "/api/v1/auth/login"}
    scope |= {"headers": headers, "query_string": b""}
    await cloud.cloud.app(scope, cast("Any", receive), send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        pytest.param(gzip.compress(b"{}"), b"x" * 1000, 400, id="something behind"),
        pytest.param(EMPTY_BLOCK[0], EMPTY_BLOCK[1] * 10_000, 413, id="inflates to nothing"),
    ],
)
async def test_gzip_without_end_is_not_read_to_the_end(
    cloud: Running, start: bytes, more: bytes, status: int
) -> None:
    chunks = itertools.chain([start], itertools.repeat(more, 100))
    messages = ({"type": "http.request", "body": body, "more_body": True} for body in chunks)

    assert await log_in_with(cloud, messages, (b"content-encoding", b"gzip")) == status

    assert sum(1 for _ in messages) > 90


async def test_who_hangs_up_in_the_middle_is_no_error_of_ours(
    cloud: Running, caplog: pytest.LogCaptureFixture
) -> None:
    begun = {"type": "http.request", "body": b"{", "more_body": True}

    assert await log_in_with(cloud, iter([begun, {"type": "http.disconnect"}])) == 408

    assert not caplog.records


@pytest.mark.parametrize("body", [b'{"password": "canary"', b'{"password": "canary\\ud800"}'])
async def test_a_broken_body_is_not_shown_again(cloud: Running, body: bytes) -> None:
    reply = await cloud.ask("POST", "/api/v1/auth/login", content=body)

    assert reply.status_code == 400
    assert "canary" not in reply.text


@pytest.mark.parametrize("number", ["9" * 30, "-" + "9" * 30, "+1", "1_0", "01", "\u0661", "x"])
@pytest.mark.parametrize("path", ["users/", f"devices/{UUID}/target-state/history/"])
async def test_a_number_of_no_database_or_written_otherwise_is_not_there(
    cloud: Running, key: str, path: str, number: str
) -> None:
    reply = await cloud.ask("GET", f"/api/v1/{path}{number}", who="admin")

    assert reply.status_code == 404
    assert reply.json()["code"] in {"no-such-user", "no-such-version"}


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
    saving = schema["paths"]["/api/v1/devices/{uuid}/target-state"]["put"]
    assert saving["description"].startswith("Save and deploy.")
