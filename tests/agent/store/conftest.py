"""What several of the store's tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.store.records import Identity
from tests.agent.store.builders import STOP, opened, provisioned, target


@pytest.fixture
async def off(tmp_path: Path) -> Identity:
    """A provisioned device with a target, a setting and a wish, switched off."""
    async with opened(tmp_path) as store:
        identity = provisioned(store.identity)
        await store.save_identity(identity)
        await store.save_target(target())
        await store.save_intent(STOP)
        await store.change_settings({"LOG_LEVEL": "debug"})
        return identity
