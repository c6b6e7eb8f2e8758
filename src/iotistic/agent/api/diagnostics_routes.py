"""What is wrong with this device, what can be mended, and the bundle that helps others to help."""

from __future__ import annotations

from aiohttp import web

from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.requests import read_fields
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.diagnostics.doctor import Doctor

_ID_LENGTH_MAX = 64


class DiagnosticsRoutes:
    """`/v1/diagnostics` and its fixes."""

    def __init__(self, rooms: Rooms) -> None:
        self._doctor = Doctor(rooms)

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/diagnostics", self.examine),
            web.post("/v1/diagnostics/fix", self.mend),
        ]

    async def examine(self, _: web.Request) -> web.Response:
        """Look at everything that can be looked at."""
        return json_reply(await self._doctor.examine())

    async def mend(self, request: web.Request) -> web.Response:
        """Do one fix."""
        fields = await read_fields(request)
        fix_id = fields.text("id", length_max=_ID_LENGTH_MAX, expected="the id of a fix")
        return json_reply(await self._doctor.mend(fix_id))
