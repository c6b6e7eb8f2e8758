"""A factory reset is remembered until it is done, and leaves nothing it should not."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.store.records import Identity, ProvisioningPhase, ResetOptions
from tests.agent.store.builders import (
    SECRET_WORDS,
    database_in,
    opened,
    provisioned,
    target,
)


@pytest.fixture
async def joined(tmp_path: Path) -> Identity:
    async with opened(tmp_path) as store:
        identity = provisioned(store.identity)
        await store.save_identity(identity)
        await store.save_target(target())
        await store.change_settings({"LOG_LEVEL": "debug"})
        return identity


async def test_the_wish_outlives_a_restart_and_the_target_is_gone_with_it(
    tmp_path: Path, joined: Identity
) -> None:
    options = ResetOptions(keep_volumes=True, keep_identity=True)
    async with opened(tmp_path) as store:
        await store.begin_reset(options)
        assert store.reset_pending == options
        assert await store.target() is None
    async with opened(tmp_path) as store:
        assert store.reset_pending == options
        assert store.identity == joined
        assert await store.target() is None


async def test_a_wipe_makes_a_new_device_that_does_not_use_the_old_key_again(
    tmp_path: Path, joined: Identity
) -> None:
    async with opened(tmp_path) as store:
        await store.begin_reset(ResetOptions())
        doomed = store.files()
        await store.wipe(keep_identity=False, spent_key_hash="spent now")
        new = store.identity
        assert new.uuid != joined.uuid
        assert new.hash_key != joined.hash_key
        assert new.phase is ProvisioningPhase.NEW
        assert new.spent_key_hash == "spent now"
        assert store.reset_pending is None
        assert await store.target() is None
        assert await store.settings() == {}
        await store.change_settings({"it": "works"})
    assert str(database_in(tmp_path)) in doomed
    for file in database_in(tmp_path).parent.iterdir():
        content = file.read_bytes().decode("latin-1")
        assert not [word for word in SECRET_WORDS[:-1] if word in content], file.name
    async with opened(tmp_path) as store:
        assert store.identity == new
        assert not store.database_was_missing


async def test_a_wipe_that_keeps_the_identity_keeps_uuid_and_keys_only(
    tmp_path: Path, joined: Identity
) -> None:
    async with opened(tmp_path) as store:
        await store.wipe(keep_identity=True, spent_key_hash=None)
        assert store.identity.uuid == joined.uuid
        assert store.identity.private_key_pem == joined.private_key_pem
        assert store.identity.phase is ProvisioningPhase.NEW
        assert store.identity.cloud is None
        assert store.identity.mqtt is None
        assert store.identity.provisioning_api_key is None
        assert await store.target() is None
        assert not store.database_was_missing


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"wiping": "yes"}'])
async def test_a_damaged_wish_is_no_wish(tmp_path: Path, joined: Identity, content: bytes) -> None:
    database_in(tmp_path).with_name("factory-reset.json").write_bytes(content)
    async with opened(tmp_path) as store:
        assert store.reset_pending is None
        assert store.identity == joined
        assert await store.target() == target()
