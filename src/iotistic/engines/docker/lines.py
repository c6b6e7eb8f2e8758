"""Streams of one JSON document a line."""

from __future__ import annotations

import aiohttp

from iotistic.model.errors import EngineUnavailable


async def next_line(response: aiohttp.ClientResponse, what: str) -> bytes:
    """The next line that is not blank; b"" at the end. Its length is bounded by the reader."""
    while True:
        try:
            line = await response.content.readline()
        except ValueError as error:
            raise EngineUnavailable(f"a line of the engine's {what} is too long") from error
        if not line or line.strip():
            return line
