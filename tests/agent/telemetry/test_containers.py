"""What the containers use, by an engine that may be slow, silent or gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from iotistic.agent.telemetry import ContainerReader
from iotistic.agent.telemetry import containers as module
from iotistic.agent.telemetry.containers import AT_ONCE, CONTAINERS_MAX
from iotistic.engines.protocol import ContainerStats
from iotistic.engines.simulated import Fault, SimulatedEngine, SimulatedImage
from iotistic.engines.simulated.stats import CPU_SHARE, NETWORK_BYTES_PER_S
from iotistic.model.errors import EngineUnavailable, Refused
from iotistic.model.observation import Container
from iotistic.model.words import ContainerState
from tests.agent.sync.builders import container
from tests.agent.virtual_clock import VirtualClock
from tests.engines.builders import request
from tests.engines.contract.sites import SLEEPER

UUID = "3e41600c-0000-4000-8000-000000000001"


class ScriptedEngine:
    """Says what it is told to; counts how many ask at once."""

    def __init__(self) -> None:
        self.answers: dict[str, ContainerStats | Exception | None] = {}
        self.asked: list[str] = []
        self.asking = self.most = 0
        self.hangs = False

    async def stats(self, container_id: str) -> ContainerStats | None:
        self.asked.append(container_id)
        self.asking += 1
        self.most = max(self.most, self.asking)
        try:
            await asyncio.sleep(3600 if self.hangs else 0)
        finally:
            self.asking -= 1
        answer = self.answers.get(container_id, ContainerStats(pids=1))
        if isinstance(answer, Exception):
            raise answer
        return answer


def seen(count: int, state: ContainerState = ContainerState.RUNNING) -> list[Container]:
    return [container(str(n), id=f"c{n}", name=f"web{n:03}", state=state) for n in range(count)]


def reader(
    engine: ScriptedEngine, found: Sequence[Container], clock: VirtualClock | None = None
) -> ContainerReader:
    return ContainerReader(engine, lambda: found, clock or VirtualClock(), cores=2)


async def one_running(engine: SimulatedEngine) -> Sequence[Container]:
    await engine.outside.load_image(SimulatedImage(reference=SLEEPER))
    await engine.start(await engine.create_container(request(UUID, "web")))
    return await engine.containers()


async def test_rates_are_known_from_the_second_reading_on() -> None:
    clock = VirtualClock()
    engine = SimulatedEngine(UUID, clock)
    found = await one_running(engine)
    usages = ContainerReader(engine, lambda: found, clock, cores=2)

    (first,) = await usages.read()
    await clock.advance(300)
    (second,) = await usages.read()

    assert (first.cpu_percent, first.rx_bytes_per_s) == (None, None)
    assert first.memory_bytes
    assert second.cpu_percent == pytest.approx(100 * CPU_SHARE / 2)
    assert second.rx_bytes_per_s == pytest.approx(NETWORK_BYTES_PER_S)
    assert (second.service_name, second.pids) == ("web", 1)


async def test_after_a_restart_of_the_container_its_rates_begin_anew() -> None:
    clock, engine = VirtualClock(), ScriptedEngine()
    usages = reader(engine, seen(1), clock)
    engine.answers["c0"] = ContainerStats(cpu_ns=9_000_000_000, rx_bytes=5_000)
    await usages.read()
    clock._now_s += 100
    engine.answers["c0"] = ContainerStats(cpu_ns=1_000, rx_bytes=10)
    (anew,) = await usages.read()
    clock._now_s += 100
    engine.answers["c0"] = ContainerStats(cpu_ns=2_000_001_000, rx_bytes=1_010)
    (after,) = await usages.read()

    assert (anew.cpu_percent, anew.rx_bytes_per_s) == (None, None)
    assert (after.cpu_percent, after.rx_bytes_per_s) == (1.0, 10.0)


async def test_only_what_runs_is_asked_about_and_few_at_a_time() -> None:
    engine = ScriptedEngine()
    found = seen(CONTAINERS_MAX + 50) + seen(5, ContainerState.EXITED)

    usages = await reader(engine, found).read()

    assert len(usages) == len(engine.asked) == CONTAINERS_MAX
    assert engine.most == AT_ONCE


async def test_one_that_is_gone_or_refused_is_left_out_and_the_others_are_told() -> None:
    engine = ScriptedEngine()
    engine.answers |= {"c0": None, "c1": Refused("no")}

    usages = await reader(engine, seen(3)).read()

    assert [usage.service_name for usage in usages] == ["web002"]


async def test_an_engine_that_does_not_answer_is_asked_no_further() -> None:
    engine = ScriptedEngine()
    found = seen(50)
    engine.answers |= {one.id: EngineUnavailable("gone") for one in found}

    assert await reader(engine, found).read() == ()
    assert len(engine.asked) == AT_ONCE


async def test_an_engine_that_hangs_holds_nothing_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WITHIN_S", 0.05)
    engine = ScriptedEngine()
    engine.hangs = True
    began_s = time.monotonic()

    assert await reader(engine, seen(10)).read() == ()
    assert time.monotonic() - began_s < 5
    assert engine.asking == 0, "nobody is left waiting"


async def test_a_simulated_engine_that_is_down_leaves_no_usage() -> None:
    clock = VirtualClock()
    engine = SimulatedEngine(UUID, clock)
    found = await one_running(engine)
    engine.faults.order(Fault(call="stats"))

    assert await ContainerReader(engine, lambda: found, clock).read() == ()
