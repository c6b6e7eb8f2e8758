"""Of two targets on the disk the newer one wins, and acceptance is one instant."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.store import target_table
from iotistic.agent.store.errors import DiskFull
from iotistic.agent.store.records import StoredTarget
from tests.agent.store.builders import REJECTED, codes, database_in, opened, target


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (target(1), target(2, "web:2")),
        (target(1), replace(target(1, "web:2"), epoch="e2", received_at_ms=1_800_000_000_000)),
        (
            replace(target(1), version=None),
            replace(target(1, "web:2"), version=None, received_at_ms=1_800_000_000_000),
        ),
    ],
    ids=["version", "epoch", "time"],
)
async def test_a_database_of_an_earlier_day_goes_to_the_newer_target_at_once(
    tmp_path: Path, older: StoredTarget, newer: StoredTarget
) -> None:
    async with opened(tmp_path) as store:
        await store.save_target(older)
    saved = tmp_path / "saved.sqlite"
    shutil.copy(database_in(tmp_path), saved)
    async with opened(tmp_path) as store:
        await store.save_target(newer)
    shutil.copy(saved, database_in(tmp_path))

    for _ in range(2):
        async with opened(tmp_path) as store:
            assert await store.target() == replace(newer, etag=None)


async def test_a_copy_that_is_older_than_the_database_changes_nothing(tmp_path: Path) -> None:
    copy = database_in(tmp_path).with_name("target-last-good.json")
    async with opened(tmp_path) as store:
        await store.save_target(target(1))
        old = copy.read_bytes()
        await store.save_target(target(2, "web:2"))
    copy.write_bytes(old)  # killed between the two writes
    async with opened(tmp_path) as store:
        assert await store.target() == target(2, "web:2")
        assert codes(store) == []


async def test_a_target_whose_copy_cannot_be_written_is_accepted_and_copied_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = database_in(tmp_path).with_name("target-last-good.json")
    async with opened(tmp_path) as store:
        await store.save_target(target(1))

        def full(*_: object) -> None:
            raise DiskFull(copy)

        with monkeypatch.context() as patched:
            patched.setattr(target_table, "save_last_target", full)
            await store.save_target(target(2, "web:2"))
            assert await store.target() == target(2, "web:2")
        assert b"web:2" not in copy.read_bytes()
        await store.look_after()
        assert b"web:2" in copy.read_bytes()


async def test_forgiveness_is_in_the_file_with_the_target(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.reject(REJECTED)
        await store.save_target(target(2), forgiven=[REJECTED.app_id])
        assert (await store.releases.all()).rejected == ()
        shutil.copytree(database_in(tmp_path).parent, tmp_path / "killed" / "data")
    async with opened(tmp_path / "killed") as store:
        assert (await store.target(), (await store.releases.all()).rejected) == (target(2), ())
