"""An engine whose event stream ends each time is asked ever more seldom, and the timer heals."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from iotistic.engines.protocol import EngineEvent
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.errors import EngineUnavailable
from iotistic.model.words import ContainerState
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import device_uuid, running_device, service, target


class BrokenStream(SimulatedEngine):
    """Says `words` events, then ends the stream; counts how often it was asked."""

    words = 0
    asked = 0

    async def events(self) -> AsyncGenerator[EngineEvent, None]:
        self.asked += 1
        for _ in range(self.words):
            yield EngineEvent(kind="container", action="start", id="x")
        raise EngineUnavailable("the engine ended the event stream")


@pytest.mark.parametrize("words", [0, 1, 3])
async def test_without_events_the_timer_heals_and_nobody_asks_in_a_hurry(
    tmp_path: Path, words: int
) -> None:
    clock = FastClock()
    engine = BrokenStream(await device_uuid(tmp_path), clock)
    engine.words = words
    async with running_device(tmp_path, engine, clock=clock) as device:
        await device.offer(target(service()))
        await device.settled()
        (before,) = await engine.containers()
        began_s, asked = clock.now_s(), engine.asked

        await engine.outside.kill(before.id)
        await device.until(
            lambda: any(
                c.id != before.id and c.state is ContainerState.RUNNING
                for c in device.snapshot.containers
            )
        )
        await clock.sleep(60.0)

        minutes = (clock.now_s() - began_s) / 60
    assert engine.asked - asked <= 8 * minutes + 2
