"""Kills a process at every line of the store that it executes, and looks what the next one finds.

Run as a program of its own, see `tests.agent.killing`; the folder is a state folder.

    python -m tests.agent.store.kill_sweep SCENARIO FOLDER
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from iotistic.agent.store import identity_file
from iotistic.agent.store.records import Identity, ResetOptions
from iotistic.agent.store.store import Store
from iotistic.model.secret import Secret
from iotistic.planner.world import Releases
from tests.agent.killing import Scenario, sweep
from tests.agent.store import kill_releases
from tests.agent.store.builders import (
    SECRET_WORDS,
    STOP,
    database_in,
    one_pair,
    opened,
    provisioned,
    target,
)

OF_VERSION_3 = (
    "release_good",
    "release_candidate",
    "release_rejected",
    "app_lock",
    "completed",
    "pulled_image",
    "container_born",
    "journal",
)
# Where effects are ordered; what is pure in between cannot be half done.
WATCHED = (
    "agent/host/files.py",
    "agent/store/files.py",
    "agent/store/opening.py",
    "agent/store/reset_file.py",
    "agent/store/backup.py",
    "agent/store/database.py",
    "agent/store/store.py",
    "agent/store/building.py",
    "agent/store/mending.py",
    "agent/store/tended.py",
    "agent/store/agent_memory.py",
    "agent/store/release_table.py",
    "agent/store/release_rows.py",
    "agent/store/journal_table.py",
    "agent/store/time_left.py",
    "agent/store/migrations/__init__.py",
)


def identity_on_disk(folder: Path) -> Identity | None:
    return identity_file.load_identity(database_in(folder).with_name("identity.json"))


def same(one: Identity, other: Identity) -> bool:
    return replace(one, creation_id="") == replace(other, creation_id="")


async def joined(folder: Path) -> None:
    """A device in a cloud, with a target and a setting."""
    async with opened(folder) as store:
        await store.save_identity(provisioned(store.identity))
        await store.save_target(target())
        await store.change_settings({"LEVEL": "old"})
    shutil.copy(database_in(folder).with_name("identity.json"), folder / "was.json")


def was(folder: Path) -> Identity:
    identity = identity_file.load_identity(folder / "was.json")
    assert identity is not None
    return identity


async def nothing(_: Path) -> None:
    """An empty folder."""


async def just_open(folder: Path) -> None:
    async with opened(folder):
        pass


async def is_who_the_file_says(folder: Path) -> None:
    before = identity_on_disk(folder)
    async with opened(folder) as store:
        assert before is None or same(store.identity, before)
        assert not store.database_was_missing


async def is_itself(folder: Path) -> None:
    async with opened(folder) as store:
        await check_itself(store, folder)
        assert not store.database_was_missing


async def check_itself(store: Store, folder: Path) -> None:
    assert same(store.identity, was(folder)), store.findings
    found = await store.target()
    assert found is not None
    assert replace(found, etag=None) == replace(target(), etag=None)


async def deleted(folder: Path) -> None:
    await joined(folder)
    database_in(folder).unlink()
    database_in(folder).with_name("device.sqlite-wal").write_bytes(b"x" * 5000)


async def is_itself_and_asked_to_join_again(folder: Path) -> None:
    async with opened(folder) as store:
        await check_itself(store, folder)
        assert store.database_was_missing


async def damaged(folder: Path) -> None:
    await joined(folder)
    with database_in(folder).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20_000)


async def without_identity_file(folder: Path) -> None:
    await joined(folder)
    database_in(folder).with_name("identity.json").unlink()


async def is_exactly_itself(folder: Path) -> None:
    async with opened(folder) as store:
        assert store.identity == was(folder)
        assert await store.target() == target()
        assert await store.settings() == {"LEVEL": "old"}


async def restored_by_hand(folder: Path) -> None:
    """An old file over a database that was killed with a log beside it."""
    await joined(folder)
    saved = folder / "saved.sqlite"
    shutil.copy(database_in(folder), saved)
    database_in(folder).unlink()
    async with opened(folder) as store:
        await store.change_settings({"LEVEL": "of the log"})
        shutil.copytree(database_in(folder).parent, folder / "killed")
    shutil.rmtree(database_in(folder).parent)
    (folder / "killed").rename(database_in(folder).parent)
    shutil.copy(saved, database_in(folder))


async def has_the_saved_setting(folder: Path) -> None:
    async with opened(folder) as store:
        await check_itself(store, folder)
        assert await store.settings() == {"LEVEL": "old"}


async def of_version_1(folder: Path) -> None:
    await joined(folder)
    with sqlite3.connect(database_in(folder)) as db:
        for table in (*OF_VERSION_3, "step_failure", "intent", "setting"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")
    db.close()


async def of_version_2(folder: Path) -> None:
    await joined(folder)
    async with opened(folder) as store:
        await store.save_intent(STOP)
    with sqlite3.connect(database_in(folder)) as db:
        for table in OF_VERSION_3:
            db.execute(f"DROP TABLE {table}")
        db.execute("ALTER TABLE step_failure DROP COLUMN failed_at_ms")
        db.execute("PRAGMA user_version = 2")
    db.close()


async def is_migrated_from_2(folder: Path) -> None:
    async with opened(folder) as store:
        assert store.findings == ()
        await check_itself(store, folder)
        assert await store.settings() == {"LEVEL": "old"}
        assert await store.intents() == (STOP,)
        assert await store.releases.all() == Releases()


async def is_migrated(folder: Path) -> None:
    async with opened(folder) as store:
        assert store.identity == was(folder)
        assert store.findings == ()
        assert await store.target() == target()
        assert await store.settings() == {}


async def save_new_credentials(folder: Path) -> None:
    async with opened(folder) as store:
        await store.save_identity(with_new_key(store.identity))


def with_new_key(identity: Identity) -> Identity:
    assert identity.cloud is not None
    return replace(identity, cloud=replace(identity.cloud, api_key=Secret("api-key-18")))


async def has_old_or_new_credentials(folder: Path) -> None:
    on_disk = identity_on_disk(folder)
    async with opened(folder) as store:
        assert store.identity == on_disk
        assert store.identity in (was(folder), with_new_key(was(folder)))
    (database_in(folder).parent / "identity.json").unlink()
    async with opened(folder) as store:  # the sealed copy caught up with the file
        assert store.identity == on_disk


async def save_new_target(folder: Path) -> None:
    async with opened(folder) as store:
        await store.save_target(target(2, "web:2"))


async def has_old_or_new_target(folder: Path) -> None:
    async with opened(folder) as store:
        assert await store.target() in (target(), target(2, "web:2"))


async def reset_begun(folder: Path) -> None:
    await joined(folder)
    async with opened(folder) as store:
        await store.begin_reset(ResetOptions())


async def begin_reset(folder: Path) -> None:
    async with opened(folder) as store:
        await store.begin_reset(ResetOptions(keep_volumes=True))


async def reset_is_wanted_or_not(folder: Path) -> None:
    async with opened(folder) as store:
        assert store.identity == was(folder)
        if store.reset_pending is None:
            assert await store.target() == target()
        else:
            assert store.reset_pending == ResetOptions(keep_volumes=True)
            assert await store.target() is None


async def wipe(folder: Path) -> None:
    async with opened(folder) as store:
        await store.wipe(keep_identity=False, spent_key_hash="spent now")


async def wipe_but_identity(folder: Path) -> None:
    async with opened(folder) as store:
        await store.wipe(keep_identity=True, spent_key_hash="spent now")


async def is_old_or_new(folder: Path) -> None:
    async with opened(folder) as store:
        if store.reset_pending is not None:  # the wipe had not begun
            assert store.identity == was(folder)
            return
        assert store.identity.uuid != was(folder).uuid
        check_forgotten(store, folder)


async def is_old_or_stripped(folder: Path) -> None:
    async with opened(folder) as store:
        assert store.identity.uuid == was(folder).uuid
        assert store.identity.private_key_pem == was(folder).private_key_pem
        if store.reset_pending is None:
            check_forgotten(store, folder)


def check_forgotten(store: Store, folder: Path) -> None:
    assert store.identity.cloud is None
    assert store.identity.spent_key_hash == "spent now"
    assert not store.database_was_missing
    for file in database_in(folder).parent.iterdir():
        content = file.read_bytes().decode("latin-1")
        assert not any(word in content for word in SECRET_WORDS[:-1]), file


async def saved_and_changed(folder: Path) -> None:
    await joined(folder)
    async with opened(folder) as store:
        await store.backup(folder / "saved.sqlite")
        await store.change_settings({"LEVEL": "newer"})


async def restore(folder: Path) -> None:
    async with opened(folder) as store:
        await store.restore(folder / "saved.sqlite")


async def has_old_or_newer_setting(folder: Path) -> None:
    async with opened(folder) as store:
        await check_itself(store, folder)
        assert await store.settings() in ({"LEVEL": "old"}, {"LEVEL": "newer"})


async def deleted_at_work(folder: Path) -> None:
    async with opened(folder) as store:
        database_in(folder).unlink()
        await store.change_settings({"LEVEL": "newer"})


async def log_deleted_at_work(folder: Path) -> None:
    async with opened(folder) as store:
        await store.change_settings({"LEVEL": "new"})
        database_in(folder).with_name("device.sqlite-wal").unlink()
        await store.change_settings({"LEVEL": "newer"})


async def damaged_at_work(folder: Path) -> None:
    async with opened(folder) as store:
        await store.settings()
        with database_in(folder).open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 20_000)
        await store.check()
        await store.change_settings({"LEVEL": "newer"})


async def is_still_itself(folder: Path) -> None:
    async with opened(folder) as store:
        await check_itself(store, folder)
    async with opened(folder) as store:
        await check_itself(store, folder)
        assert store.findings == ()


SCENARIOS = {
    "first-start": Scenario(nothing, just_open, is_who_the_file_says),
    "deleted": Scenario(deleted, just_open, is_itself_and_asked_to_join_again),
    "damaged": Scenario(damaged, just_open, is_itself),
    "identity-file-lost": Scenario(without_identity_file, just_open, is_exactly_itself),
    "restored-by-hand": Scenario(restored_by_hand, just_open, has_the_saved_setting),
    "migration": Scenario(of_version_1, just_open, is_migrated),
    "migration-from-2": Scenario(of_version_2, just_open, is_migrated_from_2),
    "save-identity": Scenario(joined, save_new_credentials, has_old_or_new_credentials),
    "save-target": Scenario(joined, save_new_target, has_old_or_new_target),
    "begin-reset": Scenario(joined, begin_reset, reset_is_wanted_or_not),
    "wipe": Scenario(reset_begun, wipe, is_old_or_new),
    "wipe-but-identity": Scenario(reset_begun, wipe_but_identity, is_old_or_stripped),
    **kill_releases.SCENARIOS,
    "deleted-at-work": Scenario(joined, deleted_at_work, is_still_itself),
    "log-deleted-at-work": Scenario(joined, log_deleted_at_work, is_still_itself),
    "damaged-at-work": Scenario(joined, damaged_at_work, is_still_itself),
    "restore": Scenario(saved_and_changed, restore, has_old_or_newer_setting),
}


if __name__ == "__main__":
    name, where, every = sys.argv[1:4]
    one_pair()  # once, before the forks
    sys.stdout.write(str(sweep(SCENARIOS[name], Path(where), int(every), WATCHED)))
