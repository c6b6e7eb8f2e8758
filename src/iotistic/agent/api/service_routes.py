"""Apps and services: looking at them, and asking something of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from enum import StrEnum
from typing import Any

from aiohttp import web

from iotistic.agent.api.acts import Act, Wishes, actable, check_allowed, wait_for
from iotistic.agent.api.locks import check_unlocked, holder_in, locks_now
from iotistic.agent.api.replies import json_reply, text_reply
from iotistic.agent.api.requests import (
    optional_query_integer,
    parse_integer,
    query_flag,
    query_integer,
    read_fields,
)
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.rows import (
    AppRow,
    Facts,
    ServiceRow,
    find_app,
    find_app_called,
    find_service,
)
from iotistic.agent.api.streams import Streams
from iotistic.agent.api.views import app_json, service_json
from iotistic.agent.logs.redaction import Redactor
from iotistic.agent.reconciler.aim import secrets_of
from iotistic.model.errors import InvalidField, NotFound
from iotistic.model.reader import Fields, check_integer
from iotistic.model.secret import Secret

WAIT_MS_DEFAULT = 10_000
WAIT_MS_MAX = 60_000
TAIL_DEFAULT = 100
TAIL_MAX = 10_000
TAIL_ALL = 2**31 - 1
_WORD_LENGTH_MAX = 256


class Until(StrEnum):
    """How long a stop by hand lasts."""

    RELEASE = "release"
    FOREVER = "forever"


class ServiceRoutes:
    """`/v1/apps` and `/v1/services`."""

    def __init__(self, rooms: Rooms, streams: Streams) -> None:
        self._rooms = rooms
        self._streams = streams

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        acts = "|".join(act for act in Act if act is not Act.PURGE)
        return [
            web.get("/v1/apps", self.apps),
            web.get("/v1/apps/{app}", self.app),
            web.post(f"/v1/apps/{{app}}/{{act:{'|'.join(Act)}}}", self.act_on_app),
            web.get("/v1/services", self.services),
            web.get("/v1/services/{service}", self.service),
            web.get("/v1/services/{service}/logs", self.logs),
            web.post(f"/v1/services/{{service}}/{{act:{acts}}}", self.act_on_service),
            web.post("/v1/restart", self.restart_app),
            web.post("/v1/purge", self.purge_app),
        ]

    async def apps(self, _: web.Request) -> web.Response:
        """All apps."""
        facts = self._rooms.facts()
        return json_reply({"apps": [app_json(app, facts) for app in facts.apps]})

    async def app(self, request: web.Request) -> web.Response:
        """One app."""
        facts = self._rooms.facts()
        return json_reply(app_json(find_app(facts.apps, _app_id(request, facts)), facts))

    async def services(self, request: web.Request) -> web.Response:
        """All services, or those of one app."""
        facts = self._rooms.facts()
        rows = self._rows(request, facts)
        return json_reply({"services": [service_json(row, facts) for row in rows]})

    async def service(self, request: web.Request) -> web.Response:
        """One service."""
        facts = self._rooms.facts()
        row = self._named(request, facts)
        last_words = self._rooms.reconciler.last_words(row.subject)
        return json_reply({**service_json(row, facts), "lastWords": list(last_words)})

    async def logs(self, request: web.Request) -> web.StreamResponse:
        """A service's output."""
        row = self._named(request, self._rooms.facts())
        tail = _tail(request)
        follow = query_flag(request, "follow")
        since_ms = optional_query_integer(request, "since")
        if row.container is None:
            raise NotFound(
                f"{row.service_name} has no container, so it has no output",
                remedy="see why: iotctl plan",
            )
        return await self._streams.send(
            request, self._output(row, row.container.id, tail, follow, since_ms)
        )

    async def _output(
        self, row: ServiceRow, container_id: str, tail: int, follow: bool, since_ms: int | None
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        redactor = Redactor()
        redactor.learn(*self._secrets_of(row.app_id))
        lines = self._rooms.engine.logs(
            container_id,
            tail=tail,
            follow=follow,
            since_s=None if since_ms is None else since_ms / 1000,
        )
        async with aclosing(lines):
            async for line in lines:
                yield {
                    "timestamp": line.time_ns // 1_000_000,
                    "message": redactor.text(line.text, length_max=len(line.text) + 64),
                    # Where a service writes says little: much of stderr is no complaint.
                    "level": "info",
                    "serviceId": row.service_id,
                    "serviceName": row.service_name,
                    "containerId": container_id,
                    "isStdErr": line.stderr,
                }

    def _secrets_of(self, app_id: int) -> Iterator[Secret]:
        wanted = self._rooms.reconciler.wanted
        for app in (*wanted.apps, *wanted.good.values()):
            if app.app_id == app_id:
                yield from secrets_of(app)

    async def act_on_app(self, request: web.Request) -> web.Response:
        """Start, stop, restart or purge an app, or one service of it."""
        fields = await read_fields(request)
        act = Act(request.match_info["act"])
        app_id = _app_id(request, self._rooms.facts())
        if act is Act.PURGE:
            if fields.raw("serviceName") is not None:
                raise InvalidField("serviceName", expected="nothing: a purge is of a whole app")
            return await self._purge(app_id, fields)
        app = find_app(self._rooms.facts().apps, app_id)
        name = fields.optional_text("serviceName", length_max=_WORD_LENGTH_MAX)
        rows = app.services if name is None else (find_service(app.services, name),)
        return await self._act(act, app_id, rows, fields, what=name or f"app {app_id}")

    async def act_on_service(self, request: web.Request) -> web.Response:
        """Start, stop or restart one service."""
        fields = await read_fields(request)
        row = self._named(request, self._rooms.facts())
        act = Act(request.match_info["act"])
        return await self._act(act, row.app_id, (row,), fields, what=row.service_name)

    async def restart_app(self, request: web.Request) -> web.Response:
        """Restart an app; for older clients, who wait for nothing."""
        fields = await read_fields(request)
        app = self._app_in(fields)
        check_allowed(self._rooms.facts(), app.app_id)
        rows = actable(app.services, Act.RESTART, what=f"app {app.app_id}")
        person = await self._permitted(app.app_id, fields)
        await Wishes(self._rooms, person).restart(rows)
        return text_reply("OK")

    async def purge_app(self, request: web.Request) -> web.Response:
        """Purge an app; for older clients, who wait for nothing."""
        fields = await read_fields(request)
        app_id = _body_app_id(fields)
        await self._check_purgeable(app_id)
        person = await self._permitted(app_id, fields)
        await Wishes(self._rooms, person).purge(app_id)
        return text_reply("OK")

    async def _act(
        self, act: Act, app_id: int, rows: tuple[ServiceRow, ...], fields: Fields, *, what: str
    ) -> web.Response:
        wait_s = _wait_s(fields)
        until = fields.choice("until", Until, default=Until.RELEASE)
        check_allowed(self._rooms.facts(), app_id)
        able = actable(rows, act, what=what)
        wishes = Wishes(self._rooms, await self._permitted(app_id, fields))
        match act:
            case Act.STOP:
                await wishes.stop(able, until_release=until is Until.RELEASE)
            case Act.START:
                await wishes.start(able)
            case _:
                await wishes.restart(able)
        return await self._when_done(act, app_id, able, wait_s)

    async def _purge(self, app_id: int, fields: Fields) -> web.Response:
        wait_s = _wait_s(fields)
        await self._check_purgeable(app_id)
        person = await self._permitted(app_id, fields)
        await Wishes(self._rooms, person).purge(app_id)
        apps = {app.app_id: app for app in self._rooms.facts().apps}
        rows = apps[app_id].services if app_id in apps else ()
        able = actable(rows, Act.PURGE, what=f"app {app_id}")
        return await self._when_done(Act.PURGE, app_id, able, wait_s)

    async def _when_done(
        self, act: Act, app_id: int, rows: tuple[ServiceRow, ...], wait_s: float
    ) -> web.Response:
        subjects = [row.subject for row in rows]
        done, body = await wait_for(act, app_id, subjects, self._rooms, wait_s=wait_s)
        return json_reply(body, status=200 if done else 202)

    async def _permitted(self, app_id: int, fields: Fields) -> str:
        """Who asks; raises AppLocked while somebody else holds changes off, unless by force."""
        holder = holder_in(fields)
        if not fields.boolean("force", default=False):
            locks = await locks_now(self._rooms, app_id)
            check_unlocked(self._rooms, locks, holder=holder)
        return holder

    async def _check_purgeable(self, app_id: int) -> None:
        facts = self._rooms.facts()
        check_allowed(facts, app_id)
        apps = facts.apps
        if any(app.app_id == app_id for app in apps):
            return
        # Of an app that is long gone the volumes may still be there.
        resources = await self._rooms.engine.resources()
        if not any(volume.app_id == app_id for volume in resources.volumes):
            find_app(apps, app_id)

    def _app_in(self, fields: Fields) -> AppRow:
        return find_app(self._rooms.facts().apps, _body_app_id(fields))

    def _rows(self, request: web.Request, facts: Facts) -> tuple[ServiceRow, ...]:
        apps = facts.apps
        word = request.query.get("appId")
        if word is not None:
            return find_app_called(apps, word).services
        return tuple(row for app in apps for row in app.services)

    def _named(self, request: web.Request, facts: Facts) -> ServiceRow:
        return find_service(self._rows(request, facts), request.match_info["service"])


def _app_id(request: web.Request, facts: Facts) -> int:
    """The id that the path has, or that of the app which it names."""
    word = request.match_info["app"]
    if word[:1].isalpha() or any(app.app_name == word for app in facts.apps):
        return find_app_called(facts.apps, word).app_id
    return parse_integer(word, "appId", low=1)


def _body_app_id(fields: Fields) -> int:
    found = fields.required("appId", expected="an app id")
    if isinstance(found, str):
        return parse_integer(found, "appId", low=1)
    return check_integer(found, "appId", low=1)


def _wait_s(fields: Fields) -> float:
    return fields.integer("waitMs", default=WAIT_MS_DEFAULT, high=WAIT_MS_MAX) / 1000


def _tail(request: web.Request) -> int:
    if request.query.get("tail") == "all":
        return TAIL_ALL
    return query_integer(request, "tail", default=TAIL_DEFAULT, high=TAIL_MAX)
