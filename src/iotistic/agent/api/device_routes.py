"""The device and the agent itself: alive, who, how it stands, its log, start anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from aiohttp import web

from iotistic.agent.api.device_views import (
    cloud_json,
    device_json,
    health_json,
    target_summary_json,
)
from iotistic.agent.api.plan_views import device_settled
from iotistic.agent.api.replies import json_reply, text_reply
from iotistic.agent.api.requests import query_flag, query_integer
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.streams import Streams
from iotistic.agent.api.views import Json, error_json, verdict_json
from iotistic.agent.api.warnings import warnings_of
from iotistic.agent.logs import LogLevel
from iotistic.model.errors import CloudUnavailable, EngineUnavailable, InvalidField

RECORDS_DEFAULT = 50
RECORDS_MAX = 1000
SYNC_TIMEOUT_S = 20.0
ENGINE_TIMEOUT_S = 2.0


class DeviceRoutes:
    """`/ping`, `/v1/device`, `/v1/status` and their kin."""

    def __init__(self, rooms: Rooms, streams: Streams) -> None:
        self._rooms = rooms
        self._streams = streams
        self._engine_version: str | None = None

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/ping", self.ping),
            web.get("/v1/healthy", self.healthy),
            web.get("/v1/health", self.health),
            web.get("/v1/device", self.device),
            web.get("/v1/status", self.status),
            web.get("/v1/logs", self.logs),
            web.post("/v1/agent/restart", self.restart),
            web.post("/v1/safe-mode/leave", self.leave_safe_mode),
            web.post("/v1/sync", self.sync),
            web.post("/v1/reconcile", self.reconcile),
        ]

    async def ping(self, _: web.Request) -> web.Response:
        """The API answers."""
        return text_reply("OK")

    async def healthy(self, _: web.Request) -> web.Response:
        """All of the agent's services run."""
        if self._rooms.supervision.healthy:
            return text_reply("OK")
        return text_reply("Unhealthy", status=500)

    async def health(self, _: web.Request) -> web.Response:
        """How each of the agent's services fares."""
        supervision = self._rooms.supervision
        return json_reply(
            {
                "healthy": supervision.healthy,
                "services": [health_json(s) for s in supervision.services.values()],
                "logs": self._rooms.logs(),
            }
        )

    async def device(self, _: web.Request) -> web.Response:
        """Who this device is."""
        return json_reply(self._device())

    def _device(self) -> Json:
        return device_json(
            self._rooms.provisioning.status(),
            cloud=self._rooms.cloud.status(),
            apps=len(self._rooms.reconciler.wanted.apps),
            version=self._rooms.agent.version,
        )

    async def status(self, _: web.Request) -> web.Response:
        """All of one screen."""
        rooms = self._rooms
        version = await self._version_of_engine()
        target = await rooms.store.target()
        facts = rooms.facts()
        agent = rooms.agent
        return json_reply(
            {
                "device": self._device(),
                "agent": {
                    "version": agent.version,
                    "pid": agent.pid,
                    "startedAt": agent.started_at_ms,
                    "uptime": int(facts.now_s - agent.started_s),
                    "stateDir": str(agent.state_dir),
                    "databasePath": str(agent.database_path),
                    "port": rooms.listening.port,
                },
                "provisioning": rooms.provisioning.status().as_json(),
                "cloud": cloud_json(rooms.cloud.status()),
                "engine": {
                    "kind": agent.engine_kind,
                    "available": facts.snapshot.engine_answers,
                    "version": version,
                    "error": error_json(facts.snapshot.engine_error),
                },
                "target": target_summary_json(target, facts),
                "clockSynced": rooms.wall_clock.synced,
                "settled": device_settled(facts),
                "apps": [verdict_json(app, facts) for app in facts.apps],
                "warnings": warnings_of(rooms, facts),
                "services": [health_json(s) for s in rooms.supervision.services.values()],
                "safeMode": rooms.safe_mode.as_json() if rooms.safe_mode else None,
            }
        )

    async def _version_of_engine(self) -> str | None:
        # Asked once: an engine that was replaced meanwhile is a matter for diagnostics.
        if self._engine_version is None and self._rooms.reconciler.snapshot().rounds > 0:
            try:
                async with asyncio.timeout(ENGINE_TIMEOUT_S):
                    self._engine_version = (await self._rooms.engine.info()).version
            except (EngineUnavailable, TimeoutError):
                return None
        return self._engine_version

    async def logs(self, request: web.Request) -> web.StreamResponse:
        """The agent's own log."""
        tail = query_integer(request, "tail", default=RECORDS_DEFAULT, high=RECORDS_MAX)
        follow = query_flag(request, "follow")
        level = _level(request.query.get("level", LogLevel.INFO))
        return await self._streams.send(request, self._records(tail, level, follow=follow))

    async def _records(
        self, tail: int, level: LogLevel, *, follow: bool
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        book = self._rooms.book
        held = book.records()
        shown = [record for record in held if _rank(record) >= level.rank]
        for record in shown[max(0, len(shown) - tail) :]:
            yield record
        if not follow:
            return
        async with aclosing(book.follow(after_seq=held[-1]["seq"] if held else 0)) as coming:
            async for record in coming:
                if _rank(record) >= level.rank:
                    yield record

    async def restart(self, _: web.Request) -> web.Response:
        """End in order and come back, services untouched."""
        agent = self._rooms.agent
        agent.restart()
        return json_reply(
            {"status": "restarting", "pid": agent.pid, "startedAt": agent.started_at_ms},
            status=202,
        )

    async def leave_safe_mode(self, _: web.Request) -> web.Response:
        """Begin anew and apply the target again."""
        safe_mode, agent = self._rooms.safe_mode, self._rooms.agent
        left = safe_mode is not None and await safe_mode.leave("a person asked")
        return json_reply(
            {
                "status": "leaving" if left else "not-in-safe-mode",
                "pid": agent.pid,
                "startedAt": agent.started_at_ms,
            },
            status=202 if left else 200,
        )

    async def sync(self, _: web.Request) -> web.Response:
        """Poll the cloud and report, now."""
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_S):
                outcome = await self._rooms.cloud.sync_now()
        except TimeoutError as error:
            raise CloudUnavailable(
                f"the cloud did not answer within {SYNC_TIMEOUT_S:.0f} s"
            ) from error
        return json_reply(
            {
                "changed": outcome.changed,
                "version": outcome.version,
                "state": str(outcome.state),
                "refusal": error_json(outcome.refusal),
            }
        )

    async def reconcile(self, _: web.Request) -> web.Response:
        """Look at the engine soon."""
        self._rooms.reconciler.wake()
        return json_reply({"status": "woken"}, status=202)


def _level(text: str) -> LogLevel:
    try:
        return LogLevel(text)
    except ValueError as error:
        raise InvalidField("level", expected=f"one of {', '.join(LogLevel)}", found=text) from error


def _rank(record: Mapping[str, Any]) -> int:
    return LogLevel(record["level"]).rank
