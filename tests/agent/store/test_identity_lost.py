"""A lost identity file comes back of the database, as far as there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.store.records import Identity
from iotistic.agent.store.store import Store
from iotistic.model.errors import Unavailable
from tests.agent.store.builders import (
    BootClock,
    codes,
    database_in,
    no_crypto,
    opened,
    target,
)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"format": 1}', b"\xff" * 3000])
async def test_a_lost_identity_file_comes_back_of_the_database(
    tmp_path: Path, off: Identity, content: bytes | None
) -> None:
    path = database_in(tmp_path).with_name("identity.json")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    async with opened(tmp_path) as store:
        assert store.identity == off
        assert codes(store)[-1] == "identity-restored"
        assert await store.target() == target()
    assert path.stat().st_mode & 0o777 == 0o600
    async with opened(tmp_path) as store:
        assert store.identity == off
        assert codes(store) == []


async def test_an_error_about_a_damaged_identity_file_does_not_quote_it(
    tmp_path: Path, off: Identity
) -> None:
    path = database_in(tmp_path).with_name("identity.json")
    path.write_bytes(path.read_bytes()[:-1])
    async with opened(tmp_path) as store:
        assert store.identity == off
        assert "api" not in " ".join(finding.message for finding in store.findings)


async def test_without_identity_file_and_key_the_uuid_is_kept_with_new_keys(
    tmp_path: Path, off: Identity
) -> None:
    folder = database_in(tmp_path).parent
    (folder / "identity.json").unlink()
    (folder / "database.key").unlink()
    async with opened(tmp_path) as store:
        assert store.identity.uuid == off.uuid
        assert store.identity.hash_key != off.hash_key
        assert store.identity.cloud is None
        assert codes(store)[-1] == "identity-keys-lost"
        assert await store.settings() == {"LOG_LEVEL": "debug"}


async def test_a_lost_key_file_costs_the_stored_target_only(tmp_path: Path, off: Identity) -> None:
    database_in(tmp_path).with_name("database.key").unlink()
    async with opened(tmp_path) as store:
        assert store.identity == off
        assert await store.target() is None  # the next poll brings it: no target, no ETag
        await store.save_target(target())
    async with opened(tmp_path) as store:
        assert await store.target() == target()


async def test_after_a_lost_key_file_the_identity_can_be_lost_as_well(
    tmp_path: Path, off: Identity
) -> None:
    folder = database_in(tmp_path).parent
    (folder / "database.key").unlink()
    async with opened(tmp_path):
        pass
    (folder / "identity.json").unlink()
    async with opened(tmp_path) as store:
        assert store.identity == off
        assert codes(store) == ["identity-restored"]


async def test_identity_file_and_database_gone_is_a_new_device(
    tmp_path: Path, off: Identity
) -> None:
    database_in(tmp_path).unlink()
    database_in(tmp_path).with_name("identity.json").unlink()
    async with opened(tmp_path) as store:
        assert store.identity.uuid != off.uuid
        assert await store.target() is None  # the old device's copy is not this one's
        assert not store.database_was_missing


async def test_no_child_process_is_no_reason_to_become_a_new_device(
    tmp_path: Path, off: Identity
) -> None:
    database_in(tmp_path).with_name("identity.json").unlink()
    path = database_in(tmp_path)
    with pytest.raises(Unavailable):
        async with Store.open(path, BootClock(), crypto=no_crypto, machine=""):
            pass
    async with opened(tmp_path) as store:
        assert store.identity == off
