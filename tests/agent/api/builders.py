"""A device with its Device API: all rooms real, the engine simulated."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from iotistic.agent.api import DeviceAPI, Rooms
from iotistic.agent.api.endpoint_files import ACCESS_FILE
from iotistic.agent.config import ConfigManager
from iotistic.agent.host.crypto_operations import OPERATIONS
from iotistic.agent.http import CloudHttp
from iotistic.agent.link import Link
from iotistic.agent.logs import LogBook
from iotistic.agent.outbox import Outbox, default_quotas
from iotistic.agent.provisioning import DeviceManager, ProvisioningSettings
from iotistic.agent.reconciler.state_reconciler import StateReconciler
from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.agent.settings import Settings
from iotistic.agent.store.store import Store
from iotistic.agent.supervisor import Supervision
from iotistic.agent.sync import CloudSync, CurrentState, SyncIntervals
from iotistic.agent.telemetry import ContainerReader, Readings
from iotistic.agent.telemetry.host import HostFacts
from iotistic.agent.telemetry.metrics import Details, Metrics
from iotistic.agent.wall_clock import WallClock
from iotistic.engines.simulated import SimulatedEngine
from iotistic.planner.policy import Policy
from tests.agent.fast_clock import FastClock

ENVIRONMENT = {"CONFIG_PIN": "LOG_LEVEL", "LOG_LEVEL": "debug", "PROVISIONING_API_KEY": "k" * 32}
SHOP = 1001
SECRET = "hunter2-is-no-password"


def service(
    name: str, service_id: str | int, *, state: str = "running", image: str = "web:1", **config: Any
) -> dict[str, Any]:
    """One service as the wire has it."""
    return {
        "serviceId": service_id,
        "serviceName": name,
        "imageName": image,
        "state": state,
        "config": config,
    }


def target(
    *services: Mapping[str, Any], version: int = 1, more: Mapping[int, Any] | None = None
) -> dict[str, Any]:
    """A target with the shop, and `more` apps by id."""
    apps = {SHOP: services, **(more or {})}
    names = {SHOP: "shop"}
    return {
        "apps": {
            str(app_id): {
                "appId": app_id,
                "appName": names.get(app_id, f"app{app_id}"),
                "services": list(found),
            }
            for app_id, found in apps.items()
        },
        "config": {},
        "version": version,
    }


async def crypto(operation: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The crypto child's work, in this process."""
    result: Mapping[str, Any] = OPERATIONS[operation](payload)
    return result


class NoMetrics:
    """A host without figures."""

    async def read(self) -> Metrics:
        raise OSError("not on this host")

    async def read_details(self) -> Details:
        raise OSError("not on this host")


@dataclass
class Agent:
    """The process, as far as the API sees it."""

    state_dir: Path
    database_path: Path
    version: str = "0.1.0"
    engine_kind: str = "simulated"
    pid: int = field(default_factory=os.getpid)
    started_at_ms: int = 1_760_000_000_000
    started_s: float = 1000.0
    restarts: int = 0
    settings_changes: int = 0

    def restart(self) -> None:
        self.restarts += 1

    def settings_changed(self) -> None:
        self.settings_changes += 1


