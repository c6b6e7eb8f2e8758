"""The agent is killed before and after every call of an update; the next start gets there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from iotistic.engines.simulated import SimulatedEngine
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import device_uuid, running_device, service, target

CHANGES = (
    "pull", "create_network", "remove_network", "create_volume", "create_container", "start",
    "stop", "pause", "unpause", "remove",
)  # fmt: skip
OLD = target(
    service("keeps", "db:1", volumes=["data:/data"]),
    service("changes", environment={"A": "1"}),
    service("pauses"),
    service("goes", networks=["old"]),
    version=1,
)
NEW = target(
    service("keeps", "db:1", volumes=["data:/data"]),
    service("changes", "web:2", environment={"A": "2"}, volumes=["more:/more"]),
    service("pauses", state="paused"),
    service("comes", networks=["new"]),
    version=2,
)


class PowerCut:
    """The engine as an agent sees it whose power goes at the n-th change: nothing answers more."""

    def __init__(self, engine: SimulatedEngine, at: int, *, after: bool) -> None:
        self._engine = engine
        self._left = at
        self._after = after
        self.happened = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._engine, name)
        return self._cut(call) if name in CHANGES else call

    def _cut(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def cut(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left > 0:
                return await call(*args, **options)
            if self._left == 0 and self._after:
                await call(*args, **options)
            self.happened.set()
            return await asyncio.get_running_loop().create_future()

        return cut


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 17))
async def test_killed_at_any_call_the_next_start_reaches_the_target(
    tmp_path: Path, at: int, *, after: bool
) -> None:
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())
    async with running_device(tmp_path, engine) as device:
        await device.offer(OLD)
        await device.settled()
        kept = (await device.containers())["keeps"]
        kept_start = await engine.started_at(kept.id)

    power = PowerCut(engine, at, after=after)
    async with running_device(tmp_path, engine, through=power) as device:
        await device.offer(NEW)
        settled = asyncio.create_task(device.settled())
        cut = asyncio.create_task(power.happened.wait())
        await asyncio.wait((settled, cut), return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()
        cut.cancel()

    async with running_device(tmp_path, engine) as device:
        await device.settled()
        await device.until(lambda: device.snapshot.plan.settled)
        seen = await device.containers()
        networks = {n.short_name for n in (await engine.resources()).networks}

    assert {name: c.state.value for name, c in seen.items()} == {
        "keeps": "running", "changes": "running", "pauses": "paused", "comes": "running",
    }  # fmt: skip
    assert seen["changes"].image == "web:2"
    assert (seen["keeps"], await engine.started_at(kept.id)) == (kept, kept_start)
    assert networks == {"default", "new"}
