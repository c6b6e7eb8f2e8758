"""What containers use, as the engine says it."""

from __future__ import annotations

from iotistic.engines.protocol import Engine
from tests.engines.builders import request

GONE = "0" * 64


async def test_a_running_container_says_what_it_used(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(request(uuid, "web"))
    await engine.start(container_id)

    first = await engine.stats(container_id)
    second = await engine.stats(container_id)

    assert first is not None
    assert second is not None
    assert (first.pids or 0) >= 1
    assert first.memory_bytes is not None
    assert first.memory_limit_bytes is None or first.memory_bytes < first.memory_limit_bytes
    assert first.cpu_ns is not None
    assert second.cpu_ns is not None
    assert second.cpu_ns >= first.cpu_ns


async def test_a_paused_one_too(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(request(uuid, "web"))
    await engine.start(container_id)
    await engine.pause(container_id)

    assert await engine.stats(container_id) is not None


async def test_what_does_not_run_or_is_not_there_uses_nothing(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(request(uuid, "web"))
    assert await engine.stats(container_id) is None
    await engine.start(container_id)
    await engine.stop(container_id, grace_s=10)

    assert await engine.stats(container_id) is None
    assert await engine.stats(GONE) is None
