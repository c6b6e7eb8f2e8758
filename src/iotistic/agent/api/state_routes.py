"""Plan, target, current state, figures."""

from __future__ import annotations

import asyncio

from aiohttp import web

from iotistic.agent.api.metrics import metrics_text
from iotistic.agent.api.plan_views import plan_json, target_json
from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.logs.redaction import masked
from iotistic.model.errors import EngineUnavailable, NotFound

LOOK_TIMEOUT_S = 5.0


class StateRoutes:
    """`/v1/plan`, `/v1/state`, `/metrics`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._looking = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/plan", self.plan),
            web.get("/v1/state/target", self.target),
            web.get("/v1/state/current", self.current),
            web.get("/metrics", self.metrics),
        ]

    async def plan(self, _: web.Request) -> web.Response:
        """What is decided after a fresh look; after the last one while the engine is away."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await self._fresh_look()
        except (EngineUnavailable, TimeoutError) as error:
            self._rooms.log.debug("no fresh look for a plan", error=error)
        return json_reply(plan_json(self._rooms.facts()))

    async def _fresh_look(self) -> None:
        # However many ask at once, the engine is asked twice at most: the second look after a
        # request has certainly begun after it.
        reconciler = self._rooms.reconciler
        fresh_from = reconciler.snapshot().rounds + 2
        async with self._looking:
            if reconciler.snapshot().rounds < fresh_from:
                await reconciler.look()

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

    async def metrics(self, _: web.Request) -> web.Response:
        """Figures for Prometheus."""
        return web.Response(
            body=metrics_text(self._rooms).encode(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
