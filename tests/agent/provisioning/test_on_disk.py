"""With the real store: what is on the disk is what the next life goes on from."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from iotistic.agent.clock import Clock, SystemClock
from iotistic.agent.logs import LogBook
from iotistic.agent.provisioning import DeviceManager, ProvisioningSettings
from iotistic.agent.store import ProvisioningPhase, Store
from iotistic.engines.simulated import SimulatedEngine
from tests.agent.provisioning.builders import KEY, wants
from tests.agent.provisioning.scripted_cloud import ScriptedCloud, answers


@pytest.fixture
def clock() -> Clock:
    return SystemClock()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@asynccontextmanager
async def life(
    path: Path, clock: Clock, settings: ProvisioningSettings
) -> AsyncIterator[tuple[DeviceManager, Store, asyncio.Event]]:
    """One life of the agent's provisioning on this disk, running."""
    changed = asyncio.Event()
    async with Store.open(path, clock) as store:
        manager = DeviceManager(
            store=store,
            engine=SimulatedEngine(store.identity.uuid, clock),
            clock=clock,
            log=LogBook(clock).logger(),
            rng=Random(7),
            settings=settings,
            on_change=changed.set,
            on_reset=changed.set,
            access_file=path.with_name("api-token"),
        )
        running = asyncio.ensure_future(manager.run())
        try:
            yield manager, store, changed
        finally:
            running.cancel()
            await asyncio.wait((running,))


async def provisioned(store: Store, changed: asyncio.Event) -> None:
    while store.identity.phase is not ProvisioningPhase.PROVISIONED:
        changed.clear()
        async with asyncio.timeout(20):
            await changed.wait()


async def test_a_device_is_the_same_after_a_restart_a_deleted_database_and_a_reset(
    tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "device.sqlite"
    async with ScriptedCloud().serve() as cloud:
        async with life(path, clock, wants(cloud.url)) as (_, store, changed):
            await provisioned(store, changed)
            first = store.identity

        identity_file = tmp_path / "identity.json"
        assert await asyncio.to_thread(mode_of, identity_file) == 0o600
        assert KEY not in await asyncio.to_thread(identity_file.read_text)

        asked = len(cloud.requests)
        async with life(path, clock, wants(cloud.url)) as (manager, store, _):
            assert manager.link() == first.cloud
        assert len(cloud.requests) == asked

        await asyncio.to_thread(path.unlink)
        async with life(path, clock, wants(cloud.url)) as (_, store, changed):
            while store.identity.cloud == first.cloud:
                changed.clear()
                async with asyncio.timeout(20):
                    await changed.wait()
            await provisioned(store, changed)
            second = store.identity
        assert second.uuid == first.uuid
        assert list(cloud.devices) == [first.uuid]
        assert cloud.uses() == 1

        await asyncio.to_thread(path.unlink)
        cloud.always = answers(500)
        async with life(path, clock, wants(cloud.url)) as (manager, store, changed):
            while manager.status().attempts == 0:
                changed.clear()
                async with asyncio.timeout(20):
                    await changed.wait()
            assert manager.link() == second.cloud  # goes on as before until it is let in anew
        cloud.always = None

        async with life(path, clock, wants(cloud.url)) as (manager, store, changed):
            await provisioned(store, changed)
            await manager.factory_reset(first.uuid)
            while store.identity.uuid == first.uuid:
                changed.clear()
                async with asyncio.timeout(20):
                    await changed.wait()
        assert cloud.devices[first.uuid].deprovisioned
