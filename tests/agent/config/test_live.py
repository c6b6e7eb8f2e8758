"""What the cloud says counts at once: the agent's link to it, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from iotistic.agent.config import ConfigManager
from iotistic.agent.settings import Settings
from iotistic.agent.sync import SyncIntervals
from iotistic.agent.telemetry import Details
from tests.agent.sync.builders import FixedMetrics
from tests.agent.sync.device import Device, link_to, running
from tests.agent.sync.scripted_cloud import ScriptedCloud, scripted_cloud
from tests.agent.virtual_clock import VirtualClock


@dataclass
class ToldDevice(Device):
    """A device whose intervals are those of its settings, in which the cloud has a say."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.settings = Settings({})
        self.manager = ConfigManager(
            self.settings, self.book.logger(), on_change=self._settings_changed
        )

    async def _offer(self, document: Any, etag: str | None) -> None:
        await super()._offer(document, etag)
        assert self.snapshot.target is not None
        self.manager.take(self.snapshot.target.config)
        self.config = self.manager.judgement()

    def _settings_changed(self) -> None:
        value = self.settings.value
        self.intervals = SyncIntervals(
            poll_s=value("POLL_INTERVAL_MS") / 1000,
            report_s=value("REPORT_INTERVAL_MS") / 1000,
            metrics_s=value("METRICS_INTERVAL_MS") / 1000,
        )
        self.sync.intervals_changed()


class CountedMetrics(FixedMetrics):
    """A host that counts how often somebody asks for the details."""

    reads = 0

    async def read_details(self) -> Details:
        self.reads += 1
        return await super().read_details()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(sleepers=2)


@pytest.fixture
async def cloud(clock: VirtualClock) -> AsyncIterator[ScriptedCloud]:
    async with scripted_cloud(clock.now_s) as found:
        yield found


def says(config: dict[str, Any], version: int = 1) -> dict[str, Any]:
    """A target without apps."""
    return {"apps": {}, "config": config, "version": version}


async def pauses(device: Device, cloud: ScriptedCloud, span_s: float) -> list[float]:
    """How long it is from poll to poll in the time to come."""
    polled = len(cloud.polls())
    await device.passes(span_s)
    return [b.at_s - a.at_s for a, b in pairwise(cloud.polls()[polled:])]


async def test_another_poll_interval_counts_without_a_restart_and_goes_with_its_key(
    clock: VirtualClock, cloud: ScriptedCloud
) -> None:
    cloud.target = says({"settings": {"targetStatePollIntervalMs": 5000}})
    async with running(ToldDevice(clock, link_to(cloud))) as device:
        found = await pauses(device, cloud, 60)
        assert len(found) >= 9
        assert all(4.5 <= pause_s <= 5.5 for pause_s in found)

        cloud.target = says({}, version=2)
        await device.passes(6)
        found = await pauses(device, cloud, 600)
        assert len(found) >= 7
        assert all(54 <= pause_s <= 66 for pause_s in found)


async def test_an_interval_that_nobody_could_bear_is_refused_and_reported(
    clock: VirtualClock, cloud: ScriptedCloud
) -> None:
    cloud.target = says(
        {"settings": {"targetStatePollIntervalMs": 10}, "intervals": {"agent": {"odd": 1}}}
    )
    async with running(ToldDevice(clock, link_to(cloud))) as device:
        found = await pauses(device, cloud, 300)
        assert all(54 <= pause_s <= 66 for pause_s in found)

    assert cloud.held is not None
    assert cloud.held["config"] == {}
    assert cloud.held["config_outcomes"] == {
        "settings.targetStatePollIntervalMs": {"outcome": "rejected", "reason": "invalid-field"},
        "intervals.agent.odd": {"outcome": "unknown"},
    }


async def test_a_longer_metrics_interval_makes_details_rarer(
    clock: VirtualClock, cloud: ScriptedCloud
) -> None:
    cloud.target = says({"intervals": {"agent": {"metricsIntervalMs": 3_600_000}}})
    metrics = CountedMetrics()
    async with running(ToldDevice(clock, link_to(cloud), metrics=metrics)) as device:
        await device.passes(400)  # what was due before it was told
        before = metrics.reads
        await device.passes(3000)
        assert metrics.reads == before
        await device.passes(3600)
        assert metrics.reads == before + 1
