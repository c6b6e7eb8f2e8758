"""The plan now, what would happen with another target, and why an app is as it is."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from iotistic.agent.api.access import busy
from iotistic.agent.api.downtime import took
from iotistic.agent.api.explain_views import Told, explain_json
from iotistic.agent.api.foresight_views import WhatIf, what_if_json
from iotistic.agent.api.plan_views import plan_json
from iotistic.agent.api.question import asked_target
from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.requests import query_integer, read_object
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.rows import find_app_called, find_service
from iotistic.agent.host.daemon_thread import in_daemon_thread
from iotistic.agent.reconciler import offer
from iotistic.agent.store.records import JournalEntry, StoredTarget
from iotistic.model.errors import (
    EngineUnavailable,
    IotisticError,
    NotFound,
    Refused,
    Unavailable,
)
from iotistic.model.reader import BODY_BYTES_MAX
from iotistic.model.target import TargetState, parse_target

LOOK_TIMEOUT_S = 5.0
WHAT_IF_TIMEOUT_S = 30.0
ENTRIES_DEFAULT = 20
ENTRIES_MAX = 200


class PlanRoutes:
    """`/v1/plan` and `/v1/explain`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._looking = asyncio.Lock()
        self._answering: asyncio.Future[dict[str, Any]] | None = None

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/plan", self.plan),
            web.post("/v1/plan", self.what_if),
            web.get("/v1/explain/{app}", self.explain),
            web.get("/v1/explain/{app}/{service}", self.explain),
        ]

    async def plan(self, _: web.Request) -> web.Response:
        """What is decided after a fresh look; after the last one while the engine is away."""
        await self._look()
        return json_reply(plan_json(self._rooms.facts()))

    async def explain(self, request: web.Request) -> web.Response:
        """Why an app, or one service of it, is as it is."""
        limit = query_integer(request, "journal", default=ENTRIES_DEFAULT, high=ENTRIES_MAX)
        await self._look()
        facts = self._rooms.facts()
        app = find_app_called(facts.apps, request.match_info["app"])
        word = request.match_info.get("service")
        row = None if word is None else find_service(app.services, word)
        told = Told(
            journal=await self._journal(app.app_id, str(row.service_id) if row else None, limit),
            last_words=self._rooms.reconciler.last_words,
        )
        return json_reply(explain_json(app, row, facts, told))

    async def _journal(
        self, app_id: int, service_id: str | None, limit: int
    ) -> tuple[JournalEntry, ...]:
        try:
            return await self._rooms.store.journal.of(app_id, service_id, limit=limit)
        except IotisticError as error:
            # What it tells is a help; how things stand is the answer.
            self._rooms.log.warning("journal cannot be read", app_id=app_id, error=error)
            return ()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await self._fresh_look()
        except (EngineUnavailable, TimeoutError) as error:
            self._rooms.log.debug("no fresh look for a plan", error=error)

    async def _fresh_look(self) -> None:
        # However many ask at once, the engine is asked twice at most: the second look after a
        # request has certainly begun after it.
        reconciler = self._rooms.reconciler
        fresh_from = reconciler.snapshot().rounds + 2
        async with self._looking:
            if reconciler.snapshot().rounds < fresh_from:
                await reconciler.look()

    async def what_if(self, request: web.Request) -> web.Response:
        """What would happen with the target of the body, or with the one that is held."""
        document = await read_object(request, bytes_max=BODY_BYTES_MAX)
        if self._answering is not None and not self._answering.done():
            raise busy("another question of this kind is being answered")
        # It is worked out in a thread, which nobody can stop: as long as it goes on, whether or
        # not somebody still waits for it, no other one is begun.
        self._answering = answering = asyncio.ensure_future(self._answer(document))
        answering.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(WHAT_IF_TIMEOUT_S):
                return json_reply(await asyncio.shield(answering))
        except TimeoutError as error:
            raise Unavailable(
                f"no answer within {WHAT_IF_TIMEOUT_S:.0f} s",
                remedy="try again when the device is less busy",
            ) from error

    async def _answer(self, document: dict[str, Any]) -> dict[str, Any]:
        rooms = self._rooms
        held = await rooms.store.target()
        if not document and held is None:
            raise NotFound(
                "no target was ever accepted, and none is in the body",
                remedy="send a target: {apps, config}",
            )
        version: int | None
        refusal: IotisticError | None = None
        warnings: tuple[str, ...] = ()
        if document:
            asked_for = await in_daemon_thread(lambda: asked_target(document, held))
            target = await in_daemon_thread(lambda: parse_target(asked_for))
            version, refusal, warnings = target.version, _refusal(held, target), target.warnings
            world, wanted, foreseen = await rooms.reconciler.foresee(asked_for)
        else:
            version = held.version if held else None
            world, wanted, foreseen = await rooms.reconciler.foresee()
        facts = rooms.facts()
        entries: list[JournalEntry] = []
        for app_id in sorted({app_id for app_id, _ in foreseen.interruptions}):
            entries += await self._journal(app_id, None, ENTRIES_MAX)
        asked = WhatIf(
            world=world,
            wanted=wanted,
            foreseen=foreseen,
            version=version,
            is_held=not document,
            kept_free_bytes=rooms.policy.disk_floor_bytes,
            refusal=refusal,
            warnings=warnings,
        )
        return await in_daemon_thread(lambda: what_if_json(asked, facts, took(entries)))


def _refusal(held: StoredTarget | None, target: TargetState) -> IotisticError | None:
    try:
        offer.judge(held, target)
    except Refused as error:
        return error
    return None
