"""A device's log as it grows, as server-sent events with a cursor to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from iotistic.cloud.records.follow import Bells
from iotistic.cloud.records.query import LogQuery, Span
from iotistic.cloud.records.shelf import Shelf
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import IotisticError

ALIVE_S = 15.0
"""A sign of life when nothing else comes. Lines that another process took are seen then too."""
FOLLOW_S_MAX = 900.0
"""Then it ends, and whoever still may goes on from the last cursor."""
_PIECE = 500
_ALIVE = b": alive\n\n"
# Lines come in batches, and one look for all that come at once is cheaper for everybody.
_GATHER_S = 0.2


class LogStream:
    """Gives a device's log piece by piece."""

    def __init__(self, shelf: Shelf, bells: Bells) -> None:
        self._shelf = shelf
        self._bells = bells

    def check(self) -> None:
        """Raises TooManyAttempts when too many follow already."""
        self._bells.check()

    async def events(
        self, device_id: int, query: LogQuery, *, after: int | None
    ) -> AsyncIterator[bytes]:
        """The lines behind the cursor `after`, or the last ones, and then those that come."""
        try:
            async with asyncio.timeout(FOLLOW_S_MAX):
                async for piece in self._events(device_id, query, after):
                    yield piece
        except TimeoutError:
            return
        except IotisticError as error:
            told = {"code": error.code, "message": error.message}
            yield b"event: error\ndata: " + canonical_json(told) + b"\n\n"

    async def _events(
        self, device_id: int, query: LogQuery, after: int | None
    ) -> AsyncIterator[bytes]:
        with self._bells.listening(device_id) as event:
            if after is None:
                cursor = await self._shelf.last_log(device_id)
                last = await self._shelf.logs(device_id, query) if query.limit else []
                yield _packed([line for line in last if line["cursor"] <= cursor]) or _ALIVE
            else:
                cursor = after
                yield _ALIVE
            # A span is of what was; what comes from a device whose clock is late is news as well.
            wanted = replace(query, limit=_PIECE, offset=0, span=Span())
            while not self._bells.is_closed:
                event.clear()
                lines, cursor = await self._shelf.logs_after(device_id, wanted, cursor)
                if lines:
                    yield _packed(lines)
                if len(lines) == _PIECE:
                    continue
                try:
                    async with asyncio.timeout(ALIVE_S):
                        await event.wait()
                except TimeoutError:
                    yield _ALIVE
                else:
                    await asyncio.sleep(_GATHER_S)


def _packed(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(
        b"id: %d\ndata: %s\n\n" % (line["cursor"], canonical_json(line)) for line in lines
    )
