"""A cloud on a real socket that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import gzip
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from iotistic.model.canonical import etag_of, same_etag
from iotistic.model.report import NeedsResync, merge, open_body

UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"


@dataclass(frozen=True)
class Answer:
    """What the cloud says to one request. `after`: it does its work before saying so."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    after: bool = False
    hangs_up: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    at_s: float


HANGS_UP = Answer(hangs_up=True)


class ScriptedCloud:
    """Serves `target` with an ETag, keeps `held`, the merged report, and `stored`, each record
    once; or what the script says.
    """

    def __init__(self, url: str, now_s: Any) -> None:
        self.url = url
        self.target: Any = {"apps": {}, "config": {}}
        self.etags = True
        self.held: dict[str, Any] | None = None
        self.hint: int | None = None
        self.asked: list[Asked] = []
        self.down: Answer | None = None
        self.ways = {"records", "logs"}
        self.tells_watermarks = True
        self.watermarks: dict[str, dict[str, int]] = {}
        self.stored: list[dict[str, Any]] = []
        self.poison = "poison"
        self._script: dict[str, deque[Answer]] = {"GET": deque(), "PATCH": deque(), "POST": deque()}
        self._now_s = now_s

    def say(self, method: str, *answers: Answer) -> None:
        """Answer the next requests like this."""
        self._script[method].extend(answers)

    def say_no_more(self, method: str) -> None:
        """Answer as usual again."""
        self._script[method].clear()

    def polls(self) -> list[Asked]:
        """All polls so far."""
        return [asked for asked in self.asked if asked.method == "GET"]

    def reports(self) -> list[dict[str, Any]]:
        """All reports so far, unwrapped."""
        return [asked.body[UUID] for asked in self.asked if asked.method == "PATCH"]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = _lines(raw) if request.method == "POST" else json.loads(raw) if raw else None
        self.asked.append(
            Asked(request.method, request.path_qs, dict(request.headers), body, self._now_s())
        )
        script = self._script[request.method]
        answer = self.down or (script.popleft() if script else None)
        if answer is None or answer.after:
            usual = self._usual(request, body)
            answer = answer or usual
        if answer.hangs_up:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer.raw is not None:
            return web.Response(status=answer.status, body=answer.raw, headers=answer.headers)
        if answer.body is None:
            return web.Response(status=answer.status, headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)

    def _usual(self, request: web.Request, body: Any) -> Answer:
        if request.method == "GET":
            return self._state(request.headers.get("If-None-Match"))
        if request.method == "POST":
            return self._store(request.path.rpartition("/")[2], body)
        try:
            self.held = merge(self.held, *open_body(body[UUID]))
        except NeedsResync as error:
            return Answer(409, {"error": "Conflict", "message": str(error), "code": error.code})
        told = {} if self.hint is None else {"targetVersion": self.hint}
        return Answer(200, {"status": "ok", **told})

    def _store(self, way: str, lines: list[dict[str, Any]]) -> Answer:
        if way not in self.ways:
            return Answer(404, {"error": "Not Found"})
        if any(self.poison in json.dumps(line) for line in lines):
            return Answer(400, {"error": "Bad Request", "code": "invalid-field", "message": "no"})
        rejected = []
        for line in lines:
            marks = self.watermarks.setdefault(line.get("class", "log"), {})
            if line["seq"] <= marks.get(line["epoch"], 0):
                continue
            marks[line["epoch"]] = line["seq"]
            if "unwanted" in line.get("data", {}):
                named = {name: line[name] for name in ("class", "epoch", "seq")}
                rejected.append({**named, "code": "unwanted", "message": "not this one"})
            else:
                self.stored.append(line)
        if not self.tells_watermarks:
            return Answer(202, {"accepted": len(lines)})
        return Answer(200, {"watermarks": self.watermarks, "rejected": rejected})

    def batches(self) -> list[list[Any]]:
        """All batches of records so far."""
        return [asked.body for asked in self.asked if asked.method == "POST"]

    def _state(self, known: str | None) -> Answer:
        if not self.etags:
            return Answer(200, {UUID: self.target})
        etag = etag_of(self.target)
        if same_etag(known, etag):
            return Answer(304)
        return Answer(200, {UUID: self.target}, {"ETag": etag})


def _lines(raw: bytes) -> list[dict[str, Any]]:
    # aiohttp inflates what is said to be gzip by its encoding, not by its type.
    plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return [json.loads(line) for line in plain.split(b"\n")]


@asynccontextmanager
async def scripted_cloud(now_s: Any) -> AsyncIterator[ScriptedCloud]:
    """One such cloud, on a port of the system's choice."""
    app = web.Application(client_max_size=50 * 1024 * 1024)
    runner = web.AppRunner(app, access_log=None)
    clouds: list[ScriptedCloud] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await clouds[0].handle(request)

    app.router.add_route("*", "/{path:.*}", handle)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        clouds.append(ScriptedCloud(f"http://127.0.0.1:{port}", now_s))
        yield clouds[0]
    finally:
        await runner.cleanup()
