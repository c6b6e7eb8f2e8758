"""A copy of the database, out and in."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from iotistic.agent.api.access import busy
from iotistic.agent.api.replies import json_reply, stream_headers
from iotistic.agent.api.requests import read_file
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.host.files import create_owner_only
from iotistic.model.errors import InvalidField

RESTORE_BYTES_MAX = 256 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_CONTENT_TYPE = "application/vnd.sqlite3"
_CHECKSUM = "X-Content-SHA256"


class DatabaseRoutes:
    """`/v1/db/backup` and `/v1/db/restore`: one at a time."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._lock = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/db/backup", self.backup),
            web.post("/v1/db/restore", self.restore),
        ]

    async def backup(self, request: web.Request) -> web.StreamResponse:
        """A consistent copy."""
        async with self._scratch("backup") as file:
            await self._rooms.store.backup(file)
            size, checksum = await asyncio.to_thread(_measure, file)
            response = web.StreamResponse(
                headers={
                    **stream_headers(request),
                    "Content-Type": _CONTENT_TYPE,
                    _CHECKSUM: checksum,
                    "Content-Disposition": 'attachment; filename="device.sqlite"',
                }
            )
            response.content_length = size
            await response.prepare(request)
            opened = await asyncio.to_thread(file.open, "rb")
            try:
                while chunk := await asyncio.to_thread(opened.read, _CHUNK_BYTES):
                    await response.write(chunk)
            finally:
                await asyncio.to_thread(opened.close)
            await response.write_eof()
            return response

    async def restore(self, request: web.Request) -> web.Response:
        """Put a copy back; the agent starts anew with it."""
        wanted = request.headers.get(_CHECKSUM, "")
        if not _SHA256.fullmatch(wanted):
            raise InvalidField(_CHECKSUM, expected="the SHA-256 of the file in hex", found=wanted)
        async with self._scratch("restore") as file:
            await asyncio.to_thread(create_owner_only, file)
            found = await _receive(request, file)
            if found != wanted.lower():
                raise InvalidField(
                    _CHECKSUM,
                    expected=found,
                    found=wanted,
                    remedy="the file was damaged on its way; send it again",
                )
            aside = await self._rooms.store.restore(file)
        self._rooms.log.info("database restored", kept=str(aside) if aside else None)
        self._rooms.agent.restart()
        return json_reply(
            {"status": "restarting", "quarantined": str(aside) if aside else None}, status=202
        )

    @asynccontextmanager
    async def _scratch(self, purpose: str) -> AsyncIterator[Path]:
        """A file name in the state folder that is free, and free again afterwards."""
        if self._lock.locked():
            raise busy("another backup or restore is under way")
        file = self._rooms.agent.state_dir / f".api-{purpose}.sqlite"
        async with self._lock:
            # One may be left of an agent that was killed.
            await asyncio.to_thread(file.unlink, missing_ok=True)
            try:
                yield file
            finally:
                await asyncio.to_thread(file.unlink, missing_ok=True)


def _measure(file: Path) -> tuple[int, str]:
    """(size, SHA-256 in hex)."""
    with file.open("rb") as opened:
        checksum = hashlib.file_digest(opened, "sha256").hexdigest()
        return opened.tell(), checksum


async def _receive(request: web.Request, file: Path) -> str:
    """Write the body to the file; its SHA-256 in hex."""
    digest = hashlib.sha256()
    opened = await asyncio.to_thread(file.open, "wb")
    try:
        async for chunk in read_file(request, bytes_max=RESTORE_BYTES_MAX):
            digest.update(chunk)
            await asyncio.to_thread(opened.write, chunk)
    finally:
        await asyncio.to_thread(opened.close)
    return digest.hexdigest()
