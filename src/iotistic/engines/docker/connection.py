"""The engine's API socket: one request, its deadline, its size limit, its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiodocker
import aiohttp
import msgspec

from iotistic.engines.docker.errors import EngineAnswer, one_line
from iotistic.engines.docker.host import DockerHost
from iotistic.engines.protocol import EngineInfo
from iotistic.model.errors import EngineUnavailable

T = TypeVar("T")

API_FLOOR = (1, 41)
BODY_BYTES_MAX = 64 * 1024 * 1024
_CONNECT_S = 10.0
_NOT_CONNECTED = 900  # aiodocker's own "status" for that


class _Version(msgspec.Struct):
    ApiVersion: str
    Version: str = ""
    MinAPIVersion: str = "1.24"


class _Api(aiodocker.Docker):
    """aiodocker's query layer: it knows sockets, versions, and the engine's error bodies."""

    def __init__(self, host: DockerHost) -> None:
        connector = None
        if host.url.startswith("http"):
            connector = aiohttp.TCPConnector(ssl=host.tls or True)
        super().__init__(
            url=host.url,
            connector=connector,
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S),
            api_version=_text(API_FLOOR),
        )
        # Made here for the sake of its TLS, so aiodocker leaves the closing to us.
        self._own_connector = connector

    async def close(self) -> None:
        await super().close()
        if self._own_connector is not None:
            await self._own_connector.close()

    async def open(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        versioned: bool,
    ) -> aiohttp.ClientResponse:
        return await self._do_query(
            path,
            method,
            params=dict(params) if params else None,
            data=None if body is None else msgspec.json.encode(body),
            headers=headers,
            versioned_api=versioned,
        )


class Connection:
    """The API socket of one engine, connected when first asked something.

    The version spoken is the lowest that both sides know, 1.41 at least: it is the one that is
    tested, and a newer engine speaks it too until it drops it.

    Raises EngineUnavailable when there is no answer, EngineAnswer when there is one that says no.
    """

    def __init__(self, host: DockerHost) -> None:
        self._host = host
        self._api: _Api | None = None
        self._info: EngineInfo | None = None

    async def close(self) -> None:
        """Close all connections; asked again, it connects again."""
        api, self._api, self._info = self._api, None, None
        if api is not None:
            await api.close()

    async def negotiate(self, *, again: bool = False) -> EngineInfo:
        """Agree on a version with the engine, once; returns which engine it is."""
        if self._info is not None and not again:
            return self._info
        content = await self._fetch("GET", "version", within_s=15.0, versioned=False)
        found = decode(content, _Version, what="its version")
        newest, oldest = _version(found.ApiVersion), _version(found.MinAPIVersion)
        if newest < API_FLOOR:
            raise EngineUnavailable(
                f"the engine speaks API {found.ApiVersion}, and 1.41 is the oldest we know",
                remedy="update Docker to 20.10 or newer",
            )
        spoken = _text(max(API_FLOOR, oldest))
        if self._api is not None:
            self._api.api_version = spoken
        self._info = EngineInfo(
            kind="docker", version=found.Version, api_version=spoken.removeprefix("v")
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
    ) -> bytes:
        """One request, answered whole within `within_s` seconds."""
        await self.negotiate()
        return await self._fetch(method, path, within_s=within_s, params=params, body=body)

    async def _fetch(
        self,
        method: str,
        path: str,
        *,
        within_s: float,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        versioned: bool = True,
    ) -> bytes:
        async with _deadline(within_s, method, path):
            response = await self._open(method, path, params=params, body=body, versioned=versioned)
            try:
                return await _read_all(response, path)
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
            response = await self._open(method, path, params=params, headers=headers)
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
        versioned: bool = True,
    ) -> aiohttp.ClientResponse:
        if self._api is None:
            self._api = _Api(self._host)
        try:
            return await self._api.open(
                method, path, params=params, body=body, headers=headers, versioned=versioned
            )
        except aiodocker.DockerError as error:
            if error.status == _NOT_CONNECTED:
                raise self._not_connected(error.message) from error
            if "client version" in error.message:
                self._info = None  # another engine than the one we agreed with
                raise EngineUnavailable(error.message) from error
            raise EngineAnswer(error.status, error.message) from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailable(
                f"the connection to the container engine broke during {method} /{path}"
            ) from error
        except (ValueError, KeyError, TypeError) as error:  # an error body that is not one
            raise EngineUnavailable(f"the engine's answer to {method} /{path} is odd") from error

    def _not_connected(self, text: str) -> EngineUnavailable:
        if "Permission denied" in text:
            return EngineUnavailable(
                f"the container engine at {self._host.url} may not be used by this user",
                remedy="add the user to the group docker, or run the agent as root",
            )
        return EngineUnavailable(
            f"no container engine answers at {self._host.url}",
            remedy="start Docker, or set DOCKER_HOST",
        )


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
        raise EngineUnavailable(
            f"the engine did not answer {method} /{path} within {within_s:.0f} s"
        ) from error


async def _read_all(response: aiohttp.ClientResponse, path: str) -> bytes:
    parts = bytearray()
    try:
        async for part in response.content.iter_any():
            parts += part
            if len(parts) > BODY_BYTES_MAX:
                raise EngineUnavailable(f"the engine's answer to /{path} is too long")
    except aiohttp.ClientError as error:
        raise EngineUnavailable(f"the engine's answer to /{path} broke off") from error
    return bytes(parts)


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    try:
        return int(major), int(minor)
    except ValueError as error:
        raise EngineUnavailable(f"the engine names an odd API version: {one_line(text)}") from error


def _text(version: tuple[int, int]) -> str:
    return f"v{version[0]}.{version[1]}"
