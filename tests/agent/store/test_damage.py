"""Whatever a dying disk does to the database, the device stays who it is."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from iotistic.agent.store.records import Identity
from iotistic.agent.store.store import Store
from iotistic.planner.world import Attempt, Intent, IntentKind, StepKind, Subject
from tests.agent.store.builders import (
    GOOD,
    LOCK,
    REJECTED,
    STOP,
    app,
    codes,
    database_in,
    opened,
    provisioned,
    same_device,
    target,
)
from tests.agent.store.damaging import damage


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Identity]:
    """A device that was killed at work: half of it in the database, half in its log."""
    return asyncio.run(at_work(tmp_path_factory.mktemp("device")))


async def at_work(folder: Path) -> tuple[Path, Identity]:
    async with opened(folder) as store:
        await fill(store)
    async with opened(folder) as store:
        await store.save_target(target())
        await store.change_settings({"LOG_LEVEL": "debug"})
        shutil.copytree(database_in(folder).parent, folder / "killed")
        return folder / "killed", store.identity


async def fill(store: Store) -> None:
    await store.save_identity(provisioned(store.identity))
    await store.save_target(target())
    await store.releases.commit(GOOD, app())
    for n in range(5):
        await store.releases.reject(replace(REJECTED, release_hash=str(n)))
    await store.locks.save(LOCK)
    await store.change_settings({f"NAME_{n}": "x" * 100 for n in range(100)})
    for n in range(50):
        subject = Subject(app_id=n, kind="service", name=str(n))
        await store.save_attempt(
            Attempt(subject=subject, step=StepKind.PULL, count=1, not_before_s=1.0)
        )
        await store.save_intent(Intent(kind=IntentKind.STOP, app_id=n, service_id=str(n)))


QUICK = 25
IN_ALL = 500
STRIDE = 25


async def comes_back(folder: Path, identity: Identity, what: str) -> list[str]:
    """Open it twice and more: the same device, with its target; the findings."""
    found: list[str] = []
    for _ in range(2):
        async with opened(folder) as store:
            held = await store.target()
            assert same_device(store.identity, identity), what
            assert held is not None, what
            assert (held.apps, held.config) == (target().apps, target().config), what
            await store.attempts()
            await store.intents()
            await store.settings()
            await store.releases.all()
            assert await store.releases.good_documents() in ({}, {1001: app()}), what
            await store.locks.all()
            await store.change_settings({"after": "1"})
            found += [code for code in codes(store) if code not in found]
    async with opened(folder) as store:
        assert (await store.settings())["after"] == "1", what
        assert codes(store) == [], what
    return found


async def survives_before_a_start(killed: Path, identity: Identity, folder: Path, seed: int) -> str:
    shutil.copytree(killed, database_in(folder).parent)
    what = damage(Random(seed), database_in(folder).parent)
    found = await comes_back(folder, identity, f"seed {seed}: {what}")
    return ", ".join(found) or "as it was"


async def survives_while_running(folder: Path, seed: int) -> str:
    """What is known in memory is lost with no page."""
    rng = Random(seed)
    async with opened(folder) as store:
        await fill(store)
        await store.locks.all()
        identity = store.identity
        what = damage(rng, database_in(folder).parent)
        if rng.random() < 0.5:  # nothing of it is in SQLite's own memory any more
            await store._database.read(lambda db: db.execute("PRAGMA shrink_memory").fetchall())
        if rng.random() < 0.5:
            await store.check()
        await store.look_after()
        await store.save_intent(STOP)
        await store.check()
        assert STOP in await store.intents(), what
        assert LOCK in await store.locks.all(), what
        assert (await store.releases.all()).good == (GOOD,), what
        assert await store.releases.good_documents() == {1001: app()}, what
        assert (await store.settings())["NAME_7"] == "x" * 100, what
        await store.change_settings({"NAME_7": "y"})
        assert same_device(store.identity, identity), what
        found = codes(store)
    async with opened(folder) as store:
        assert STOP in await store.intents(), what
        assert LOCK in await store.locks.all(), what
        assert (await store.settings())["NAME_7"] == "y", what
        assert await store.releases.good_documents() == {1001: app()}, what
    await comes_back(folder, identity, f"seed {seed}: {what}")
    return ", ".join(sorted(set(found))) or "as it was"


@pytest.mark.parametrize("seed", range(QUICK))
async def test_a_damaged_database_never_costs_the_identity_or_a_wrong_target(
    tmp_path: Path, killed: tuple[Path, Identity], seed: int
) -> None:
    await survives_before_a_start(*killed, tmp_path, seed)


@pytest.mark.parametrize("seed", range(QUICK))
async def test_damage_under_a_running_agent_costs_nothing_that_was_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    await survives_while_running(tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, IN_ALL, STRIDE))
async def test_many_seeds_of_damage(
    tmp_path: Path, killed: tuple[Path, Identity], first: int
) -> None:
    before, running = Counter[str](), Counter[str]()
    for seed in range(first, first + STRIDE):
        before[await survives_before_a_start(*killed, tmp_path / f"b{seed}", seed)] += 1
        running[await survives_while_running(tmp_path / f"r{seed}", seed)] += 1
    sys.stdout.write(f"before a start: {dict(before)}; while running: {dict(running)}\n")
