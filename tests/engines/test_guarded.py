"""The breaker before an engine: silence opens it, one probe at a time closes it, no storm ever."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.engines.docker import DockerEngine, connection, engine
from iotistic.engines.guarded import (
    FAILURES_MAX,
    PROBE_CAP_S,
    PROBE_FLOOR_S,
    GuardedEngine,
    probe_after_s,
)
from iotistic.engines.simulated import SimulatedEngine
from iotistic.engines.simulated.faults import Fault
from iotistic.model.errors import EngineUnavailable, IotisticError
from tests.agent.fast_clock import FastClock
from tests.engines.docker.fake_engine import UUID, fake_engine, hang

SILENT = ("engine-unavailable", "engine-unresponsive")
ANSWERED = ("engine-error", "disk-full", "registry-unavailable", "start-failed", "not-found")


class Time:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_s(self) -> float:
        return self.at_s


async def refused(guarded: GuardedEngine) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as caught:
        await guarded.containers()
    return caught.value


class Pair:
    def __init__(self) -> None:
        self.behind = SimulatedEngine(UUID, FastClock())
        self.time = Time()
        self.guarded = GuardedEngine(self.behind, self.time, Random(3))

    def order(self, code: str, times: int | None = None, call: str = "*") -> None:
        self.behind.faults.order(Fault(call=call, code=code, times=times))

    async def fail(self, times: int = 1) -> EngineUnavailable:
        """Ask so often; the last error."""
        return [await refused(self.guarded) for _ in range(times)][-1]

    @property
    def asked(self) -> int:
        return sum(self.behind.calls.values())


@pytest.mark.parametrize("code", SILENT)
async def test_an_engine_that_stays_silent_is_asked_no_more(code: str) -> None:
    pair = Pair()
    pair.order(code)

    await pair.fail(FAILURES_MAX)
    asked = pair.asked
    told = await pair.fail(100)

    assert pair.asked == asked == FAILURES_MAX
    assert told.code == code
    assert told.retry_after_s is not None
    assert 0 < told.retry_after_s <= PROBE_CAP_S + 1


@pytest.mark.parametrize("code", ANSWERED)
async def test_an_engine_that_answers_with_an_error_is_not_silent(code: str) -> None:
    pair = Pair()
    pair.order(code)

    for _ in range(10):
        with pytest.raises(IotisticError):
            await pair.guarded.containers()

    assert pair.asked == 10


async def test_one_answer_in_between_and_the_count_begins_anew() -> None:
    pair = Pair()
    for _ in range(5):
        pair.order("engine-unresponsive", times=FAILURES_MAX - 1)
        await pair.fail(FAILURES_MAX - 1)
        assert await pair.guarded.containers() == ()
    assert not pair.guarded.breaker.is_open


async def test_the_call_after_a_probe_that_was_answered_goes_through() -> None:
    pair = Pair()
    pair.order("engine-unavailable")
    await pair.fail(FAILURES_MAX)
    pair.behind.faults.clear()

    pair.time.at_s += PROBE_CAP_S

    assert await pair.guarded.containers() == ()
    assert pair.behind.calls["info"] == 1
    assert not pair.guarded.breaker.is_open


async def test_a_probe_that_is_silent_is_all_that_is_asked() -> None:
    pair = Pair()
    pair.order("engine-unresponsive")
    await pair.fail(FAILURES_MAX)

    pair.time.at_s += PROBE_CAP_S
    await pair.fail(50)

    assert (pair.behind.calls["containers"], pair.behind.calls["info"]) == (FAILURES_MAX, 1)


async def test_only_one_probe_is_under_way_at_a_time() -> None:
    pair = Pair()
    pair.order("engine-unavailable", times=FAILURES_MAX)
    await pair.fail(FAILURES_MAX)
    pair.behind.faults.order(Fault(call="info", code="engine-unavailable", delay_s=2.0))
    pair.time.at_s += PROBE_CAP_S

    answers = await asyncio.gather(
        *(pair.guarded.containers() for _ in range(20)), return_exceptions=True
    )

    assert all(isinstance(a, EngineUnavailable) for a in answers)
    assert pair.behind.calls["info"] == 1


async def test_a_probe_that_is_cancelled_lets_the_next_call_probe() -> None:
    pair = Pair()
    pair.order("engine-unavailable", times=FAILURES_MAX)
    await pair.fail(FAILURES_MAX)
    pair.behind.faults.order(Fault(call="info", code="engine-unavailable", delay_s=500.0))
    pair.time.at_s += PROBE_CAP_S
    probing = asyncio.create_task(pair.guarded.containers())
    await asyncio.sleep(0.05)
    assert pair.behind.calls["info"] == 1

    probing.cancel()
    await asyncio.wait({probing})
    pair.behind.faults.clear()

    assert await pair.guarded.containers() == ()


async def test_an_hour_of_silence_costs_few_requests() -> None:
    pair = Pair()
    pair.order("engine-unavailable")
    for _ in range(3600 * 10):  # ten impatient callers a second
        pair.time.at_s += 0.1
        with pytest.raises(EngineUnavailable):
            await pair.guarded.containers()
    assert pair.asked < 60 * 6  # in the mean one in 15 s, and the first few


async def test_streams_neither_count_nor_get_through_an_open_breaker() -> None:
    pair = Pair()
    pair.order("engine-unavailable", call="events")
    for _ in range(2 * FAILURES_MAX):
        with pytest.raises(EngineUnavailable):
            await _first(pair)
    assert not pair.guarded.breaker.is_open

    pair.order("engine-unavailable")
    await pair.fail(FAILURES_MAX)
    asked = pair.asked
    with pytest.raises(EngineUnavailable):
        await _first(pair)
    assert pair.asked == asked


async def _first(pair: Pair) -> Any:
    async with aclosing(pair.guarded.events()) as events:
        return await anext(events)


@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_probes_are_spread_and_never_too_dense(probes: int, seed: int) -> None:
    assert PROBE_FLOOR_S <= probe_after_s(probes, Random(seed)) <= PROBE_CAP_S


async def test_a_socket_that_takes_calls_and_never_answers_is_unresponsive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LIST_S", 0.05)
    monkeypatch.setattr(connection, "VERSION_S", 0.05)
    async with fake_engine(tmp_path) as (fake, docker):
        guarded = GuardedEngine(docker, FastClock(), Random(1))
        assert (await guarded.info()).version == "99"
        fake.answers["GET /containers/json"] = hang
        hung = [await refused(guarded) for _ in range(FAILURES_MAX)]
        asked = len(fake.asked)
        at_once = await refused(guarded)

    assert {error.code for error in (*hung, at_once)} == {"engine-unresponsive"}
    assert len(fake.asked) == asked


async def test_a_listing_that_is_refused_is_never_taken_for_an_empty_one(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as (_, docker):  # which answers 404 to all it does not know
        for look in (docker.containers, docker.resources):
            with pytest.raises(EngineUnavailable) as caught:
                await look()
            assert caught.value.code == "engine-error"


async def test_where_nothing_listens_the_engine_is_unavailable(tmp_path: Path) -> None:
    docker = DockerEngine.from_environment(UUID, {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    guarded = GuardedEngine(docker, FastClock(), Random(1))
    errors = [await refused(guarded) for _ in range(FAILURES_MAX + 1)]
    await guarded.close()
    assert {error.code for error in errors} == {"engine-unavailable"}
    assert guarded.breaker.is_open
