"""Whatever a dying disk does to the database, the device stays who it is."""

from __future__ import annotations

import asyncio
import shutil
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
    app,
    database_in,
    opened,
    provisioned,
    target,
)

SEEDS = 60


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


def damage(rng: Random, folder: Path) -> str:
    """One way or another to lose what a file held; says which."""
    victim = folder / rng.choice(["device.sqlite", "device.sqlite", "device.sqlite-wal"])
    content = bytearray(victim.read_bytes())
    at = rng.randrange(len(content))
    length = rng.choice([1, 16, 512, 4096])
    kind = rng.choice(["cut", "zeros", "noise", "bit", "page"])
    match kind:
        case "cut":
            del content[at:]
        case "zeros":
            content[at : at + length] = bytes(len(content[at : at + length]))
        case "noise":
            content[at : at + length] = rng.randbytes(len(content[at : at + length]))
        case "bit":
            content[at] ^= 1 << rng.randrange(8)
        case _:
            at, other = (4096 * rng.randrange(len(content) // 4096) for _ in range(2))
            content[at : at + 4096] = content[other : other + 4096]
    victim.write_bytes(content)
    return f"{kind} of {victim.name} at {at}, {length}"


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_damaged_database_never_costs_the_identity_or_a_wrong_target(
    tmp_path: Path, killed: tuple[Path, Identity], seed: int
) -> None:
    folder, identity = killed
    shutil.copytree(folder, database_in(tmp_path).parent)
    what = damage(Random(seed), database_in(tmp_path).parent)

    for _ in range(2):
        async with opened(tmp_path) as store:
            found = await store.target()
            assert replace(store.identity, creation_id="") == replace(identity, creation_id=""), (
                what
            )
            assert found is not None, what
            assert (found.apps, found.config) == (target().apps, target().config), what
            await store.attempts()
            await store.intents()
            await store.settings()
            await store.releases.all()
            assert await store.releases.good_documents() in ({}, {1001: app()}), what
            await store.locks.all()
            await store.change_settings({"after": "1"})
    async with opened(tmp_path) as store:
        assert (await store.settings())["after"] == "1", what
