"""The way to a cloud, over real HTTP and real TLS."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from iotistic.agent.endpoint import parse_endpoint
from iotistic.agent.http import CloudConflict, CloudHttp, CloudRefused
from iotistic.agent.provisioning.pinned_ca import fetch_pinned_ca, parse_pin
from iotistic.agent.traffic import Traffic
from iotistic.model.errors import CloudUnavailable, InvalidField
from iotistic.model.secret import Secret
from tests.agent.certificates import authority, server_context
from tests.agent.provisioning.builders import JumpingClock

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that gives one answer to everything."""
    app = web.Application(client_max_size=20_000_000)
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def replying(
    status: int = 200, text: str = "{}", kind: str = "application/json", **headers: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=kind, headers=named)

    return answer


def client(url: str, **changes: Any) -> CloudHttp:
    return CloudHttp(url, clock=JumpingClock(), **changes)


async def test_keys_travel_in_headers_and_bodies_as_json() -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((str(request.rel_url), dict(request.headers), await request.read()))
        return web.json_response({"ok": True}, headers={"ETag": '"abc"'})

    async with serving(answer) as url, client(url, agent_version="1.2") as http:
        reply = await http.request(
            "PATCH",
            "/device/state",
            body={"a": "a" * 100},
            compress=True,
            device_key=Secret("k" * 8),
            bearer=Secret("b" * 8),
            if_none_match='"old"',
        )

    assert (reply.status, reply.body, reply.etag) == (200, {"ok": True}, '"abc"')
    path, headers, body = seen[0]
    assert path == "/api/v1/device/state"
    assert headers["X-Device-API-Key"] == "k" * 8
    assert headers["Authorization"] == f"Bearer {'b' * 8}"
    assert headers["If-None-Match"] == '"old"'
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers.keys().isdisjoint({"User-Agent", "Accept"})  # each poll would pay for them
    assert gzip.decompress(body) == b'{"a":"' + b"a" * 100 + b'"}'


async def test_who_asks_without_a_device_key_says_what_program_it_is() -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers["User-Agent"])
        return web.json_response({})

    async with serving(handle) as url, client(url, agent_version="1.2") as http:
        await http.request("POST", "/x", body={"a": 1}, compress=True)

    assert seen == ["iotistic-agent/1.2"]


async def test_unchanged_is_no_error_and_has_no_body() -> None:
    async with serving(replying(304, "", ETag='"abc"')) as url, client(url) as http:
        reply = await http.request("GET", "/x", if_none_match='"abc"')

    assert reply.unchanged
    assert reply.body is None


@pytest.mark.parametrize("etag", ['"\x01\x7f"', '"\xe9"', '"' + "e" * 7000 + '"', ""])
async def test_an_etag_that_could_not_be_sent_back_is_none(etag: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: {etag}\r\n"
    reply = f"{head}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode("latin-1")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, client(f"http://127.0.0.1:{port}") as http:
        assert (await http.request("GET", "/x")).etag is None
        # One that an earlier agent took and kept is left out.
        assert (await http.request("GET", "/x", if_none_match=etag)).status == 200


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_a_no_carries_the_status_and_the_clouds_own_code(status: int) -> None:
    text = '{"error":"x","message":"why","code":"its-code","details":{"remedy":"do this"}}'
    async with serving(replying(status, text)) as url, client(url) as http:
        with pytest.raises(CloudRefused) as refused:
            await http.request("GET", "/x")

    error = refused.value
    assert (error.status, error.code, error.remedy) == (status, "its-code", "do this")
    assert "why" in error.message


async def test_a_no_in_html_is_still_a_no() -> None:
    page = replying(404, "<pre>Cannot POST</pre>", "text/html")
    async with serving(page) as url, client(url) as http:
        with pytest.raises(CloudRefused) as refused:
            await http.request("POST", "/x")

    assert refused.value.code == "http-404"


async def test_a_conflict_is_one() -> None:
    async with serving(replying(409)) as url, client(url) as http:
        with pytest.raises(CloudConflict):
            await http.request("GET", "/x")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_says_how_long_to_wait(status: int) -> None:
    async with serving(replying(status, Retry_After="12")) as url, client(url) as http:
        with pytest.raises(CloudUnavailable) as failed:
            await http.request("GET", "/x")

    assert failed.value.code == f"http-{status}"
    assert failed.value.retry_after_s == 12


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(replying(200, "<html>", "text/html"), "not-json", id="HTML"),
        pytest.param(replying(200, '{"half": '), "not-json", id="half a JSON"),
        pytest.param(replying(200, "[" * 200 + "]" * 200), "not-json", id="too deep"),
        pytest.param(replying(200, "x" * 1001), "reply-too-large", id="more than was asked for"),
        pytest.param(
            replying(302, "", Location="http://127.0.0.1:9/"), "cloud-redirects", id="elsewhere"
        ),
        pytest.param(
            replying(200, "abc", Content_Encoding="gzip"), "cloud-unreachable", id="false gzip"
        ),
    ],
)
async def test_what_is_no_answer_is_named(answer: Answer, code: str) -> None:
    async with serving(answer) as url, client(url) as http:
        with pytest.raises(CloudUnavailable) as failed:
            await http.request("GET", "/x", reply_bytes_max=1000)

    assert failed.value.code == code