@dataclass
class Box:
    """A device and what a test needs of it."""

    rooms: Rooms
    engine: SimulatedEngine
    store: Store
    outbox: Outbox
    reconciler: StateReconciler
    manager: DeviceManager
    supervision: Supervision
    book: LogBook
    agent: Agent
    folder: Path

    @property
    def uuid(self) -> str:
        return self.store.identity.uuid

    async def given_target(self, document: dict[str, Any], *, settled: bool = True) -> None:
        """The cloud wants this, and with `settled` the device has got there."""
        await self.reconciler.offer_target(document, None)
        if settled:
            await self.until_async(self._has_applied)

    async def _has_applied(self) -> bool:
        held = await self.store.target()
        return held is not None and held.applied_at_ms is not None

    async def until_async(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Look again and again until something that has to be asked for holds."""
        async with asyncio.timeout(20):
            while not await holds():
                await self.moment()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Look again and again until something holds."""
        async with asyncio.timeout(20):
            while not holds():
                await self.moment()

    async def moment(self) -> None:
        """Let the others go on."""
        await asyncio.sleep(0.005)


@asynccontextmanager
async def device(
    folder: Path, *, reconciling: bool = True, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Box]:
    """A device whose reconciler runs; the API itself is started with `serving`."""
    clock = FastClock()
    book = LogBook(clock)
    log = book.logger()
    async with AsyncExitStack() as stack:
        path = folder / "device.sqlite"
        store = await stack.enter_async_context(
            Store.open(path, clock, crypto=crypto, machine="m" * 64)
        )
        outbox = await stack.enter_async_context(
            Outbox.open(
                folder / "outbox.sqlite",
                clock,
                log,
                quotas=default_quotas(8),
                clock_synced=lambda: True,
            )
        )
        engine = SimulatedEngine(store.identity.uuid, clock)
        supervision = Supervision()
        manager = DeviceManager(
            store=store,
            engine=engine,
            clock=clock,
            log=log,
            rng=Random(1),
            settings=ProvisioningSettings(machine_hash="m" * 64),
            on_change=lambda: None,
            on_reset=lambda: None,
            access_file=folder / ACCESS_FILE,
            crypto=crypto,
        )
        agent = Agent(state_dir=folder, database_path=path)
        settings = Settings(environment if environment is not None else ENVIRONMENT)
        config = ConfigManager(settings, log, on_change=agent.settings_changed)

        def snapshot_changed() -> None:
            if (target := reconciler.snapshot().target) is not None:
                config.take(target.config)

        reconciler = StateReconciler(
            engine=engine,
            store=store,
            clock=clock,
            log=log,
            policy=Policy(),
            folders=RuntimeFolders(folder / "run", store.identity.uuid, clock, allow_disk=True),
            runtime_dir=str(folder / "run"),
            interval_s=lambda: settings.value("RECONCILIATION_INTERVAL_MS") / 1000,
            on_change=snapshot_changed,
            may_act=lambda: True,
        )
        await reconciler.load()
        current = CurrentState(
            snapshot=reconciler.snapshot,
            config=config.judgement,
            metrics=NoMetrics(),
            intervals=SyncIntervals,
            clock=clock,
            log=log,
            agent_version="0.1.0",
            machine_hash="",
            read_host=lambda: HostFacts(os_version="Debian 12", architecture="x86_64"),
        )
        cloud = CloudSync(
            store=store,
            link=manager.link,
            connect=lambda link: CloudHttp(link.endpoint, clock=clock),
            offer=reconciler.offer_target,
            snapshot=reconciler.snapshot,
            current=current,
            outbox=outbox,
            intervals=SyncIntervals,
            clock=clock,
            rng=Random(2),
            log=log,
        )
        link = await Link.open(settings, folder, on_change=lambda: None, clock=clock, log=log)
        link.traffic.count("poll", sent=300, received=150)
        rooms = Rooms(
            agent=agent,
            store=store,
            outbox=outbox,
            reconciler=reconciler,
            engine=engine,
            provisioning=manager,
            cloud=cloud,
            current=current,
            settings=settings,
            config=config,
            book=book,
            supervision=supervision,
            clock=clock,
            wall_clock=WallClock(
                clock=clock, synced=lambda: True, folder=folder, last_ms=None, log=log
            ),
            readings=Readings(
                NoMetrics(),
                ContainerReader(engine, lambda: reconciler.snapshot().containers, clock),
                interval_s=lambda: 300.0,
                clock=clock,
            ),
            log=log,
            runtime_dir=folder / "run",
            traffic=link.account,
        )
        box = Box(
            rooms=rooms,
            engine=engine,
            store=store,
            outbox=outbox,
            reconciler=reconciler,
            manager=manager,
            supervision=supervision,
            book=book,
            agent=agent,
            folder=folder,
        )
        if reconciling:
            await stack.enter_async_context(running(reconciler.run()))
        yield box


@asynccontextmanager
async def running(work: Any) -> AsyncIterator[asyncio.Task[None]]:
    """A service that is cancelled at the end, as its supervisor does it."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            raise AssertionError("the service failed") from task.exception()


class Client:
    """Calls one way in."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session = session
        self.base = base

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> tuple[int, Any]:
        """(status, JSON or text)."""
        sent = None if data is None else io.BytesIO(data)
        async with self.session.request(
            method, self.base + path, json=body, data=sent, headers=headers
        ) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def get(self, path: str, **more: Any) -> tuple[int, Any]:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        return await self.call("POST", path, body, **more)

    async def ok(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        status, found = await self.get(path)
        assert status == 200, found
        return found


@dataclass
class Served:
    """A device whose API answers."""

    box: Box
    unix: Client
    tcp: Client
    token: str
    port: int
    task: asyncio.Task[None]


@asynccontextmanager
async def unix_client(box: Box) -> AsyncIterator[Client]:
    """Over the socket, by a name that is never too long."""
    descriptor = os.open(box.folder, os.O_PATH)
    try:
        connector = aiohttp.UnixConnector(path=f"/proc/self/fd/{descriptor}/agent.sock")
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Client(session, "http://agent")
    finally:
        os.close(descriptor)


@asynccontextmanager
async def serving(box: Box, **options: Any) -> AsyncIterator[Served]:
    """The API on a port that the system chose, and on its socket."""
    async with AsyncExitStack() as stack:
        task = await stack.enter_async_context(
            running(DeviceAPI(box.rooms, port=0, **options).run())
        )
        await box.until(lambda: box.rooms.listening.port is not None)
        await box.until((box.folder / "agent.sock").exists)
        token = (box.folder / "api-token").read_text().strip()
        tcp = await stack.enter_async_context(
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})
        )
        port = box.rooms.listening.port
        assert port is not None
        yield Served(
            box=box,
            unix=await stack.enter_async_context(unix_client(box)),
            tcp=Client(tcp, f"http://127.0.0.1:{port}"),
            token=token,
            port=port,
            task=task,
        )
