"""What the tests of the sync room share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.agent.sync.device import Device, link_to
from tests.agent.sync.scripted_cloud import ScriptedCloud, scripted_cloud
from tests.agent.virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(sleepers=2)


@pytest.fixture
async def cloud(clock: VirtualClock) -> AsyncIterator[ScriptedCloud]:
    async with scripted_cloud(clock.now_s) as cloud:
        yield cloud


@pytest.fixture
def device(clock: VirtualClock, cloud: ScriptedCloud) -> Device:
    return Device(clock, link_to(cloud))
