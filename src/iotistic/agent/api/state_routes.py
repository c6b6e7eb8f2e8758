"""Target, current state, figures."""

from __future__ import annotations

from aiohttp import web

from iotistic.agent.api.metrics import metrics_text
from iotistic.agent.api.plan_views import target_json
from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.requests import query_integer
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.logs.redaction import masked
from iotistic.agent.traffic import DAYS_KEPT
from iotistic.model.errors import NotFound


class StateRoutes:
    """`/v1/state`, `/v1/traffic`, `/metrics`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/state/target", self.target),
            web.get("/v1/state/current", self.current),
            web.get("/v1/traffic", self.traffic),
            web.get("/metrics", self.metrics),
        ]

    async def target(self, _: web.Request) -> web.Response:
        """The target as it was accepted."""
        target = await self._rooms.store.target()
        if target is None:
            raise NotFound(
                "no target was ever accepted", remedy="set one: iotctl fleet target set DEVICE FILE"
            )
        return json_reply(target_json(target))

    async def current(self, _: web.Request) -> web.Response:
        """What the next full report would say."""
        return json_reply(masked(await self._rooms.current.gather(None)))

    async def traffic(self, request: web.Request) -> web.Response:
        """What the link to the cloud costs, in bytes by purpose. Query: `days`."""
        days = query_integer(request, "days", default=1, high=DAYS_KEPT)
        if self._rooms.traffic is None:
            raise NotFound("traffic is not counted here")
        return json_reply(self._rooms.traffic.as_json(days=days))

    async def metrics(self, _: web.Request) -> web.Response:
        """Figures for Prometheus; those of processes, network and services as read last."""
        try:
            metrics = await self._rooms.readings.read()
        except OSError:
            metrics = None  # the recorder tells of it
        return web.Response(
            body=metrics_text(self._rooms, metrics).encode(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
