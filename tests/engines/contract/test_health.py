"""How a service is, by its own check."""

from __future__ import annotations

from iotistic.engines.protocol import Engine
from iotistic.model.observation import Container
from iotistic.model.service import Healthcheck
from tests.engines.builders import eventually, request


async def the_one(engine: Engine) -> Container:
    (seen,) = await engine.containers()
    return seen


async def test_a_check_begins_unknown_and_then_says_how_it_is(engine: Engine, uuid: str) -> None:
    check = Healthcheck(test=("CMD-SHELL", "exit 0"), interval_ms=1_000)
    container_id = await engine.create_container(request(uuid, healthcheck=check))
    assert (await the_one(engine)).health is None

    await engine.start(container_id)
    first = await the_one(engine)
    last = await eventually(lambda: the_one(engine), lambda seen: seen.health != "starting")
    await engine.stop(container_id, grace_s=0)

    assert (first.health, last.health) == ("starting", "healthy")
    assert last.up_s >= 1
    assert (await the_one(engine)).health is None


async def test_a_check_that_is_off_says_nothing(engine: Engine, uuid: str) -> None:
    container_id = await engine.create_container(
        request(uuid, healthcheck=Healthcheck(test=("NONE",)))
    )

    await engine.start(container_id)

    assert (await the_one(engine)).health is None
