"""The rules of opening: whatever becomes of the database, the device stays who it is."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.store import database
from iotistic.agent.store.errors import DatabaseLocked, DatabaseNewer, DatabaseUnusable
from iotistic.agent.store.migrations import NEWEST
from iotistic.agent.store.records import Identity
from iotistic.agent.store.store import Store
from iotistic.model.errors import Unavailable
from tests.agent.store.builders import (
    STOP,
    BootClock,
    codes,
    database_in,
    names,
    no_crypto,
    opened,
    provisioned,
    same_device,
    target,
)


@pytest.fixture
async def before(tmp_path: Path) -> AsyncIterator[Identity]:
    """A provisioned device with a target, switched off."""
    async with opened(tmp_path) as store:
        await store.save_identity(provisioned(store.identity))
        await store.save_target(target())
        await store.save_intent(STOP)
        await store.change_settings({"LOG_LEVEL": "debug"})
    async with opened(tmp_path) as store:
        yield store.identity


async def test_a_deleted_database_is_made_anew_and_said_to_be_missing_until_taken_up(
    tmp_path: Path, off: Identity
) -> None:
    database_in(tmp_path).unlink()
    for _ in range(2):  # a second start has not forgotten it
        async with opened(tmp_path) as store:
            assert same_device(store.identity, off)
            assert store.database_was_missing
            assert await store.target() == replace(target(), etag=None)
    async with opened(tmp_path) as store:
        await store.save_identity(store.identity)
        assert not store.database_was_missing
    async with opened(tmp_path) as store:
        assert not store.database_was_missing
        assert codes(store) == []


async def test_a_deleted_database_of_a_device_that_never_asked_a_cloud_is_nothing_special(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        identity = store.identity
    database_in(tmp_path).unlink()
    async with opened(tmp_path) as store:
        assert same_device(store.identity, identity)
        assert not store.database_was_missing


async def test_a_log_left_behind_by_a_deleted_database_is_not_played_into_the_new_one(
    tmp_path: Path, off: Identity
) -> None:
    path = database_in(tmp_path)
    path.unlink()
    path.with_name("device.sqlite-wal").write_bytes(b"x" * 5000)
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)
        assert await store.settings() == {}
    assert any(".stale-" in name for name in names(tmp_path))


async def test_a_damaged_database_is_set_aside_and_nobody_has_to_provision(
    tmp_path: Path, off: Identity
) -> None:
    path = database_in(tmp_path)
    path.write_bytes(b"no database at all, but long enough" * 100)
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)
        assert not store.database_was_missing
        assert await store.target() == replace(target(), etag=None)
        assert codes(store) == ["database-corrupt"]
    (aside,) = [name for name in names(tmp_path) if ".corrupt-" in name]
    assert path.with_name(aside).read_bytes().startswith(b"no database at all")
    assert path.with_name(aside).stat().st_mode & 0o077 == 0


def damage_table(path: Path, table: str) -> None:
    db = sqlite3.connect(path)
    (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


async def test_damage_where_nobody_looks_at_a_start_is_found_all_the_same(
    tmp_path: Path, off: Identity
) -> None:
    damage_table(database_in(tmp_path), "anomaly_detections")
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)
        assert codes(store) == ["database-corrupt", "database-corrupt"]


async def test_damage_in_one_place_leaves_what_persons_told_the_device(
    tmp_path: Path, off: Identity
) -> None:
    damage_table(database_in(tmp_path), "target_state")
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)
        assert await store.target() == replace(target(), etag=None)
        assert await store.settings() == {"LOG_LEVEL": "debug"}
        assert await store.intents() == (STOP,)


async def test_a_changed_letter_that_sqlite_does_not_see_is_found_by_the_hash(
    tmp_path: Path, off: Identity
) -> None:
    with sqlite3.connect(database_in(tmp_path)) as db:
        db.execute("UPDATE target_state SET apps = replace(apps, 'web:1', 'wob:1')")
    db.close()
    async with opened(tmp_path) as store:
        assert await store.target() == target()  # of target-last-good.json
        assert codes(store) == ["target-unreadable"]
        assert same_device(store.identity, off)


async def test_a_database_of_another_device_is_set_aside(tmp_path: Path, off: Identity) -> None:
    async with opened(tmp_path / "other") as store:
        other = store.identity
    shutil.copy(database_in(tmp_path / "other"), database_in(tmp_path))
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)
        assert store.identity.uuid != other.uuid
        assert await store.target() == replace(target(), etag=None)
        assert await store.intents() == ()
        assert codes(store) == ["database-foreign"]
    assert any(".foreign-" in name for name in names(tmp_path))


async def test_another_programs_database_is_set_aside(tmp_path: Path, off: Identity) -> None:
    path = database_in(tmp_path)
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE device (id INTEGER PRIMARY KEY, uuid TEXT, macAddress TEXT)")
        db.execute("PRAGMA user_version = 99")
    db.close()
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)
        assert codes(store)[-1] == "database-corrupt"


async def test_a_restored_backup_is_not_mixed_with_the_log_of_what_it_replaced(
    tmp_path: Path, off: Identity
) -> None:
    """Somebody copies yesterday's file into place while the agent, which was killed, left a log."""
    path, saved, killed = database_in(tmp_path), tmp_path / "saved.sqlite", tmp_path / "killed"
    async with opened(tmp_path) as store:
        await store.backup(saved)
        await store.change_settings({"LOG_LEVEL": "of today"})
        shutil.copytree(path.parent, killed / "data")  # what a kill leaves: a log not yet moved in
    assert database_in(killed).with_name("device.sqlite-wal").stat().st_size > 0
    shutil.copy(saved, database_in(killed))

    async with opened(killed) as store:
        assert same_device(store.identity, off)
        assert await store.settings() == {"LOG_LEVEL": "debug"}
        assert codes(store) == ["database-restored"]
        await store.change_settings({"LOG_LEVEL": "newest"})
        shutil.copytree(database_in(killed).parent, tmp_path / "again" / "data")
    assert any(name.endswith("-wal") and ".stale-" in name for name in names(killed))

    # Paired from now on: the next kill must not cost what was acknowledged since.
    async with opened(tmp_path / "again") as store:
        assert await store.settings() == {"LOG_LEVEL": "newest"}
        assert codes(store) == []


