"""Whatever happens on the way: in the end the accounts of device and cloud agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from iotistic.agent.outbox import Outbox, default_quotas
from iotistic.agent.store.records import CloudLink
from iotistic.model.records import RecordClass
from iotistic.model.secret import Secret
from iotistic.model.words import ConnectionState, Dialect
from tests.agent.sync.builders import METRICS
from tests.agent.sync.carrying import passes
from tests.agent.sync.device import Device, running
from tests.agent.sync.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.agent.virtual_clock import VirtualClock
from tests.cloud.running import UUID, copy_template, make_template
from tests.cloud.served import Served, served_cloud

EVENT, METRIC, LOG = RecordClass.EVENT, RecordClass.METRIC, RecordClass.LOG
RUNS = 2
"""Of the agent: each begins an epoch of its own."""
ROUNDS = 12
SHARE = 0.6
_APART = ("apps", "config", "plan", "release")
QUICK = range(3)
MANY = range(3, 60)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cloud") / "template.sqlite"
    asyncio.run(make_template(path))
    return path


class Story:
    """A device that makes records, behind a way full of faults."""

    def __init__(self, seed: int, clock: VirtualClock, folder: Path, cloud: Served) -> None:
        self.rng = Random(seed)
        self.clock = clock
        self.cloud = cloud
        self.made: Counter[RecordClass] = Counter()
        self._path = folder / "outbox.sqlite"

    @asynccontextmanager
    async def device(self, proxy: FaultyProxy) -> AsyncIterator[tuple[Device, Outbox]]:
        """One run of the agent."""
        link = CloudLink(
            endpoint=proxy.url,
            dialect=Dialect.V2,
            device_id="1",
            api_key=Secret(self.cloud.key),
        )
        device = Device(self.clock, link, uuid=UUID)
        async with Outbox.open(
            self._path,
            self.clock,
            device.book.logger(),
            quotas=default_quotas(64),
            clock_synced=lambda: True,
        ) as outbox:
            device.outbox = outbox
            device.__post_init__()
            async with running(device):
                yield device, outbox

    async def make_some(self, outbox: Outbox) -> None:
        """Records of each class, each with a number of its own."""
        for kind in (EVENT, METRIC, LOG):
            count = self.rng.choice([0, 0, 1, 2, 40])
            numbers = range(self.made[kind], self.made[kind] + count)
            at_ms = self.clock.wall_ms()
            await outbox.put_all(kind, [(at_ms, _data(kind, number)) for number in numbers])
            self.made[kind] += count


def _data(kind: RecordClass, number: int) -> dict[str, Any]:
    if kind is METRIC:
        return {"scope": "host", "metrics": {"number": number}}
    if kind is EVENT:
        return {"event": "test", "number": number}
    source = {"type": "system", "name": "test"}
    return {"message": str(number), "level": "info", "source": source}


async def _tell(story: Story, proxy: FaultyProxy) -> None:
    for run in range(RUNS):
        async with story.device(proxy) as (device, outbox):
            for _ in range(ROUNDS):
                await story.make_some(outbox)
                cpu_percent = story.rng.choice([5.0, 50.0, 95.0])
                device.metrics.metrics = replace(METRICS, cpu_percent=cpu_percent)
                await passes(device, outbox, story.rng.choice([0.5, 3.0, 20.0, 70.0]))
            if run == RUNS - 1:
                proxy.share = 0.0
                await passes(device, outbox, 900)
                await _check(story, device, outbox)


async def _check(story: Story, device: Device, outbox: Outbox) -> None:
    ledger = outbox.ledger()
    cloud = story.cloud.running
    found = (await cloud.ok("GET", f"/api/v1/devices/{UUID}/records/gaps", who="viewer"))["classes"]
    for kind in (EVENT, METRIC, LOG):
        ours, theirs = ledger[kind], found[kind.value]
        assert ours.written == ours.acknowledged == story.made[kind]
        assert (ours.waiting, ours.dropped_total) == (0, 0)
        assert (theirs["received"], theirs["stored"]) == (story.made[kind],) * 2
        assert (theirs["missing"], theirs["rejected"]) == (0, 0)
    assert await _numbers(story) == {kind: [*range(story.made[kind])] for kind in (EVENT, LOG)}
    assert device.state is ConnectionState.ONLINE
    session = device.sync._session
    assert session is not None
    accepted = session.reporter._accepted
    assert accepted is not None
    shown = await cloud.ok("GET", f"/api/v1/devices/{UUID}/current-state", who="viewer")
    told = shown["system_info"] | {name: shown[name] for name in _APART}
    assert {name: told.get(name) for name in accepted} == accepted


async def _numbers(story: Story) -> dict[RecordClass, list[int]]:
    """What the cloud shows of each class, in its order."""
    cloud, device = story.cloud.running, f"/api/v1/devices/{UUID}"
    numbers: dict[RecordClass, list[int]] = {EVENT: [], LOG: []}
    for offset in range(0, 5000, 500):
        page = f"limit=500&offset={offset}"
        events = await cloud.ok("GET", f"{device}/events?{page}", who="viewer")
        numbers[EVENT] += [one["data"]["number"] for one in events["events"]]
        logs = await cloud.ok("GET", f"{device}/logs?{page}", who="viewer")
        numbers[LOG] += [int(one["message"]) for one in logs["logs"]]
    return {kind: sorted(found) for kind, found in numbers.items()}


async def _run(seed: int, clock: VirtualClock, template: Path, folder: Path) -> Counter[Fault]:
    database = await asyncio.to_thread(copy_template, template, folder / "cloud.sqlite")
    async with served_cloud(database, clock.wall_ms) as cloud:
        story = Story(seed, clock, folder, cloud)
        async with faulty_proxy(cloud.url, story.rng, SHARE) as proxy:
            await _tell(story, proxy)
            return proxy.met


@pytest.mark.parametrize("seed", QUICK)
async def test_nothing_is_lost_or_stored_twice_on_a_way_full_of_faults(
    seed: int, clock: VirtualClock, template: Path, tmp_path: Path
) -> None:
    """Faults in more than half of the exchanges: cut before and in the request, answers lost or
    cut by a reset, delays, drips, duplicates, bytes that are others; the agent restarts once.
    """
    met = await _run(seed, clock, template, tmp_path)

    assert len(met) >= 8


@pytest.mark.long
@pytest.mark.parametrize("seed", MANY)
async def test_nothing_is_lost_or_stored_twice_with_any_seed(
    seed: int, clock: VirtualClock, template: Path, tmp_path: Path
) -> None:
    await _run(seed, clock, template, tmp_path)