async def test_a_small_body_that_inflates_without_end_is_cut_off() -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(
            body=bomb, headers={"Content-Encoding": "gzip"}, content_type="application/json"
        )

    async with serving(answer) as url, client(url) as http:
        with pytest.raises(CloudUnavailable) as failed:
            await http.request("GET", "/x")

    assert failed.value.code == "reply-too-large"


async def test_a_body_that_breaks_off_is_no_answer() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        response.content_type = "application/json"
        await response.prepare(request)
        await response.write(b'{"a":')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(answer) as url, client(url) as http:
        with pytest.raises(CloudUnavailable) as failed:
            await http.request("GET", "/x")

    assert failed.value.code == "cloud-unreachable"


async def test_nobody_there_is_said_with_the_address() -> None:
    async with client("http://127.0.0.1:9") as http:
        with pytest.raises(CloudUnavailable) as failed:
            await http.request("GET", "/x")

    assert failed.value.message == "http://127.0.0.1:9 cannot be reached: Connection refused"


async def test_bytes_are_counted_both_ways_by_purpose() -> None:
    traffic = Traffic()
    async with (
        serving(replying(200, '"' + "x" * 1000 + '"')) as url,
        client(url, traffic=traffic) as http,
    ):
        await http.request("POST", "/x", body="y" * 500, purpose="report")
        await http.request("GET", "/x", purpose="poll")

    assert 500 < traffic.sent["report"] < 1000
    assert traffic.sent["poll"] < 500
    assert 1000 < traffic.received["poll"] < 1500


@pytest.mark.parametrize("paths", [("/health",), ("/api/health",)])
async def test_health_is_found_where_new_and_where_older_clouds_have_it(
    paths: tuple[str, ...],
) -> None:
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path in paths:
            return web.json_response({"status": "ok"})
        return web.Response(status=404)

    async with serving(answer) as url, client(url) as http:
        await http.health()

    assert asked[-1] in paths


