"""A device for the reconciler's tests: real store, real reconciler, simulated engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from iotistic.agent.logs import LogBook
from iotistic.agent.reconciler import Snapshot, StateReconciler
from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.agent.store import Store
from iotistic.engines.protocol import Engine
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.observation import Container
from iotistic.planner.policy import Policy
from tests.agent.fast_clock import FastClock

PATIENCE_S = 20.0


def service(name: str = "web", image: str = "web:1", state: str = "running", **config: Any) -> Any:
    """One service as the wire has it."""
    return {
        "serviceId": name, "serviceName": name, "imageName": image, "state": state, "config": config
    }  # fmt: skip


def target(
    *services: Any, version: int | None = 1, epoch: str | None = "e1", app: int = 1001
) -> Any:
    """A target of one app as it comes from the cloud."""
    return {
        "apps": {str(app): {"appId": app, "appName": "shop", "services": list(services)}},
        "config": {},
        "version": version,
        "target_epoch": epoch,
    }


class Device:
    """One run of the agent's reconciler on a device that outlives it."""

    def __init__(
        self,
        store: Store,
        engine: SimulatedEngine,
        reconciler: StateReconciler,
        book: LogBook,
        changed: asyncio.Event,
    ) -> None:
        self.store = store
        self.engine = engine
        self.reconciler = reconciler
        self.book = book
        self.changed = changed

    @property
    def snapshot(self) -> Snapshot:
        return self.reconciler.snapshot()

    async def containers(self) -> dict[str, Container]:
        """What the engine has, by service name, straight from the engine."""
        return {c.service_name: c for c in await self.engine.containers()}

    async def offer(self, document: Any, etag: str = '"etag"') -> None:
        await self.reconciler.offer_target(document, etag)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something a user could see; fails when it does not come."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await self.changed.wait()
                self.changed.clear()

    async def settled(self) -> None:
        """Wait until the target held now has been reached."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_applied():
                await self.changed.wait()
                self.changed.clear()

    async def _is_applied(self) -> bool:
        stored = await self.store.target()
        return stored is not None and stored.applied_at_ms is not None


@asynccontextmanager
async def running_device(
    folder: Path,
    engine: SimulatedEngine,
    *,
    through: Engine | None = None,
    policy: Policy | None = None,
    may_act: Callable[[], bool] = lambda: True,
    clock: FastClock | None = None,
    allow_disk: bool = True,
) -> AsyncIterator[Device]:
    """Start the reconciler on `folder` as the agent does; leaving the block kills it."""
    clock = clock or FastClock()
    book = LogBook(clock)
    changed = asyncio.Event()
    async with Store.open(folder / "device.sqlite", clock, machine="m") as store:
        reconciler = StateReconciler(
            engine=through or engine,
            store=store,
            clock=clock,
            log=book.logger(),
            policy=policy or Policy(),
            folders=RuntimeFolders(
                folder / "run", store.identity.uuid, clock, allow_disk=allow_disk
            ),
            runtime_dir=str(folder / "run"),
            interval_s=lambda: 30.0,
            may_act=may_act,
            on_change=changed.set,
        )
        await reconciler.load()
        task = asyncio.create_task(reconciler.run())
        try:
            yield Device(store, engine, reconciler, book, changed)
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()):
                raise error


async def device_uuid(folder: Path) -> str:
    """Make the device's identity, so that an engine can be made for it."""
    async with Store.open(folder / "device.sqlite", FastClock(), machine="m") as store:
        return store.identity.uuid
