"""What is wrong with this device, what can be mended, and the bundle that helps others to help."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from iotistic.agent.api.access import busy
from iotistic.agent.api.bundle_parts import bundle_parts
from iotistic.agent.api.replies import json_reply, stream_headers
from iotistic.agent.api.requests import read_fields
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.diagnostics.bundle import write_bundle
from iotistic.agent.diagnostics.doctor import Doctor
from iotistic.agent.diagnostics.scrubber import Scrubber, known_secrets

_ID_LENGTH_MAX = 64


class DiagnosticsRoutes:
    """`/v1/diagnostics` and its fixes, `/v1/support-bundle`.

    `pages` are the parts of a bundle that the Device API tells anyway, by the name of their file.
    """

    def __init__(self, rooms: Rooms, pages: Mapping[str, Handler]) -> None:
        self._rooms = rooms
        self._doctor = Doctor(rooms)
        self._pages = {"diagnostics.json": self.examine, **pages}
        self._bundling = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/diagnostics", self.examine),
            web.post("/v1/diagnostics/fix", self.mend),
            web.get("/v1/support-bundle", self.bundle),
        ]

    async def examine(self, _: web.Request) -> web.StreamResponse:
        """Look at everything that can be looked at."""
        return json_reply(await self._doctor.examine())

    async def mend(self, request: web.Request) -> web.Response:
        """Do one fix."""
        fields = await read_fields(request)
        fix_id = fields.text("id", length_max=_ID_LENGTH_MAX, expected="the id of a fix")
        return json_reply(await self._doctor.mend(fix_id))

    async def bundle(self, request: web.Request) -> web.StreamResponse:
        """All that helps to help, without secrets, as a tar.gz."""
        if self._bundling.locked():
            raise busy("another bundle is being made")
        async with self._bundling:
            # Before the first byte: without the secrets it would not know what to leave out.
            scrubber = Scrubber(await known_secrets(self._rooms))
            pages = {name: partial(_document, page, request) for name, page in self._pages.items()}
            response = web.StreamResponse(
                headers={
                    **stream_headers(request),
                    "Content-Type": "application/gzip",
                    "Content-Disposition": 'attachment; filename="iotistic-support.tar.gz"',
                }
            )
            response.enable_chunked_encoding()
            await response.prepare(request)
            made = write_bundle(
                bundle_parts(self._rooms, pages), scrubber, wall_ms=self._rooms.clock.wall_ms()
            )
            with suppress(ConnectionResetError):
                async with aclosing(made):
                    async for piece in made:
                        await response.write(piece)
                await response.write_eof()
            return response


async def _document(page: Handler, request: web.Request) -> Any:
    """What a page of the Device API answers, as a document."""
    response = await page(request)
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        raise TypeError("a page of a bundle is one JSON document")
    return json.loads(response.body)
