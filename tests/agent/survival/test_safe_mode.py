"""In safe mode nothing is applied; it ends by itself, by a new target, or on command."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.logs import LogBook
from iotistic.agent.reconciler import StateReconciler
from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.agent.store import Store
from iotistic.agent.survival.last_run import TRIAL_BASE_S, LastRun, RunMode
from iotistic.agent.survival.run_record import RunRecord
from iotistic.agent.survival.safe_mode import SafeMode
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.errors import InvalidField
from iotistic.planner.policy import Policy
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import device_uuid, running_device, service, target


class Fixture:
    """A device whose agent crashed thrice, with one service from before."""

    def __init__(
        self, folder: Path, store: Store, engine: SimulatedEngine, record: RunRecord
    ) -> None:
        self.clock = FastClock(speed=2000.0)
        self.engine = engine
        self.record = record
        self.restarted = asyncio.Event()
        self.shown = asyncio.Event()
        self.told: list[Mapping[str, Any]] = []
        log = LogBook(self.clock).logger()
        self.reconciler = StateReconciler(
            engine=engine,
            store=store,
            clock=self.clock,
            log=log,
            policy=Policy(),
            folders=RuntimeFolders(folder, store.identity.uuid, self.clock, allow_disk=True),
            runtime_dir=str(folder),
            interval_s=lambda: 30.0,
            may_act=lambda: True,
            on_change=self.shown.set,
        )
        self.safe = SafeMode(
            record,
            engine=engine,
            keep=self.reconciler.keep_target,
            show=self.reconciler.show,
            restart=self.restarted.set,
            tell=self.told.append,
            clock=self.clock,
            log=log,
        )


@pytest.fixture
async def device(tmp_path: Path) -> Any:
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())
    async with running_device(tmp_path, engine) as running:
        await running.offer(target(service()))
        await running.settled()
    crashed = LastRun(
        version="1", boot_id="b", mode=RunMode.SAFE, crashes=3, why="Segmentation fault"
    )
    async with Store.open(tmp_path / "device.sqlite", FastClock(), machine="m") as store:
        yield Fixture(tmp_path / "run", store, engine, RunRecord(crashed, None)), store


async def test_what_runs_is_shown_and_nothing_is_applied(device: Any) -> None:
    found, store = device
    before = [c.id for c in await found.engine.containers()]
    calls = dict(found.engine.calls)
    task = asyncio.create_task(found.safe.run())
    await asyncio.wait_for(found.shown.wait(), 10)
    snapshot = found.reconciler.snapshot()
    assert [c.service_name for c in snapshot.containers] == ["web"]

    await found.safe.offer(target(service(environment={"NEW": "1"}), version=2), None)
    await task

    assert (await store.target()).version == 2
    assert [c.id for c in await found.engine.containers()] == before
    assert {k for k, v in found.engine.calls.items() if v != calls.get(k, 0)} == {"containers"}
    assert snapshot.look_error is not None
    assert snapshot.look_error.code == "safe-mode"
    assert "Segmentation fault" in str(snapshot.look_error)
    assert found.told == [{"event": "safe-mode", "crashes": 3, "because": "Segmentation fault"}]


async def test_a_new_target_ends_it_and_forgives(device: Any) -> None:
    found, _ = device
    task = asyncio.create_task(found.safe.run())
    await found.safe.offer(target(service()), None)  # the one it has already
    assert not found.restarted.is_set()
    await found.safe.offer(target(service("db"), version=2), None)
    await asyncio.wait_for(found.restarted.wait(), 10)
    await task
    assert found.record.run.crashes == 0


async def test_a_target_that_is_none_is_refused_and_ends_nothing(device: Any) -> None:
    found, _ = device
    with pytest.raises(InvalidField):
        await found.safe.offer({"apps": 7, "version": 2}, None)
    assert found.record.run.crashes == 3


async def test_a_person_ends_it(device: Any) -> None:
    found, _ = device
    task = asyncio.create_task(found.safe.run())
    assert await found.safe.leave("a person asked")
    await asyncio.wait_for(task, 10)
    assert found.restarted.is_set()
    assert found.record.run.crashes == 0


async def test_it_ends_by_itself_and_remembers_that_this_is_a_trial(device: Any) -> None:
    found, _ = device
    began_s = found.clock.now_s()
    await asyncio.wait_for(found.safe.run(), 20)
    assert found.clock.now_s() - began_s >= TRIAL_BASE_S
    assert found.restarted.is_set()
    assert (found.record.run.crashes, found.record.run.on_trial) == (3, True)


async def test_an_agent_that_is_well_says_so_after_a_while(device: Any) -> None:
    found, _ = device
    found.record.run = replace(found.record.run, mode=RunMode.NORMAL)
    assert not await found.safe.leave("a person asked")
    await asyncio.wait_for(found.safe.run(), 10)
    assert found.record.run.crashes == 0
    assert not found.restarted.is_set()
