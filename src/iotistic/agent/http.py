"""The agent's one way to a cloud: verified TLS, bounded answers, typed errors, counted bytes.

What comes out of a request, and nothing else does:

    Reply              2xx or 304
    CloudRefused       400, 401, 403, 404, 410, 413 … : the same again gives the same answer
    CloudConflict      409
    CloudUnavailable   no connection, no trust, no time, 429, 5xx, or what is not an answer:
                       HTML, half a JSON, more than was asked for, a way to somewhere else
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import ssl
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import msgspec

from iotistic.agent.clock import Clock
from iotistic.agent.endpoint import API_VERSION, Endpoint, parse_endpoint, retry_after_s
from iotistic.agent.traffic.counting import Traffic, count_sent, head_bytes
from iotistic.agent.trust import make_ssl_context, no_trust, normalize_pem, out_of_time
from iotistic.agent.validity import Validity, fetch_validity
from iotistic.agent.wall_clock import implausible
from iotistic.model.errors import CloudUnavailable, Conflict, InvalidField, Refused
from iotistic.model.reader import BODY_BYTES_MAX, decode_json
from iotistic.model.secret import Secret

CONNECT_TIMEOUT_S = 10.0
TOTAL_TIMEOUT_S = 30.0
_KEEP_ALIVE_S = 75.0  # outlives the usual poll interval: no new TLS handshake for every poll
_CODE = re.compile(r"[a-z0-9-]{1,64}\Z")
_ETAG = re.compile(r"[\x21-\x7e]{1,256}\Z")
_MESSAGE_LENGTH_MAX = 200
_ERROR_BODY_BYTES_MAX = 64 * 1024
_TEMPORARY = frozenset({408, 425, 429})


class CloudRefused(Refused):
    """The cloud said no. `status` is HTTP's, `code` the cloud's own or `http-<status>`."""

    def __init__(self, message: str, *, status: int, code: str, remedy: str | None = None) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.status = status

    def details(self) -> dict[str, Any]:
        """The status beside the remedy."""
        return {"status": self.status, **super().details()}


class CloudConflict(CloudRefused, Conflict):
    """409: the cloud knows something that this does not fit to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the cloud answered: 2xx with its JSON (None when empty), or 304."""

    status: int
    body: Any = None
    etag: str | None = None

    @property
    def unchanged(self) -> bool:
        """304: what was asked for is as it was."""
        return self.status == 304


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A body that is no JSON document. `encoding` is HTTP's, None where it is as it is."""

    data: bytes
    media_type: str
    encoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer's date: what the cloud's clock said, and when it was heard by this one's."""

    date: str
    wall_ms: int
    round_trip_s: float


