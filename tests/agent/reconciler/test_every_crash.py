"""The agent is killed before and after every change to engine, store and folders; also in a
hand-over and on the way back from a release that is not well. The next start gets there.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from iotistic.engines.simulated import (
    MemoryShelf,
    SimulatedEngine,
    SimulatedImage,
    SimulatedRegistry,
)
from iotistic.model.runtime_folder import UPDATE_LOCK
from iotistic.planner.policy import Policy
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import (
    PATIENCE_S,
    Device,
    device_uuid,
    running_device,
    service,
    target,
)
from tests.agent.reconciler.power_cut import PowerCut

pytestmark = pytest.mark.long

SPEED = 200.0
NO_BUDGET = Policy(image_budget_bytes=0)
HAND_OVER = {"strategy": {"kind": "hand-over", "handover_timeout": "1s"}}
VERIFY = {"verify": {"timeout": "20h", "min_healthy_s": 1}}
PARTS = 4
"""Tests that share the moments of one sweep among them, each within its time."""


@dataclass(frozen=True)
class Update:
    """From one target to another, what it ends in, and changes that have to come in it.

    `states` and `images` are by service; `keeps` is the service that nothing may touch.
    """

    old: Any
    new: Any
    states: Mapping[str, str]
    images: Mapping[str, str]
    networks: frozenset[str]
    kinds: str
    is_there: Callable[[Device], bool]
    keeps: str = "keeps"


def settled(device: Device) -> bool:
    return device.snapshot.plan.settled


def went_back(device: Device) -> bool:
    verdicts = device.snapshot.plan.verdicts
    return bool(verdicts) and verdicts[1001].phase == "rolled-back"


def of_app(document: Any, **fields: Any) -> Any:
    document["apps"]["1001"].update({**VERIFY, **fields})
    return document


KEEPS = service("keeps", "db:1", volumes=["data:/data"])
UPDATES = {
    "replace": Update(
        old=of_app(
            target(
                KEEPS,
                service("changes", environment={"A": "1"}),
                service("pauses"),
                service("goes", networks=["old"]),
            )
        ),
        new=of_app(
            target(
                KEEPS,
                service("changes", "web:2", environment={"A": "2"}, volumes=["more:/more"]),
                service("pauses", state="paused"),
                service("comes", networks=["new"]),
                version=2,
            )
        ),
        states={"keeps": "running", "changes": "running", "pauses": "paused", "comes": "running"},
        images={"changes": "web:2"},
        networks=frozenset({"default", "new"}),
        kinds="""
            Engine.pull Engine.create_network Engine.create_volume Engine.create_container
            Engine.start Engine.stop Engine.pause Engine.remove Engine.remove_network
            ReleaseTable.begin ReleaseTable.commit LockTable.save LockTable.remove ImageTable.save
            ContainerTable.save_born Store.mark_applied RuntimeFolders.take RuntimeFolders.release
            Journal.add""",
        is_there=settled,
    ),
    "hand-over": Update(
        old=of_app(
            target(KEEPS, service("changes", "app:1"), service("till", update_lock=True)),
            **HAND_OVER,
        ),
        new=of_app(
            target(
                KEEPS,
                service("changes", "app:2", secrets=["pin"]),
                service("till", update_lock=True),
                version=2,
            ),
            **HAND_OVER,
            secrets={"pin": {"value": "1234"}},
        ),
        states={"keeps": "running", "changes": "running", "till": "running"},
        images={"changes": "app:2"},
        networks=frozenset({"default"}),
        kinds="Engine.rename RuntimeFolders.prepare Engine.remove_image ImageTable.forget",
        is_there=settled,
    ),
    "rollback": Update(
        old=of_app(target(KEEPS, service("changes", "web:1"))),
        new=of_app(
            target(KEEPS, service("changes", "web:bad"), service("comes"), version=2),
            verify={"timeout": "6s", "min_healthy_s": 2},
        ),
        states={"keeps": "running", "changes": "running"},
        images={"changes": "web:1"},
        networks=frozenset({"default"}),
        kinds="ReleaseTable.reject Engine.remove",
        is_there=went_back,
    ),
}


class Begun:
    """A device that has reached the old target: copies of it are where each attempt begins."""

    def __init__(self, folder: Path, clock: FastClock) -> None:
        self.folder = folder
        self.clock = clock
        self.shelf = MemoryShelf()
        self.uuid = ""

    def engine(self, shelf: MemoryShelf) -> SimulatedEngine:
        registry = SimulatedRegistry(everything=True)
        registry.publish(SimulatedImage(reference="web:bad", exits_after_s=0.2, exit_code=3))
        return SimulatedEngine(self.uuid, self.clock, shelf=shelf, registry=registry)

    @asynccontextmanager
    async def running(self, folder: Path, engine: Any) -> AsyncIterator[Device]:
        async with running_device(folder, engine, clock=self.clock, policy=NO_BUDGET) as device:
            yield device

    async def reach(self, document: Any) -> None:
        self.uuid = await device_uuid(self.folder)
        async with self.running(self.folder, self.engine(self.shelf)) as device:
            await device.offer(document)
            await device.settled()
            await device.until(lambda: not device.snapshot.locks and settled(device))

    def copy(self, number: int) -> tuple[Path, SimulatedEngine]:
        folder = self.folder.with_name(f"copy-{number}")
        shutil.copytree(self.folder, folder)
        shelf = MemoryShelf()
        shelf._state = copy.deepcopy(self.shelf._state)
        return folder, self.engine(shelf)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", UPDATES)
async def test_killed_at_any_change_the_next_start_ends_the_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, part: int, *, after: bool
) -> None:
    update, begun = UPDATES[name], Begun(tmp_path / "begun", FastClock(speed=SPEED))
    begun.folder.mkdir()
    await begun.reach(update.old)
    for at in range(part + 1, 1000, PARTS):
        folder, engine = begun.copy(at)
        kept = {c.service_name: c for c in await engine.containers()}[update.keeps]
        kept_start = await engine.started_at(kept.id)

        with monkeypatch.context() as patch:
            power = PowerCut()
            power.wire(patch)
            async with begun.running(folder, power.before(engine)) as device:
                power.arm(at, after=after)
                await offer_until_cut(device, update, power)

        where = f"killed {'after' if after else 'before'} change {at}: {power.met[-1:]}"
        async with begun.running(folder, engine) as device:
            await ended(device, update)
            seen = await device.containers()
            everything = await engine.containers()
            networks = {n.short_name for n in (await engine.resources()).networks}
        assert {n: c.state.value for n, c in seen.items()} == update.states, where
        assert len(everything) == len(seen), where
        assert not any(c.name.endswith(".next") for c in everything), where
        assert {n: seen[n].image for n in update.images} == update.images, where
        assert (seen[update.keeps], await engine.started_at(kept.id)) == (kept, kept_start), where
        assert networks == update.networks, where
        assert list(folder.rglob(UPDATE_LOCK)) == [], where
        if not power.happened.is_set():
            assert set(power.met) >= set(update.kinds.split())
            return
    pytest.fail("the update never came to an end")


async def ended(device: Device, update: Update) -> None:
    """Offer the new target and wait until nothing is left to do for it."""
    await device.offer(update.new)
    async with asyncio.timeout(PATIENCE_S):
        while not await is_ended(device, update):
            await device.changed.wait()
            device.changed.clear()


async def is_ended(device: Device, update: Update) -> bool:
    """Whether a fresh look says so: the last one may still be about the old target."""
    found = await device.reconciler.look()
    return not (found.steps or found.waits or device.snapshot.locks) and update.is_there(device)


async def offer_until_cut(device: Device, update: Update, power: PowerCut) -> None:
    """Offer the new target; return when the power is gone, or the update is through."""

    async def through() -> None:
        await ended(device, update)
        power.disarm()

    tasks = {asyncio.create_task(through()), asyncio.create_task(power.happened.wait())}
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    for task in done:
        await task
