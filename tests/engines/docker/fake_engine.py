"""An engine's socket that answers as a test tells it to: for what a real one does too seldom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from iotistic.engines.docker import DockerEngine

UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeEngine:
    """`answers` by method and path without version; `asked` is what came, with version."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | web.Response] = {}
        self.asked: list[str] = []
        self.version = {"Version": "99", "ApiVersion": "1.45", "MinAPIVersion": "1.24"}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/version":
            return web.json_response(self.version)
        path = "/" + request.path.split("/", 2)[2]
        answer = self.answers.get(f"{request.method} {path}")
        if answer is None:
            return refusal(404, f"no such thing: {path}")
        if isinstance(answer, web.Response):
            return answer
        return await answer(request)


def refusal(status: int, message: str) -> web.Response:
    """An error as an engine gives it."""
    return web.json_response({"message": message}, status=status)


async def hang(request: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    return web.Response()


@asynccontextmanager
async def fake_engine(folder: Path) -> AsyncIterator[tuple[FakeEngine, DockerEngine]]:
    """Serve one on a socket in the folder, and a DockerEngine that uses it."""
    fake = FakeEngine()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    socket = folder / "engine.sock"
    await web.UnixSite(runner, str(socket)).start()
    engine = DockerEngine.from_environment(UUID, {"DOCKER_HOST": f"unix://{socket}"})
    try:
        yield fake, engine
    finally:
        await engine.close()
        await runner.cleanup()