class CloudHttp:
    """One cloud, one session: opened at the first request, closed by `close` or `async with`.

    `ca_cert` is PEM text; with it only that authority is trusted. Certificates are always
    verified, unless `verify_certificate` is false *and* `allow_insecure` (a local setting).
    `clock_in_doubt` says whether a certificate that is out of its time may only seem so.
    Raises InvalidField when the address cannot be used, and the first request does so when
    `ca_cert` is no certificate.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        clock: Clock,
        ca_cert: str | None = None,
        verify_certificate: bool = True,
        allow_insecure: bool = False,
        api_version: str = API_VERSION,
        agent_version: str = "",
        traffic: Traffic | None = None,
        clock_in_doubt: Callable[[], bool] | None = None,
    ) -> None:
        self.endpoint: Endpoint = parse_endpoint(endpoint, allow_insecure=allow_insecure)
        self.traffic = traffic if traffic is not None else Traffic()
        self._clock = clock
        self._clock_in_doubt = clock_in_doubt or (lambda: implausible(clock.wall_ms()) is not None)
        self._validity: Validity | None = None
        self.round_trip_s: float | None = None
        """How long the last request took until the answer began, a new connection included; None
        while the cloud does not answer."""
        self.heard: Heard | None = None
        self._ca_cert = normalize_pem(ca_cert) if ca_cert else None
        self._verify = verify_certificate or not allow_insecure
        self._api_version = api_version
        self._agent = f"iotistic-agent/{agent_version}" if agent_version else "iotistic-agent"
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections. A later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        compress: bool = False,
        content: Content | None = None,
        device_key: Secret | None = None,
        bearer: Secret | None = None,
        if_none_match: str | None = None,
        versioned: bool = True,
        purpose: str = "other",
        reply_bytes_max: int = BODY_BYTES_MAX,
    ) -> Reply:
        """Ask once. `path` starts with `/`; `versioned` puts `/v1` before it.

        `body` goes as JSON, gzipped with `compress`; or else `content` as it is. Keys travel in
        headers only.
        Raises CloudRefused, CloudConflict or CloudUnavailable, see the module.
        """
        url = (
            self.endpoint.versioned(path, self._api_version)
            if versioned
            else self.endpoint.plain(path)
        )
        headers = {"Accept-Encoding": "gzip"}
        if device_key is None:
            headers |= {"Accept": "application/json", "User-Agent": self._agent}
        else:
            headers["X-Device-API-Key"] = device_key.reveal()
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer.reveal()}"
        if if_none_match is not None and _ETAG.match(if_none_match):
            headers["If-None-Match"] = if_none_match
        data: bytes | None = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json; charset=utf-8"
            packed = gzip.compress(data, mtime=0) if compress else data
            if len(packed) < len(data):
                data = packed
                headers["Content-Encoding"] = "gzip"
        elif content is not None:
            data = content.data
            headers["Content-Type"] = content.media_type
            if content.encoding is not None:
                headers["Content-Encoding"] = content.encoding
        return await self._ask(method, url, headers, data, purpose, reply_bytes_max)

    async def health(self) -> None:
        """Return when the cloud's `/health` answers, at the root or, with older ones, in `/api`."""
        headers = {"Accept": "application/json", "User-Agent": self._agent}
        limit = _ERROR_BODY_BYTES_MAX
        try:
            await self._ask("GET", f"{self.endpoint.origin}/health", headers, None, "health", limit)
        except CloudRefused as error:
            if error.status != 404:
                raise
            url = self.endpoint.plain("/health")
            await self._ask("GET", url, headers, None, "health", limit)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        data: bytes | None,
        purpose: str,
        reply_bytes_max: int,
    ) -> Reply:
        session = await self._open()
        began_s, took_s = self._clock.now_s(), None
        try:
            async with session.request(
                method,
                url,
                headers=headers,
                data=data,
                allow_redirects=False,
                trace_request_ctx=purpose,
            ) as response:
                took_s = self._clock.now_s() - began_s
                self._hear(response, took_s)
                self.traffic.count(purpose, received=head_bytes(response.headers))
                limit = reply_bytes_max if response.status < 300 else _ERROR_BODY_BYTES_MAX
                raw = await self._read(response, limit, purpose)
        except TimeoutError as error:
            raise CloudUnavailable(
                f"{self.endpoint.origin} did not answer in time", code="cloud-timeout"
            ) from error
        except (ssl.SSLError, aiohttp.ClientSSLError) as error:
            raise await self._no_trust(error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: what aiohttp and yarl raise for an answer or address that is malformed.
            raise CloudUnavailable(
                f"{self.endpoint.origin} cannot be reached: {_why(error)}",
                code="cloud-unreachable",
                remedy="check the network, and the address: iotctl config get-api",
            ) from error
        finally:
            self.round_trip_s = took_s
        return self._judge(response, raw)

    def _hear(self, response: aiohttp.ClientResponse, took_s: float) -> None:
        date = response.headers.get("Date")
        # One that was kept somewhere on the way is as old as what it came with.
        if date is not None and "Age" not in response.headers:
            wall_ms = self._clock.wall_ms()
            self.heard = Heard(date=date, wall_ms=wall_ms, round_trip_s=took_s)

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None or self._session.closed:
                # Reading the system's certificates takes a while on a small device: not here on
                # the loop.
                context = await asyncio.to_thread(self._ssl) if self.endpoint.secure else True
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(
                        ssl=context, limit=4, keepalive_timeout=_KEEP_ALIVE_S
                    ),
                    timeout=aiohttp.ClientTimeout(
                        total=TOTAL_TIMEOUT_S,
                        connect=CONNECT_TIMEOUT_S,
                        sock_connect=CONNECT_TIMEOUT_S,
                    ),
                    skip_auto_headers=("User-Agent", "Accept"),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    trace_configs=[count_sent(self.traffic)],
                )
            return self._session

    async def _no_trust(self, error: Exception) -> CloudUnavailable:
        in_doubt = out_of_time(error) and self._clock_in_doubt()
        if in_doubt and self._validity is None:
            self._validity = await fetch_validity(self.endpoint.origin)
        return no_trust(
            error,
            self.endpoint.origin,
            wall_ms=self._clock.wall_ms(),
            clock_in_doubt=in_doubt,
            valid=self._validity,
        )

    def _ssl(self) -> ssl.SSLContext:
        return make_ssl_context(self._ca_cert, verify=self._verify)

    async def _read(
        self, response: aiohttp.ClientResponse, bytes_max: int, purpose: str
    ) -> bytes | None:
        """The body as it was meant, or None when it is more than `bytes_max`."""
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        inflate = zlib.decompressobj(wbits=47) if encoding in {"gzip", "deflate"} else None
        whole = bytearray()
        async for chunk in response.content.iter_any():
            self.traffic.count(purpose, received=len(chunk))
            room = bytes_max - len(whole) + 1
            try:
                whole += inflate.decompress(chunk, room) if inflate else chunk
            except zlib.error as error:
                raise ValueError("its answer is not the gzip it says it is") from error
            if len(whole) > bytes_max:
                return None
        if inflate and whole and not inflate.eof:
            raise ValueError("its answer ended early")
        return bytes(whole)

    def _judge(self, response: aiohttp.ClientResponse, raw: bytes | None) -> Reply:
        status, etag = response.status, _etag(response.headers.get("ETag"))
        if status in {204, 304}:
            return Reply(status=status, etag=etag)
        if 200 <= status < 300:
            return Reply(
                status=status,
                body=self._json(response, raw),
                etag=etag,
            )
        if 300 <= status < 400:
            raise CloudUnavailable(
                f"{self.endpoint.origin} points elsewhere (HTTP {status}), which is not followed",
                code="cloud-redirects",
                remedy="set CLOUD_API_ENDPOINT to the cloud's own address",
            )
        code, message, remedy = _said(raw)
        text = f"the cloud answered {status}" + (f": {message}" if message else "")
        if status in _TEMPORARY or status >= 500:
            raise CloudUnavailable(
                text,
                code=code or f"http-{status}",
                remedy=remedy,
                retry_after_s=retry_after_s(
                    response.headers.get("Retry-After"),
                    date=response.headers.get("Date"),
                ),
            )
        kind = CloudConflict if status == 409 else CloudRefused
        raise kind(text, status=status, code=code or f"http-{status}", remedy=remedy)

    def _json(self, response: aiohttp.ClientResponse, raw: bytes | None) -> Any:
        if raw is None:
            raise CloudUnavailable(
                f"the answer of {self.endpoint.origin} is too large", code="reply-too-large"
            )
        if not raw:
            return None
        kind = response.content_type
        if kind != "application/json" and not kind.endswith("+json"):
            raise self._not_json(f"is {kind}")
        try:
            return decode_json(raw, at="reply")
        except InvalidField as error:
            raise self._not_json("does not parse") from error

    def _not_json(self, what: str) -> CloudUnavailable:
        return CloudUnavailable(
            f"the answer of {self.endpoint.origin} {what}, not JSON",
            code="not-json",
            remedy="something else than the cloud answers there; check CLOUD_API_ENDPOINT",
        )


def _etag(text: str | None) -> str | None:
    """An ETag that can be sent back; without one the whole document is asked for again."""
    return text if text is not None and _ETAG.match(text) else None


def _said(raw: bytes | None) -> tuple[str | None, str | None, str | None]:
    """The cloud's own code, sentence and remedy, where an error body has them."""
    try:
        body = decode_json(raw) if raw else None
    except InvalidField:
        body = None
    if not isinstance(body, dict):
        return None, None, None
    code, details = _short(body.get("code")), body.get("details")
    return (
        code if code and _CODE.match(code) else None,
        _short(body.get("message")) or _short(body.get("error")),
        _short(details.get("remedy")) if isinstance(details, dict) else None,
    )


def _short(value: object) -> str | None:
    return value[:_MESSAGE_LENGTH_MAX] if isinstance(value, str) and value else None


def _why(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        # The system's own words; aiohttp's repeat the address, and name inner things of theirs.
        cause = error.os_error
        if cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno)
        return str(cause.strerror or cause)
    return (str(error) or type(error).__name__)[:_MESSAGE_LENGTH_MAX]
