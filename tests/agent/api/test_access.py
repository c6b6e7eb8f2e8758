"""Nobody gets in who should not: the rules as a table, then attacks on the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import closing

import aiohttp
import pytest
import yarl

from iotistic.agent.api import requests
from iotistic.agent.api.access import check_tcp, names_this_machine, token_in
from iotistic.agent.api.device_api import CONNECTIONS_MAX
from iotistic.agent.api.replies import ApiRefusal
from iotistic.model.secret import Secret
from tests.agent.api.builders import Box, Served, service, serving, target

TOKEN = "ab" * 32
HERE = {"Host": "127.0.0.1:48484"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        pytest.param("GET", "/v1/device", HERE | BEARER, None, id="with the token: in"),
        pytest.param("GET", "/v1/device", HERE | {"X-API-Key": TOKEN}, None, id="as X-API-Key: in"),
        pytest.param("GET", "/ping", HERE, None, id="ping needs no token"),
        pytest.param("GET", "/v1/healthy", HERE, None, id="healthy needs no token"),
        pytest.param("POST", "/ping", HERE, "unauthorized", id="but only to be read"),
        pytest.param("GET", "/v1/device", HERE, "unauthorized", id="without a token: out"),
        pytest.param("GET", "/nothing", HERE, "unauthorized", id="no path is given away"),
        pytest.param(
            "GET", "/v1/device", HERE | {"Authorization": "Bearer " + "ab" * 31}, "unauthorized",
            id="half a token",
        ),
        pytest.param(
            "GET", "/v1/device", HERE | {"Authorization": f"Basic {TOKEN}"}, "unauthorized",
            id="another scheme",
        ),
        pytest.param(
            "GET", "/v1/device", HERE | {"X-API-Key": "ä"}, "unauthorized", id="not even ASCII"
        ),
        pytest.param(
            "GET", "/v1/device", HERE | {"X-API-Key": "\udce9\udcff"}, "unauthorized",
            id="not even UTF-8",
        ),
        pytest.param("GET", "/ping", {"Host": "evil.example"}, "host-not-allowed", id="rebound"),
        pytest.param(
            "GET", "/ping", {"Host": "127.0.0.1.evil.example"}, "host-not-allowed",
            id="a name that begins like us",
        ),
        pytest.param("GET", "/ping", {"Host": "192.168.1.5:48484"}, "host-not-allowed", id="LAN"),
        pytest.param("GET", "/ping", {}, "host-not-allowed", id="no Host at all"),
        pytest.param(
            "GET", "/v1/device", HERE | BEARER | {"Origin": "http://127.0.0.1:48484"},
            "origin-not-allowed", id="a web page, even one that seems to be ours",
        ),
    ],
)  # fmt: skip
def test_who_may_come_in_over_tcp(
    method: str, path: str, headers: Mapping[str, str], code: str | None
) -> None:
    if code is None:
        check_tcp(method, path, headers, Secret(TOKEN))
        return
    with pytest.raises(ApiRefusal) as caught:
        check_tcp(method, path, headers, Secret(TOKEN))
    assert caught.value.code == code
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("127.8.9.10", True),
        ("[::1]:48484", True),
        ("", False),
        ("localhost.evil.example", False),
        ("user@localhost", False),
        ("localhost:80:80", False),
        ("127.0.0.1 evil", False),
        ("10.0.0.1", False),
    ],
)
def test_hosts_that_name_this_machine(host: str, ours: bool) -> None:
    assert names_this_machine(host) is ours


def test_an_empty_token_is_none() -> None:
    assert token_in({"Authorization": "Bearer "}) is None
    assert token_in({"X-API-Key": ""}) is None


async def raw(port: int, request: bytes, *, wait_s: float = 5.0) -> bytes:
    """What the server says to these bytes, until it closes or says nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(request)
        async with asyncio.timeout(wait_s):
            return await reader.read(65536)


async def test_a_token_in_the_query_opens_nothing(api: Served) -> None:
    for name in ("token", "apiKey", "api_key", "access_token"):
        url = f"http://127.0.0.1:{api.port}/v1/device?{name}={api.token}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 401
            body = await response.json()
            assert body["code"] == "unauthorized"
            assert body["error"] == "Unauthorized"
            assert body["requestId"] == response.headers["X-Request-Id"]
            assert "remedy" in body["details"]
    assert api.token not in str(api.box.book.records())


