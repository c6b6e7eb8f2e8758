"""No room left is an error with a name, and what was there stays."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.host.files import DiskFull
from tests.agent.store.builders import database_in, opened, provisioned, target


async def test_a_database_that_cannot_grow(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.save_target(target())
        await store.change_settings({"A": "small"})
        pages = "PRAGMA max_page_count = 1"  # SQLite's own limit: as full as it is now
        await store._database.read(lambda db: db.execute(pages))
        with pytest.raises(DiskFull) as caught:
            await store.change_settings({"LONG": "x" * 1_000_000})
        assert caught.value.code == "disk-full"
        assert "free some space" in str(caught.value)
        assert await store.settings() == {"A": "small"}
    async with opened(tmp_path) as store:
        assert await store.settings() == {"A": "small"}
        assert await store.target() == target()


async def test_an_identity_that_cannot_be_written_is_not_taken_for_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        saved = provisioned(store.identity)
        await store.save_identity(saved)

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(DiskFull):
                await store.save_identity(replace(saved, device_name="another"))
        assert store.identity == saved
        await store.save_identity(replace(saved, device_name="another"))
    async with opened(tmp_path) as store:
        assert store.identity == replace(saved, device_name="another")
        assert database_in(tmp_path).exists()
