"""The engine's API socket: one request, its deadline, its size limit, its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec

from iotistic.engines.docker.errors import EngineAnswer, one_line
from iotistic.engines.docker.host import DockerHost
from iotistic.engines.protocol import EngineInfo
from iotistic.model.errors import EngineUnavailable, EngineUnresponsive

T = TypeVar("T")

Version = tuple[int, int]
API_FLOOR: Version = (1, 41)
BODY_BYTES_MAX = 64 * 1024 * 1024
_CONNECT_S = 10.0
VERSION_S = 15.0
_REFUSAL_BYTES_MAX = 64 * 1024


class _Version(msgspec.Struct):
    ApiVersion: str
    Version: str = ""
    MinAPIVersion: str = "1.24"


class _Refusal(msgspec.Struct):
    message: str


class Connection:
    """The API socket of one engine, connected when first asked something.

    The version spoken is the lowest that both sides know, 1.41 at least: it is the one that is
    tested, and a newer engine speaks it too until it drops it.

    Raises EngineUnavailable when there is no answer, EngineAnswer when there is one that says no.
    """

    def __init__(self, host: DockerHost) -> None:
        self._host = host
        # Over a Unix socket there is no host to name, but HTTP wants one.
        self._address = "http://localhost" if host.url.startswith("unix:") else host.url
        self.spoken = API_FLOOR
        """The version of the API that is spoken; known for sure once something was asked."""
        self.newest = API_FLOOR
        """The newest version that the engine knows."""
        self._session: aiohttp.ClientSession | None = None
        self._info: EngineInfo | None = None

    @property
    def is_local(self) -> bool:
        """Whether the engine runs on this machine."""
        return self._host.url.startswith("unix:")

    async def close(self) -> None:
        """Close all connections; asked again, it connects again."""
        session, self._session, self._info = self._session, None, None
        if session is not None:
            await session.close()

    async def negotiate(self, *, again: bool = False) -> EngineInfo:
        """Agree on a version with the engine, once; returns which engine it is."""
        if self._info is not None and not again:
            return self._info
        content = await self._fetch("GET", "version", within_s=VERSION_S, api=None)
        found = decode(content, _Version, what="its version")
        newest, oldest = _version(found.ApiVersion), _version(found.MinAPIVersion)
        if newest < API_FLOOR:
            raise EngineUnavailable(
                f"the engine speaks API {found.ApiVersion}, and 1.41 is the oldest we know",
                remedy="update Docker to 20.10 or newer",
            )
        self.spoken, self.newest = max(API_FLOOR, oldest), newest
        self._info = EngineInfo(
            kind="docker", version=found.Version, api_version=_text(self.spoken)
        )
        return self._info

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        within_s: float,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        api: Version | None = None,
    ) -> bytes:
        """One request, answered whole within `within_s` seconds; in the version `api`, if given."""
        await self.negotiate()
        return await self._fetch(
            method, path, within_s=within_s, params=params, body=body, api=api or self.spoken
        )

    async def _fetch(
        self,
        method: str,
        path: str,
        *,
        within_s: float,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        api: Version | None,
    ) -> bytes:
        async with _deadline(within_s, method, path):
            response = await self._open(method, path, params=params, body=body, api=api)
            try:
                return await _read_all(response, path, BODY_BYTES_MAX)
            finally:
                response.release()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        within_s: float,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request whose answer is read as it comes; `within_s` is for its beginning."""
        await self.negotiate()
        async with _deadline(within_s, method, path):
            response = await self._open(
                method, path, params=params, headers=headers, api=self.spoken
            )
        try:
            yield response
        except aiohttp.ClientError as error:
            raise EngineUnavailable(f"the engine's stream of /{path} broke") from error
        finally:
            # Closing, not releasing: a stream that is left early must end on the engine's side
            # too (that is how a pull is cancelled).
            response.close()

    async def _open(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        api: Version | None,
    ) -> aiohttp.ClientResponse:
        prefix = f"{self._address}/v{_text(api)}" if api else self._address
        try:
            response = await self._connected().request(
                method,
                f"{prefix}/{path}",
                params=params,
                data=None if body is None else msgspec.json.encode(body),
                headers={"Content-Type": "application/json", **(headers or {})},
                allow_redirects=False,
            )
        except aiohttp.ClientConnectionError as error:
            raise self._not_connected(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailable(
                f"the connection to the container engine broke during {method} /{path}"
            ) from error
        if response.status >= 400:
            raise await self._refused(response, method, path)
        return response

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            unix = self._host.url.removeprefix("unix://")
            self._session = aiohttp.ClientSession(
                # No limit: each container's output is followed on a connection of its own, and
                # what is asked of the engine must not wait for one of them to end.
                connector=aiohttp.UnixConnector(unix, limit=0)
                if unix != self._host.url
                else aiohttp.TCPConnector(ssl=self._host.tls or True, limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _refused(
        self, response: aiohttp.ClientResponse, method: str, path: str
    ) -> EngineAnswer | EngineUnavailable:
        try:
            content = await _read_all(response, path, _REFUSAL_BYTES_MAX)
        finally:
            response.close()
        text = content.decode("utf-8", "replace")
        if response.content_type == "application/json":
            text = decode(content, _Refusal, what=f"{method} /{path}").message
        if "client version" in text:
            self._info = None  # another engine than the one we agreed with
            return EngineUnavailable(text)
        return EngineAnswer(response.status, text)

    def _not_connected(self, error: aiohttp.ClientConnectionError) -> EngineUnavailable:
        if isinstance(getattr(error, "os_error", None), PermissionError):
            return EngineUnavailable(
                f"the container engine at {self._host.url} may not be used by this user",
                remedy="add the user to the group docker, or run the agent as root",
            )
        return EngineUnavailable(
            f"no container engine answers at {self._host.url}",
            remedy="start Docker, or set DOCKER_HOST",
        )


def filters(**wanted: Sequence[str]) -> str:
    """The parameter `filters` of listings and events."""
    return msgspec.json.encode(wanted).decode()


def decode(content: bytes, kind: type[T], *, what: str) -> T:
    """The engine's JSON as `kind`; raises EngineUnavailable for anything else."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineUnavailable(f"the engine's answer about {what} cannot be read") from error


@asynccontextmanager
async def _deadline(within_s: float, method: str, path: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError as error:
        raise EngineUnresponsive(
            f"the engine did not answer {method} /{path} within {within_s:.0f} s",
            remedy="see what holds it up: docs/how-to/engine-unresponsive.md",
        ) from error


async def _read_all(response: aiohttp.ClientResponse, path: str, bytes_max: int) -> bytes:
    parts = bytearray()
    try:
        async for part in response.content.iter_any():
            parts += part
            if len(parts) > bytes_max:
                raise EngineUnavailable(f"the engine's answer to /{path} is too long")
    except aiohttp.ClientError as error:
        raise EngineUnavailable(f"the engine's answer to /{path} broke off") from error
    return bytes(parts)


def _version(text: str) -> Version:
    major, _, minor = text.partition(".")
    try:
        return int(major), int(minor)
    except ValueError as error:
        raise EngineUnavailable(f"the engine names an odd API version: {one_line(text)}") from error


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
