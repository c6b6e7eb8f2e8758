"""The power is cut at any call of a store's day, and the real code opens what is left."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from iotistic.agent.store.store import Store
from tests.agent.power_cuts import Call, NoTracer, cuts, record
from tests.agent.store.builders import app, codes, database_in, one_pair, opened, target

NORMAL = 150
LONG = 10_000
MEMORY = Path("/dev") / "shm"

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Call]:
    folder = tmp_path_factory.mktemp("day")
    state = database_in(folder).parent
    state.mkdir()
    program = [sys.executable, "-m", "tests.agent.store.power_program", str(folder)]
    try:
        return record(program, state, folder)
    except NoTracer as error:
        if os.environ.get("CI") == "true" or os.environ.get("IOTISTIC_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(f"cannot record system calls: {error}")


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A place where thousands of disks are made in no time."""
    folder = MEMORY / f"iotistic-store-cuts-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Told:
    """For each name what may be there: what was acknowledged last, and what was under way."""

    def __init__(self, said: Sequence[str]) -> None:
        self._may: dict[str, set[str]] = {}
        for line in said:
            what, name, value = line.split()
            if what == "done":
                self._may[name] = {value}
            else:
                self._may.setdefault(name, {"", "Pump 3"}).add(value)

    def check(self, name: str, found: object, where: str) -> None:
        if name in self._may:
            assert str(found) in self._may[name], f"{where}: {name} is {found}, {self._may[name]}"


async def look(folder: Path, said: Sequence[str], where: str) -> None:
    """Nothing acknowledged is lost, the device is who it was, and nobody had to be asked."""
    told = Told(said)
    for _ in range(2):
        async with opened(folder) as store:
            await check(store, told, where)
    async with opened(folder) as store:
        assert codes(store) == [], where


async def check(store: Store, told: Told, where: str) -> None:
    assert not {"database-corrupt", "identity-corrupt"} & set(codes(store)), where
    told.check("uuid", store.identity.uuid, where)
    told.check("name", store.identity.device_name, where)
    told.check("setting", (await store.settings()).get("N", ""), where)
    locks = await store.locks.all()
    told.check("lock", locks[0].reason if locks else "", where)
    held = await store.target()
    told.check("target", held.version if held else "", where)
    if held is not None and held.version is not None:
        assert held.apps == target(held.version, f"web:{held.version}").apps, where
    good = (await store.releases.all()).good
    told.check("good", good[0].release if good else "", where)
    assert await store.releases.good_documents() in ({}, {1001: app()}), where


def explore(day: Sequence[Call], folder: Path, *, number: int) -> int:
    """Look at every disk; how many there were. Raises AssertionError at the first broken law."""
    one_pair()
    seen = 0
    with asyncio.Runner() as runner:
        for cut in cuts(day, number=number, seed=11):
            seen += 1
            shutil.rmtree(folder / "cut", ignore_errors=True)
            (folder / "cut").mkdir()
            cut.write(database_in(folder / "cut").parent)
            runner.run(look(folder / "cut", cut.said, f"cut after call {cut.after}"))
    return seen


def test_what_was_acknowledged_is_there_wherever_the_power_was_cut(
    day: Sequence[Call], memory_folder: Path
) -> None:
    assert explore(day, memory_folder, number=NORMAL) == NORMAL


@pytest.mark.parametrize("file", ["device.sqlite-wal", ".identity.json.tmp"])
def test_a_disk_that_does_not_sync_is_found_out(
    day: Sequence[Call], memory_folder: Path, file: str
) -> None:
    lying = [call for call in day if (call.kind, call.name) != ("sync", file)]

    with pytest.raises(AssertionError, match="cut after call"):
        explore(lying, memory_folder, number=1000)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_ten_thousand_power_cuts(day: Sequence[Call], memory_folder: Path) -> None:
    assert explore(day, memory_folder, number=LONG) == LONG