class TestTrust:
    async def test_a_private_authority_is_trusted_when_given(self, tmp_path: Path) -> None:
        one = authority()
        async with (
            serving(replying(), server_context(tmp_path, one)) as url,
            client(url, ca_cert=one.pem) as http,
        ):
            assert (await http.request("GET", "/x")).status == 200

    async def test_line_ends_written_out_are_put_right(self, tmp_path: Path) -> None:
        one = authority()
        async with (
            serving(replying(), server_context(tmp_path, one)) as url,
            client(url, ca_cert=one.pem.replace("\n", "\\n")) as http,
        ):
            assert (await http.request("GET", "/x")).status == 200

    @pytest.mark.parametrize("ca_cert", [None, authority("two").pem])
    async def test_another_one_is_not(self, tmp_path: Path, ca_cert: str | None) -> None:
        async with (
            serving(replying(), server_context(tmp_path, authority())) as url,
            client(url, ca_cert=ca_cert) as http,
        ):
            with pytest.raises(CloudUnavailable) as failed:
                await http.request("GET", "/x")

        assert failed.value.code == "certificate-untrusted"
        assert "--ca" in (failed.value.remedy or "")

    async def test_a_certificate_for_another_name_is_not(self, tmp_path: Path) -> None:
        tls = server_context(tmp_path, authority(), address="192.0.2.1")
        async with serving(replying(), tls) as url, client(url, ca_cert=authority().pem) as http:
            with pytest.raises(CloudUnavailable) as failed:
                await http.request("GET", "/x")

        assert failed.value.code == "certificate-untrusted"

    @pytest.mark.parametrize(
        ("wall_ms", "code"),
        [
            pytest.param(0, "tls-clock", id="in 1970 it is the clock"),
            pytest.param(1_760_000_000_000, "certificate-not-yet-valid", id="else the certificate"),
        ],
    )
    async def test_not_yet_valid_is_told_apart_by_the_clock(
        self, tmp_path: Path, wall_ms: int, code: str
    ) -> None:
        tls = server_context(tmp_path, authority(), valid_from_days=1)
        async with serving(replying(), tls) as url:
            http = CloudHttp(url, clock=JumpingClock(wall_ms), ca_cert=authority().pem)
            async with http:
                with pytest.raises(CloudUnavailable) as failed:
                    await http.request("GET", "/x")

        assert failed.value.code == code

    async def test_an_expired_one_is_said_to_be(self, tmp_path: Path) -> None:
        tls = server_context(tmp_path, authority(), valid_from_days=-3, valid_days=1)
        async with serving(replying(), tls) as url, client(url, ca_cert=authority().pem) as http:
            with pytest.raises(CloudUnavailable) as failed:
                await http.request("GET", "/x")

        assert failed.value.code == "certificate-expired"

    async def test_verification_cannot_be_turned_off_from_afar(self, tmp_path: Path) -> None:
        async with serving(replying(), server_context(tmp_path, authority())) as url:
            async with client(url, verify_certificate=False) as http:
                with pytest.raises(CloudUnavailable):
                    await http.request("GET", "/x")
            async with client(url, verify_certificate=False, allow_insecure=True) as http:
                assert (await http.request("GET", "/x")).status == 200

    async def test_what_is_no_certificate_is_named(self) -> None:
        async with client("https://127.0.0.1:9", ca_cert="no certificate") as http:
            with pytest.raises(InvalidField) as refused:
                await http.request("GET", "/x")

        assert refused.value.path == "CLOUD_CA_CERT"


class TestAPinnedAuthority:
    async def test_is_found_in_the_chain_and_trusted_from_then_on(self, tmp_path: Path) -> None:
        one = authority()
        async with serving(replying(), server_context(tmp_path, one)) as url:
            pem = await fetch_pinned_ca(parse_endpoint(url), pin_of(one.der))
            async with client(url, ca_cert=pem) as http:
                assert (await http.request("GET", "/x")).status == 200

    async def test_may_be_the_clouds_own_certificate(self, tmp_path: Path) -> None:
        tls = server_context(tmp_path, authority(), send_chain=False)
        async with serving(replying(), tls) as url:
            der = der_of((tmp_path / "chain.pem").read_text())
            pem = await fetch_pinned_ca(parse_endpoint(url), pin_of(der))
            async with client(url, ca_cert=pem) as http:
                assert (await http.request("GET", "/x")).status == 200

    async def test_shown_by_somebody_in_the_middle_helps_them_nothing(self, tmp_path: Path) -> None:
        """They send the right authority's certificate along, but their own is not signed by it."""
        tls = server_context(tmp_path, authority("two"), send_chain=False)
        chain = tmp_path / "chain.pem"
        chain.write_text(chain.read_text() + authority().pem)
        tls.load_cert_chain(chain, tmp_path / "key.pem")
        async with serving(replying(), tls) as url:
            pem = await fetch_pinned_ca(parse_endpoint(url), pin_of(authority().der))
            async with client(url, ca_cert=pem) as http:
                with pytest.raises(CloudUnavailable) as failed:
                    await http.request("GET", "/x")

        assert failed.value.code == "certificate-untrusted"

    async def test_that_nobody_shows_is_a_mismatch(self, tmp_path: Path) -> None:
        async with serving(replying(), server_context(tmp_path, authority())) as url:
            with pytest.raises(CloudUnavailable) as failed:
                await fetch_pinned_ca(parse_endpoint(url), pin_of(authority("two").der))

        assert failed.value.code == "pin-mismatch"

    def test_is_read_as_openssl_prints_it(self) -> None:
        digest = hashlib.sha256(b"x").hexdigest()
        colons = ":".join(digest[n : n + 2] for n in range(0, 64, 2)).upper()

        assert parse_pin(f"SHA256:{colons}") == f"sha256:{digest}"


def pin_of(der: bytes) -> str:
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def der_of(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)
