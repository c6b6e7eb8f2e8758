"""A copy while the agent is at work, and putting one back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.store.errors import DatabaseNewer, DatabaseUnusable
from iotistic.agent.store.migrations import NEWEST
from iotistic.agent.store.store import Store
from iotistic.model.errors import Conflict
from tests.agent.store.builders import database_in, opened, provisioned, target


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as store:
        await store.save_identity(provisioned(store.identity))
        await store.save_target(target())
        await store.change_settings({"LOG_LEVEL": "then"})
        yield store


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_backup_comes_back_and_the_identity_of_now_stays(
    store: Store, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.sqlite"
    await store.backup(backup)
    await store.change_settings({"LOG_LEVEL": "now"})
    await store.save_target(target(2))
    identity = store.identity

    await store.restore(backup)

    assert await store.settings() == {"LOG_LEVEL": "then"}
    # But not the target of that day: a newer one was accepted since.
    assert await store.target() == replace(target(2), etag=None)
    assert store.identity == identity
    await store.change_settings({"LOG_LEVEL": "later"})
    replaced = [p for p in database_in(tmp_path).parent.iterdir() if ".replaced-" in p.name]
    (old,) = [path for path in replaced if not path.name.endswith(("-wal", "-shm"))]
    db = sqlite3.connect(old)
    assert db.execute("SELECT value FROM setting").fetchall() == [("now",)]
    db.close()


async def test_others_go_on_meanwhile(store: Store, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite"
    await store.backup(backup)
    restoring = asyncio.create_task(store.restore(backup))
    looks = 0
    while not restoring.done():
        assert await store.settings() == {"LOG_LEVEL": "then"}
        await store.change_settings({"LOG_LEVEL": "then"})
        looks += 1
    await restoring
    assert looks > 0


async def test_a_backup_is_one_file_for_its_owner_and_overwrites_nothing(
    store: Store, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.sqlite"
    await store.backup(backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["backup.sqlite", "data"]
    with pytest.raises(Conflict):
        await store.backup(backup)


async def test_what_is_no_backup_of_this_device_changes_nothing(
    store: Store, tmp_path: Path
) -> None:
    good = tmp_path / "good.sqlite"
    await store.backup(good)
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(good.read_bytes()[:8192] + b"\xff" * 20_000)
    text = tmp_path / "text.sqlite"
    text.write_text("not a database" * 100)
    newer = tmp_path / "newer.sqlite"
    shutil.copy(good, newer)
    db = sqlite3.connect(newer)
    db.execute(f"PRAGMA user_version = {NEWEST + 1}")
    db.close()
    async with opened(tmp_path / "other") as other:
        await other.backup(tmp_path / "other.sqlite")

    for file, refusal in (
        (damaged, DatabaseUnusable),
        (text, DatabaseUnusable),
        (newer, DatabaseNewer),
        (tmp_path / "other.sqlite", DatabaseUnusable),
        (tmp_path / "nothing.sqlite", DatabaseUnusable),
        (tmp_path, DatabaseUnusable),
    ):
        content = file.read_bytes() if file.is_file() else b""
        with pytest.raises(refusal):
            await store.restore(file)
        assert not file.is_file() or file.read_bytes() == content
        assert await store.settings() == {"LOG_LEVEL": "then"}
        assert await store.target() == target()
        await store.change_settings({"LOG_LEVEL": "then"})
