"""Reading requests: bodies within limits, the caller's address, pages."""

from __future__ import annotations

import asyncio
import hashlib
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import InternalServerException

from iotistic.cloud.errors import TooLarge, TooSlow
from iotistic.model.errors import InvalidField, NotFound
from iotistic.model.reader import decode_json

Connection = ASGIConnection[Any, Any, Any, Any]
AnyRequest = Request[Any, Any, Any]

SMALL_BODY_BYTES_MAX = 256 * 1024
READ_TIMEOUT_S = 60.0
_OFF_LOOP_FROM_BYTES = 128 * 1024
_GZIP = frozenset({"gzip", "x-gzip"})
_INFLATE_WINDOW = 31
_MAGIC = b"\x1f\x8b"
_PATH_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")


async def read_json(request: AnyRequest, *, bytes_max: int = SMALL_BODY_BYTES_MAX) -> Any:
    """The body as JSON, inflated where it says gzip. Raises TooLarge, InvalidField.

    `bytes_max` counts after inflation; more is never made of it, however well it packs.
    """
    data = await _read(request, bytes_max)
    if len(data) < _OFF_LOOP_FROM_BYTES:
        return _decoded(data, bytes_max)
    return await asyncio.to_thread(_decoded, data, bytes_max)


async def read_object(request: AnyRequest, *, bytes_max: int = SMALL_BODY_BYTES_MAX) -> Any:
    """`read_json`, where an empty body counts as an object without fields."""
    data = await _read(request, bytes_max)
    return _decoded(data, bytes_max) if data else {}


async def read_text(request: AnyRequest, *, bytes_max: int) -> str:
    """The body as UTF-8 text, inflated where it says gzip. Raises TooLarge, InvalidField."""
    data = await _read(request, bytes_max)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidField("body", expected="UTF-8 text", secret=True) from error


async def read_lines(request: AnyRequest, *, bytes_max: int) -> bytes:
    """The body as lines, inflated where it says gzip or begins like it. Raises TooLarge,
    InvalidField.
    """
    data = await _read(request, bytes_max)
    # One content type of the wire says gzip in its name, and has no encoding header.
    return await asyncio.to_thread(_inflated, data, bytes_max) if data[:2] == _MAGIC else data


def media_type_of(request: AnyRequest) -> str:
    """What the caller says the body is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _decoded(data: bytes, bytes_max: int) -> Any:
    try:
        return decode_json(data, bytes_max=bytes_max)
    except InvalidField as error:
        # Bodies hold passwords and keys, and an answer may end in somebody's log.
        raise InvalidField("body", expected=error.expected, secret=True) from error


async def drain(request: AnyRequest, *, bytes_max: int) -> None:
    """Read the body and forget it; what is beyond `bytes_max` is not even read."""
    read = 0
    async with _in_time():
        async for chunk in request.stream():
            read += len(chunk)
            if read > bytes_max:
                return


async def _read(request: AnyRequest, bytes_max: int) -> bytes:
    async with _in_time():
        return await _read_body(request, bytes_max)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            yield
    except TimeoutError as error:
        raise TooSlow(f"the body did not arrive within {READ_TIMEOUT_S:.0f} s") from error
    except InternalServerException as error:
        # What the framework calls its own failure: the caller has hung up. Nobody reads the answer.
        raise TooSlow("the connection ended before the body did", code="cut-off") from error


async def _read_body(request: AnyRequest, bytes_max: int) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in _GZIP:
        return await _read_gzip(request, bytes_max)
    if encoding not in {"identity", ""}:
        raise InvalidField("Content-Encoding", expected="gzip or none", found=encoding)
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > bytes_max:
        raise _too_large(bytes_max)
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > bytes_max:
            raise _too_large(bytes_max)
    return bytes(whole)


def _inflated(data: bytes, bytes_max: int) -> bytes:
    inflate = zlib.decompressobj(wbits=_INFLATE_WINDOW)
    try:
        whole = inflate.decompress(data, bytes_max + 1)
    except zlib.error as error:
        raise InvalidField("body", expected="gzip, as its first bytes say", secret=True) from error
    if len(whole) > bytes_max:
        raise _too_large(bytes_max)
    if not inflate.eof or inflate.unused_data:
        raise InvalidField("body", expected="one whole gzip stream", secret=True)
    return whole


async def _read_gzip(request: AnyRequest, bytes_max: int) -> bytes:
    inflate = zlib.decompressobj(wbits=_INFLATE_WINDOW)
    whole, packed = bytearray(), 0
    try:
        async for chunk in request.stream():
            packed += len(chunk)
            whole += inflate.decompress(chunk, bytes_max - len(whole) + 1)
            # A stream may go on for ever and inflate to nothing.
            if max(len(whole), packed) > bytes_max:
                raise _too_large(bytes_max)
            if inflate.unused_data:
                break
    except zlib.error as error:
        raise InvalidField("body", expected="gzip, as Content-Encoding says") from error
    if not inflate.eof or inflate.unused_data:
        raise InvalidField("body", expected="one whole gzip stream")
    return bytes(whole)


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the body has more than {bytes_max} bytes", remedy="send less at once")


def client_address(connection: Connection) -> str:
    """Where the caller is, as the socket (or a trusted proxy) says."""
    client = connection.scope.get("client")
    return str(client[0])[:64] if client else "unknown"


def bearer_of(connection: Connection) -> str | None:
    """The token of `Authorization: Bearer …`, or None."""
    header = connection.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def device_key_of(connection: Connection) -> str | None:
    """The key a device shows: `X-Device-API-Key`, else the bearer token. None without one."""
    return connection.headers.get("x-device-api-key") or bearer_of(connection)


def token_hash(token: str) -> str:
    """How a random token or device key stands in the database.

    A plain SHA-256 suffices for 256 random bits; finding the row by its hash takes the same time
    whatever the caller guessed right.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def path_number(text: str, what: str) -> int:
    """A number in a path, as it is written in replies and in no other way.

    Raises NotFound with the code `no-such-<what>`: what Python takes for a number, such as `+1`
    and `1_0`, would give one thing several addresses.
    """
    if not _PATH_NUMBER.fullmatch(text):
        raise NotFound(f"there is no such {what}; one is named by digits", code=f"no-such-{what}")
    return int(text)


def query_integer(request: AnyRequest, name: str, *, default: int, high: int) -> int:
    """An integer from 0 to `high` of the query. Raises InvalidField."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= high):
        raise InvalidField(name, expected=f"an integer from 0 to {high}", found=text)
    return int(text)


def query_flag(request: AnyRequest, name: str) -> bool:
    """Whether the query says yes to `name`. Raises InvalidField for anything but 0 and 1."""
    text = request.query_params.get(name, "0").lower()
    if text in {"1", "true", ""}:
        return True
    if text in {"0", "false"}:
        return False
    raise InvalidField(name, expected="0 or 1", found=text)