async def test_a_restored_backup_is_paired_in_the_file_itself_or_not_at_all(
    tmp_path: Path, off: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a reader in the way the new id would stay in the log, and the log would look strange."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with sqlite3.connect(database_in(tmp_path)) as db:
        db.execute("UPDATE device SET creationId = 'of yesterday'")
    db.close()
    reader = sqlite3.connect(database_in(tmp_path), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM device").fetchall()
    with pytest.raises(Unavailable):
        async with opened(tmp_path):
            pass
    reader.close()
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)
        assert await store.settings() == {"LOG_LEVEL": "debug"}


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, off: Identity) -> None:
    path = database_in(tmp_path)
    async with opened(tmp_path) as store:
        await store.change_settings({"LOG_LEVEL": "warn"})
        await store.save_target(target(2))
        shutil.copytree(path.parent, tmp_path / "killed" / "data")
    async with opened(tmp_path / "killed") as store:
        assert store.identity == off
        assert await store.settings() == {"LOG_LEVEL": "warn"}
        assert await store.target() == target(2)
        assert codes(store) == []


async def test_a_normal_start_needs_no_child_process(tmp_path: Path, off: Identity) -> None:
    async with Store.open(database_in(tmp_path), BootClock(), crypto=no_crypto) as store:
        assert store.identity == off
        assert codes(store) == []


async def test_a_second_agent_is_refused_with_the_first_ones_name(
    tmp_path: Path, before: Identity
) -> None:
    assert before.uuid
    with pytest.raises(DatabaseLocked) as caught:
        async with opened(tmp_path):
            pass
    assert caught.value.code == "database-locked"
    assert caught.value.holder in str(caught.value)
    assert caught.value.holder.split()[0].isdigit()


async def test_two_databases_in_one_folder_would_be_one_device_twice(
    tmp_path: Path, before: Identity
) -> None:
    assert before.uuid
    with pytest.raises(DatabaseLocked):
        async with Store.open(database_in(tmp_path).with_name("two.sqlite"), BootClock()):
            pass


@pytest.mark.parametrize("where", ["in the file", "in the log"])
async def test_a_newer_agents_database_is_refused_and_not_touched(
    tmp_path: Path, off: Identity, where: str
) -> None:
    assert off.uuid
    path = database_in(tmp_path)
    newer = sqlite3.connect(path, isolation_level=None)
    newer.execute("PRAGMA wal_autocheckpoint = 0")
    newer.execute(f"PRAGMA user_version = {NEWEST + 1}")
    folder = tmp_path / "copy" / "data"
    if where == "in the file":
        newer.close()
        shutil.copytree(path.parent, folder)
    else:
        shutil.copytree(path.parent, folder)
        newer.close()
        assert (folder / "device.sqlite-wal").stat().st_size > 0
    kept = [
        name
        for name in names(tmp_path / "copy")
        if name.endswith((".sqlite", "-wal", ".json", ".key"))
    ]
    contents = {name: (folder / name).read_bytes() for name in kept}
    with pytest.raises(DatabaseNewer) as caught:
        async with opened(tmp_path / "copy"):
            pass
    assert caught.value.code == "database-newer"
    assert caught.value.remedy is not None
    assert {name: (folder / name).read_bytes() for name in kept} == contents


async def test_a_version_beyond_reason_is_damage(tmp_path: Path, off: Identity) -> None:
    with sqlite3.connect(database_in(tmp_path)) as db:
        db.execute("PRAGMA user_version = 1000000")
    db.close()
    async with opened(tmp_path) as store:
        assert same_device(store.identity, off)


async def test_only_a_few_old_databases_are_kept(tmp_path: Path, off: Identity) -> None:
    for _ in range(5):
        database_in(tmp_path).write_bytes(b"x" * 4096)
        async with opened(tmp_path) as store:
            assert same_device(store.identity, off)
    assert len([name for name in names(tmp_path) if ".corrupt-" in name]) == 3


async def test_a_folder_that_cannot_be_made_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises((DatabaseUnusable, Unavailable)) as caught:
        async with opened(tmp_path):
            pass
    assert "data" in str(caught.value)


async def test_a_checkpoint_that_the_power_cut_short_is_no_backup_beside_a_strange_log(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.save_identity(provisioned(store.identity))
    async with opened(tmp_path) as store:
        await store.save_identity(replace(store.identity, device_name="another"))
        await store.change_settings({"LOG_LEVEL": "of the log"})
        killed = database_in(tmp_path / "killed")
        shutil.copytree(database_in(tmp_path).parent, killed.parent)
        creation_id = store.identity.creation_id.encode()
    half_written = killed.read_bytes().replace(creation_id, bytes(len(creation_id)))
    killed.write_bytes(half_written)
    async with opened(tmp_path / "killed") as store:
        assert await store.settings() == {"LOG_LEVEL": "of the log"}
        assert codes(store) == []
