"""What happens to the files under a running agent costs nothing that was acknowledged."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.store.errors import DatabaseLocked
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.agent.store.store import Store
from iotistic.planner.world import LockOwner
from tests.agent.store.builders import (
    GOOD,
    LOCK,
    STOP,
    app,
    codes,
    database_in,
    names,
    opened,
    provisioned,
    same_device,
    target,
)

ENTRY = JournalEntry(at_ms=1, app_id=1001, event=JournalEvent.LOCKED, reason="told")


async def busy(store: Store) -> None:
    """Things that were acknowledged, not all of them in memory."""
    await store.save_identity(provisioned(store.identity))
    await store.save_target(target())
    await store.locks.save(LOCK)
    await store.releases.commit(GOOD, app())
    await store.journal.add([ENTRY])
    await store.change_settings({"LOG_LEVEL": "debug"})


async def check_all_there(store: Store) -> None:
    assert await store.locks.all() == (LOCK,)
    assert (await store.releases.all()).good == (GOOD,)
    assert await store.releases.good_documents() == {1001: app()}
    assert await store.settings() == {"LOG_LEVEL": "debug"}
    found = await store.target()
    assert found is not None
    assert replace(found, etag=None) == replace(target(), etag=None)


def remove_database(folder: Path) -> None:
    database_in(folder).unlink()


def remove_log(folder: Path) -> None:
    database_in(folder).with_name("device.sqlite-wal").unlink()


def remove_index(folder: Path) -> None:
    database_in(folder).with_name("device.sqlite-shm").unlink()


def remove_all(folder: Path) -> None:
    for name in ("device.sqlite", "device.sqlite-wal", "device.sqlite-shm"):
        database_in(folder).with_name(name).unlink()


def move_away(folder: Path) -> None:
    database_in(folder).rename(folder / "moved.sqlite")


def put_another_there(folder: Path) -> None:
    other = folder / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE other (a)")
    db.close()
    other.replace(database_in(folder))


def remove_folder(folder: Path) -> None:
    shutil.rmtree(database_in(folder).parent)


HAPPENINGS = [
    remove_database, remove_log, remove_index, remove_all, move_away, put_another_there,
    remove_folder,
]  # fmt: skip


@pytest.mark.parametrize("happens", HAPPENINGS)
async def test_what_was_acknowledged_before_and_after_is_on_the_disk(
    tmp_path: Path, happens: object
) -> None:
    assert callable(happens)
    async with opened(tmp_path) as store:
        await busy(store)
        happens(tmp_path)
        await store.save_intent(STOP)  # acknowledged after it
        identity = store.identity
        assert codes(store) == ["database-put-back"]
        await check_all_there(store)
        killed = tmp_path / "killed" / "data"
        shutil.copytree(database_in(tmp_path).parent, killed)
        await store.change_settings({"LOG_LEVEL": "info"})
        assert codes(store) == ["database-put-back"]
    async with opened(tmp_path / "killed") as store:
        assert codes(store) == []
        assert same_device(store.identity, identity)
        await check_all_there(store)
        assert await store.intents() == (STOP,)
        assert [entry.reason for entry in await store.journal.of(1001)] == ["told"]


async def test_a_deleted_database_is_noticed_without_a_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await busy(store)
        remove_all(tmp_path)
        await store.look_after()
        assert codes(store) == ["database-put-back"]
        assert database_in(tmp_path).exists()
    async with opened(tmp_path) as store:
        await check_all_there(store)
        assert store.database_was_missing  # it stays the wish to join again


async def test_what_stood_in_its_place_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await busy(store)
        put_another_there(tmp_path)
        await store.look_after()
        (aside,) = [
            name
            for name in names(tmp_path)
            if ".replaced-" in name and "wal" not in name and "shm" not in name
        ]
        assert aside in store.findings[-1].message
        with sqlite3.connect(database_in(tmp_path).with_name(aside)) as db:
            assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("other",)]
        db.close()
        assert not store.database_was_missing


async def test_small_files_that_are_gone_are_made_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await busy(store)
        folder = database_in(tmp_path).parent
        gone = ["identity.json", "database.key", "target-last-good.json"]
        before = {name: (folder / name).read_bytes() for name in gone}
        for name in gone:
            (folder / name).unlink()
        await store.look_after()
        assert {name: (folder / name).read_bytes() for name in gone} == before
        assert [oct((folder / name).stat().st_mode & 0o777) for name in gone] == ["0o600"] * 3


async def test_a_folder_that_was_removed_is_locked_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await busy(store)
        remove_folder(tmp_path)
        await store.look_after()
        with pytest.raises(DatabaseLocked):
            async with opened(tmp_path):
                pass


def scribble(folder: Path) -> None:
    """Break every page but the first of the database and of its log, under the open files."""
    for name in ("device.sqlite", "device.sqlite-wal"):
        path = database_in(folder).with_name(name)
        with path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(4096)
            file.write(b"\xa5" * max(0, size - 4096))


async def test_damage_met_at_work_is_mended_without_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await busy(store)
        await store.save_intent(STOP)
        await store.locks.all()
        before = store.identity
        scribble(tmp_path)
        await store.check()
        assert "database-corrupt" in codes(store)
        await store.locks.remove(1001, LockOwner.AGENT)
        await check_all_there(store)
        assert await store.intents() == (STOP,)
        assert same_device(store.identity, before)
    async with opened(tmp_path) as store:
        assert codes(store) == []
        await check_all_there(store)


async def test_a_write_that_meets_damage_is_done_in_the_new_database(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await busy(store)
        await store.intents()
        scribble(tmp_path)
        await store._database.read(lambda db: db.execute("PRAGMA shrink_memory"))
        await store.save_intent(STOP)
        assert await store.intents() == (STOP,)
        await check_all_there(store)
    async with opened(tmp_path) as store:
        assert await store.intents() == (STOP,)


async def test_a_mistake_of_ours_costs_no_database(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await busy(store)
        before = names(tmp_path)
        with pytest.raises(Exception, match="constraint failed"):
            await store._database.write(
                lambda db: [db.execute("INSERT INTO device (id, uuid) VALUES (1, 'u')")] * 2
            )
        await check_all_there(store)
        assert [entry.reason for entry in await store.journal.of(1001)] == ["told"]
        assert [name for name in names(tmp_path) if name not in before] == []
