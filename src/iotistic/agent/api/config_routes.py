"""Settings: what is in force, where it comes from, and changing it."""

from __future__ import annotations

from aiohttp import web

from iotistic.agent.api.device_views import endpoints_json, outcome_json, setting_json
from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.requests import read_fields
from iotistic.agent.api.rooms import Rooms
from iotistic.model.errors import InvalidField

_SETTINGS_MAX = 100
_URL_LENGTH_MAX = 2048
_PEM_LENGTH_MAX = 64 * 1024


class ConfigRoutes:
    """`/v1/config`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/config", self.show),
            web.patch("/v1/config", self.change),
            web.get("/v1/config/{name}", self.get),
            web.put("/v1/config/api-endpoint", self.set_endpoint),
        ]

    async def show(self, _: web.Request) -> web.Response:
        """All settings, and what came of each key that the cloud sent."""
        judgement = self._rooms.config.judgement()
        return json_reply(
            {
                "settings": [setting_json(row) for row in self._rooms.settings.rows()],
                "cloud": [outcome_json(outcome) for outcome in judgement.outcomes],
                **endpoints_json(self._rooms.provisioning.status()),
            }
        )

    async def get(self, request: web.Request) -> web.Response:
        """One setting."""
        return json_reply(setting_json(self._rooms.settings.row(request.match_info["name"])))

    async def change(self, request: web.Request) -> web.Response:
        """Change settings, all or none."""
        fields = await read_fields(request)
        given = fields.mapping("settings")
        if not given or len(given) > _SETTINGS_MAX:
            raise InvalidField(
                "settings", expected=f"1 to {_SETTINGS_MAX} settings by name", found=len(given)
            )
        rooms = self._rooms
        for name, value in given.items():
            if value is not None and not isinstance(value, str):
                raise InvalidField(name, expected="a text, or null", found=type(value).__name__)
            rooms.settings.check_change(name, value)
        await rooms.store.change_settings(given)
        for name, value in given.items():
            rooms.settings.change(name, value)
        rooms.agent.settings_changed()
        return json_reply(
            {"settings": [setting_json(rooms.settings.row(name)) for name in sorted(given)]}
        )

    async def set_endpoint(self, request: web.Request) -> web.Response:
        """Change the cloud's address, once the new one answered."""
        fields = await read_fields(request)
        await self._rooms.provisioning.set_endpoint(
            fields.text("apiEndpoint", length_max=_URL_LENGTH_MAX, expected="the cloud's address"),
            ca_cert=fields.optional_text("caCert", length_max=_PEM_LENGTH_MAX),
        )
        return json_reply(endpoints_json(self._rooms.provisioning.status()))
