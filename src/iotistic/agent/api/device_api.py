"""class DeviceAPI: one HTTP server on two sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Middleware

from iotistic.agent.api import endpoint_files
from iotistic.agent.api.access import RequestLimit, tcp_guard
from iotistic.agent.api.config_routes import ConfigRoutes
from iotistic.agent.api.database_routes import DatabaseRoutes
from iotistic.agent.api.device_routes import DeviceRoutes
from iotistic.agent.api.diagnostics_routes import DiagnosticsRoutes
from iotistic.agent.api.lock_routes import LockRoutes
from iotistic.agent.api.outbox_routes import OutboxRoutes
from iotistic.agent.api.plan_routes import PlanRoutes
from iotistic.agent.api.provisioning_routes import ProvisioningRoutes
from iotistic.agent.api.replies import telling_errors
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.service_routes import ServiceRoutes
from iotistic.agent.api.state_routes import StateRoutes
from iotistic.agent.api.streams import SIGN_OF_LIFE_S, Streams
from iotistic.agent.host.files import ensure_folder
from iotistic.model.errors import IotisticError, Unavailable
from iotistic.model.words import LogComponent

CONNECTIONS_MAX = 128
IDLE_TIMEOUT_S = 15.0
"""How long a connection may be open without a whole request head, at its start or between two."""
_SHUTDOWN_S = 1.0
_TRY_AGAIN_S = 10.0


class DeviceAPI:
    """Answers on `agent.sock` for the agent's user, and on loopback TCP for who has the token.

    What does not work (a port that is taken, say) is told in `/v1/status` and tried again; the
    other way in goes on meanwhile.
    """

    name = "device-api"

    def __init__(
        self,
        rooms: Rooms,
        *,
        port: int,
        sign_of_life_s: float = SIGN_OF_LIFE_S,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
    ) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._rooms = rooms
        self._port = port
        self._folder = rooms.agent.state_dir
        self._log = rooms.log.bind(component=LogComponent.DEVICE_API)
        self._streams = Streams(sign_of_life_s=sign_of_life_s)
        self._limit = RequestLimit()
        device, config, plan = (
            DeviceRoutes(rooms, self._streams),
            ConfigRoutes(rooms),
            PlanRoutes(rooms),
        )
        pages = {"status.json": device.status, "config.json": config.show, "plan.json": plan.plan}
        routes = (
            device,
            ProvisioningRoutes(rooms),
            config,
            ServiceRoutes(rooms, self._streams),
            StateRoutes(rooms),
            plan,
            LockRoutes(rooms),
            DatabaseRoutes(rooms),
            OutboxRoutes(rooms),
            DiagnosticsRoutes(rooms, pages),
        )
        self._routes = [route for group in routes for route in group.routes()]

    async def run(self) -> None:
        """Answer until cancelled."""
        await asyncio.to_thread(self._prepare_folder)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep(self._on_unix, "socket"), name="api-socket")
                group.create_task(self._keep(self._on_tcp, "tcp"), name="api-tcp")
        finally:
            self._rooms.listening.problems.clear()

    def _prepare_folder(self) -> None:
        ensure_folder(self._folder)
        with contextlib.suppress(OSError):  # told where the port is to be written
            endpoint_files.remove_port(self._folder)

    async def _keep(
        self, listen: Callable[[], AbstractAsyncContextManager[None]], way: str
    ) -> None:
        """Serve one way in until cancelled; where it cannot be had, try again."""
        problems = self._rooms.listening.problems
        while True:
            try:
                async with listen():
                    problems.pop(way, None)
                    await asyncio.get_running_loop().create_future()
            except (IotisticError, OSError) as error:
                told = error if isinstance(error, IotisticError) else _told(error, way)
                if way not in problems or problems[way].code != told.code:
                    self._log.error("way in not available", way=way, error=told)
                problems[way] = told
            await self._rooms.clock.sleep(_TRY_AGAIN_S)

    @asynccontextmanager
    async def _on_unix(self) -> AsyncIterator[None]:
        sock = await asyncio.to_thread(endpoint_files.listen_on_unix, self._folder)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(
                asyncio.to_thread, endpoint_files.remove_socket, self._folder, sock
            )
            await stack.enter_async_context(self._serving(sock, ()))
            self._log.info("listening", path=str(self._folder / endpoint_files.SOCKET_FILE))
            yield

    @asynccontextmanager
    async def _on_tcp(self) -> AsyncIterator[None]:
        token = await asyncio.to_thread(endpoint_files.load_token, self._folder)
        sock = endpoint_files.listen_on_tcp(self._port)
        async with AsyncExitStack() as stack:
            stack.callback(sock.close)
            await stack.enter_async_context(self._serving(sock, (tcp_guard(token),)))
            port = sock.getsockname()[1]
            stack.push_async_callback(asyncio.to_thread, endpoint_files.remove_port, self._folder)
            await asyncio.to_thread(endpoint_files.write_port, self._folder, port)
            stack.callback(self._set_port, None)
            self._set_port(port)
            self._log.info("listening", port=port)
            yield

    def _set_port(self, port: int | None) -> None:
        self._rooms.listening.port = port

    @asynccontextmanager
    async def _serving(
        self, sock: socket.socket, guards: tuple[Middleware, ...]
    ) -> AsyncIterator[None]:
        app = web.Application(
            middlewares=(telling_errors(self._log), *guards, self._limit.middleware())
        )
        app.add_routes(self._routes)
        runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=self._idle_timeout_s,
            shutdown_timeout=_SHUTDOWN_S,
            # A body is read as it came: what a few compressed bytes unfold to is not bounded.
            auto_decompress=False,
        )
        await runner.setup()
        if runner.server is None:
            raise AssertionError("a runner that is set up has a server")
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(partial(_accept, runner.server), sock=sock)
        try:
            yield
        finally:
            listener.close()
            # Followers would go on for ever; they see that their stream was cut off.
            self._streams.cancel()
            await runner.cleanup()


def _accept(server: web.Server) -> asyncio.Protocol:
    """A connection's protocol. Too many would take the descriptors that the agent lives on."""
    return server() if len(server.connections) < CONNECTIONS_MAX else _TurnedAway()


class _TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _told(error: OSError, way: str) -> IotisticError:
    return Unavailable(
        f"the Device API cannot be reached by {way}: {error.strerror or error}",
        code="api-unavailable",
        remedy="the state folder must belong to the agent's user and have room",
    )
