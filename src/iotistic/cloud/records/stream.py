"""A device's log as it grows, as server-sent events with a cursor to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
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


_Piece = tuple[bytes, int, bool]
"""Events, the cursor behind them, and whether there may be more."""


class LogStream:
    """Gives a device's log piece by piece."""

    def __init__(self, shelf: Shelf, bells: Bells) -> None:
        self._shelf = shelf
        self._bells = bells
        self._looks: dict[Any, asyncio.Task[_Piece]] = {}

    def check(self) -> None:
        """Raises TooManyAttempts when too many follow already."""
        self._bells.check()

    async def events(
        self, device_id: int, query: LogQuery, *, after: int | None
    ) -> AsyncGenerator[bytes, None]:
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
    ) -> AsyncGenerator[bytes, None]:
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
                piece, cursor, is_full = await self._look_together(device_id, wanted, cursor)
                if piece:
                    yield piece
                if is_full:
                    continue
                try:
                    async with asyncio.timeout(ALIVE_S):
                        await event.wait()
                except TimeoutError:
                    yield _ALIVE
                else:
                    await asyncio.sleep(_GATHER_S)

    async def _look_together(self, device_id: int, query: LogQuery, cursor: int) -> _Piece:
        """One look for all who stand at the same place: a ring wakes them at the same time."""
        key = (device_id, query, cursor, self._bells.rings)
        look = self._looks.get(key)
        if look is None:
            look = asyncio.create_task(self._look(device_id, query, cursor))
            self._looks[key] = look
            look.add_done_callback(lambda _: self._looks.pop(key, None))
        # Whoever hangs up takes nothing from the others.
        return await asyncio.shield(look)

    async def _look(self, device_id: int, query: LogQuery, cursor: int) -> _Piece:
        lines, behind = await self._shelf.logs_after(device_id, query, cursor)
        return _packed(lines), behind, len(lines) == query.limit


def _packed(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(
        b"id: %d\ndata: %s\n\n" % (line["cursor"], canonical_json(line)) for line in lines
    )
