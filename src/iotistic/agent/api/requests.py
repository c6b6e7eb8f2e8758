"""Reading requests: bodies and queries, bounded in size, depth and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from aiohttp import web

from iotistic.agent.api.replies import ApiRefusal
from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_integer, decode_json

BODY_BYTES_MAX = 1024 * 1024
BODY_TIMEOUT_S = 10.0
CHUNK_TIMEOUT_S = 30.0
_NUMBER_LENGTH_MAX = 16


async def read_fields(request: web.Request, *, bytes_max: int = BODY_BYTES_MAX) -> Fields:
    """The JSON object of a body, `{}` when there is none."""
    return Fields(await read_object(request, bytes_max=bytes_max), "")


async def read_object(request: web.Request, *, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """The same as it came."""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in _chunks(request, bytes_max=bytes_max):
                data += chunk
    except TimeoutError as error:
        raise _too_slow() from error
    if not data.strip():
        return {}
    if request.content_type != "application/json":
        raise _bad_json("the body is not said to be JSON")
    try:
        value = decode_json(bytes(data), bytes_max=bytes_max)
    except InvalidField as error:
        # Told without what was found: what is half a JSON may hold a whole key.
        raise _bad_json("the body is not JSON, or nested too deeply") from error
    if not isinstance(value, dict):
        raise _bad_json("the body is not a JSON object")
    return value


async def read_file(request: web.Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    """A file that is sent as a body, piece by piece."""
    chunks = _chunks(request, bytes_max=bytes_max)
    while True:
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise _too_slow() from error
        if chunk is None:
            return
        yield chunk


async def _chunks(request: web.Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    if request.content_length is not None and request.content_length > bytes_max:
        raise _too_large(bytes_max)
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        yield chunk


def query_flag(request: web.Request, name: str) -> bool:
    """A flag of the query, false when absent."""
    match request.query.get(name, "false").lower():
        case "true" | "1" | "yes" | "":
            return True
        case "false" | "0" | "no":
            return False
        case other:
            raise InvalidField(name, expected="true or false", found=other)


def query_integer(request: web.Request, name: str, *, default: int, high: int) -> int:
    """An integer of the query, from 0 to `high`."""
    text = request.query.get(name)
    return default if text is None else parse_integer(text, name, low=0, high=high)


def optional_query_integer(request: web.Request, name: str, *, low: int = 0) -> int | None:
    """An integer of the query, None when absent."""
    text = request.query.get(name)
    return None if text is None else parse_integer(text, name, low=low)


def parse_integer(text: str, at: str, *, low: int, high: int = INTEGER_MAX) -> int:
    """A decimal number in [low, high]; raises InvalidField."""
    if len(text) > _NUMBER_LENGTH_MAX or not (text.isascii() and text.isdigit()):
        raise InvalidField(at, expected=f"an integer from {low} to {high}", found=text)
    return check_integer(int(text), at, low=low, high=high)


def _bad_json(message: str) -> ApiRefusal:
    return ApiRefusal(
        HTTPStatus.BAD_REQUEST,
        message,
        code="bad-json",
        remedy="send a JSON object with 'Content-Type: application/json'",
    )


def _too_large(bytes_max: int) -> ApiRefusal:
    return ApiRefusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {bytes_max} bytes",
        code="too-large",
    )


def _too_slow() -> ApiRefusal:
    return ApiRefusal(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time", code="too-slow")