async def test_a_rebound_name_is_turned_away_with_the_right_token(api: Served) -> None:
    answer = await raw(
        api.port,
        f"GET /v1/device HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {api.token}\r\n"
        "Connection: close\r\n\r\n".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"host-not-allowed" in answer


async def test_the_socket_asks_for_no_token(api: Served) -> None:
    assert (await api.unix.ok("/v1/device"))["uuid"] == api.box.uuid


async def test_errors_have_one_shape(api: Served) -> None:
    status, body = await api.unix.get("/nothing/here")
    assert status == 404
    assert body.keys() == {"error", "message", "details", "code", "requestId"}
    assert body["code"] == "not-found"

    status, body = await api.unix.call("DELETE", "/ping")
    assert (status, body["code"]) == (405, "method-not-allowed")


@pytest.mark.parametrize(
    ("data", "headers", "status", "code"),
    [
        pytest.param(b"{", {}, 400, "bad-json", id="half a JSON"),
        pytest.param(b"[1]", {}, 400, "bad-json", id="not an object"),
        pytest.param(b"[" * 100_000, {}, 400, "bad-json", id="deep beyond sense"),
        pytest.param(b'{"a":' * 40 + b"1" + b"}" * 40, {}, 400, "bad-json", id="too deep"),
        pytest.param(b"\xff\xfe{}", {}, 400, "bad-json", id="not UTF-8"),
        pytest.param(b"a=b", {"Content-Type": "text/plain"}, 400, "bad-json", id="a form"),
        pytest.param(b" " * (1024 * 1024 + 1), {}, 413, "too-large", id="a byte too many"),
        pytest.param(b'{"waitMs": "soon"}', {}, 400, "invalid-field", id="a wrong type"),
        pytest.param(b'{"waitMs": true}', {}, 400, "invalid-field", id="a boolean is no number"),
        pytest.param(b'{"waitMs": 60001}', {}, 400, "invalid-field", id="beyond the limit"),
        pytest.param(b'{"waitMs": 1e999}', {}, 400, "bad-json", id="no number at all"),
        pytest.param(b'{"until": "christmas"}', {}, 400, "invalid-field", id="no such word"),
    ],
)
async def test_bad_bodies_get_a_clear_answer(
    api: Served, data: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    await api.box.given_target(target(service("web", "1")))
    sent = {"Content-Type": "application/json", **headers}
    found, body = await api.unix.post("/v1/services/web/stop", data=data, headers=sent)
    assert (found, body["code"]) == (status, code)
    assert await api.box.store.intents() == ()


async def test_a_compressed_body_is_not_unfolded(api: Served) -> None:
    status, body = await api.unix.post(
        "/v1/reconcile", data=b"\x1f\x8b" + b"x" * 50, headers={"Content-Encoding": "gzip"}
    )
    assert status == 202  # a body that is not read is not inflated either
    status, body = await api.unix.post(
        "/v1/provision",
        data=b"\x1f\x8b" + b"x" * 50,
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )
    assert (status, body["code"]) == (400, "bad-json")


async def test_a_body_without_an_end_is_given_up(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its head promises a megabyte, which never comes."""
    monkeypatch.setattr(requests, "BODY_TIMEOUT_S", 0.3)
    head = (
        f"POST /v1/provision HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
    )
    answer = await raw(api.port, head.encode(), wait_s=15)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too-slow" in answer


async def test_a_head_that_never_ends_is_given_up(box: Box) -> None:
    async with serving(box, idle_timeout_s=0.3) as api:
        assert await raw(api.port, b"GET /ping HTTP/1.1\r\nHost: loc") == b""


async def test_a_secret_in_a_broken_body_is_not_echoed(api: Served) -> None:
    secret = "5e" * 32
    for broken in (f'{{"provisioningApiKey": "{secret}"', json.dumps([secret])):
        status, body = await api.unix.post(
            "/v1/provision", data=broken.encode(), headers={"Content-Type": "application/json"}
        )
        assert status == 400
        assert secret not in str(body)
    status, body = await api.unix.post("/v1/provision", {"provisioningApiKey": [secret]})
    assert status == 400
    assert secret not in str(body)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/services/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/services/%2e%2e",
        "/v1/services/a%00b",
        "/v1/services/" + "x" * 5000,
        "/v1/config/..%2fidentity.json",
        "/v1/apps/-1",
        "/v1/apps/1e3",
        "/v1/apps/" + "9" * 400,
        "/v1/services/web/logs?tail=-1",
        "/v1/services?appId=web",
        "/v1/logs?level=loud",
        "/v1/logs?follow=perhaps",
    ],
)
async def test_odd_names_are_refused_as_names(api: Served, path: str) -> None:
    async with api.unix.session.get(yarl.URL(f"http://agent{path}", encoded=True)) as response:
        assert response.status in (400, 404)
        body = await response.json()
    not_found = {"not-found", *(f"{kind}-not-found" for kind in ("app", "service", "setting"))}
    assert body["code"] in {"invalid-field", *not_found}


async def test_a_fault_of_ours_is_told_without_its_text_and_logged_once(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret text of an accident")

    monkeypatch.setattr(api.box.manager, "status", broken)
    status, body = await api.unix.get("/v1/device")

    assert (status, body["code"]) == (500, "internal")
    assert "accident" not in str(body)
    said = [r for r in api.box.book.records() if r["message"] == "request failed"]
    assert len(said) == 1
    assert said[0]["context"]["request_id"] == body["requestId"]


async def test_too_many_connections_are_turned_away_and_the_next_ones_served(box: Box) -> None:
    async with serving(box) as api:
        held = [
            await asyncio.open_connection("127.0.0.1", api.port) for _ in range(CONNECTIONS_MAX)
        ]
        try:
            assert await raw(api.port, b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
            assert (await api.unix.get("/ping"))[0] == 200  # each way in has its own count
        finally:
            for _, writer in held:
                writer.close()
        await box.until_async(lambda: _answers(api))


async def _answers(api: Served) -> bool:
    try:
        return (await api.tcp.get("/ping"))[0] == 200
    except aiohttp.ClientError:
        return False
