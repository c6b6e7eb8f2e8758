"""Output and events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from iotistic.engines.protocol import ContainerLogLine, Engine, EngineEvent
from iotistic.model.errors import NotFound, Refused
from iotistic.model.service import Logging
from tests.engines.builders import eventually, request
from tests.engines.contract.sites import SLEEPER, Site


async def running(engine: Engine, uuid: str) -> str:
    container_id = await engine.create_container(request(uuid, reference=SLEEPER))
    await engine.start(container_id)
    return container_id


async def lines(engine: Engine, container_id: str, tail: int = 10) -> list[ContainerLogLine]:
    return [line async for line in engine.logs(container_id, tail=tail, follow=False)]


async def test_output_comes_as_lines_with_a_time(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)

    found = await eventually(lambda: lines(engine, container_id), bool)

    assert found[0].text
    assert not found[0].stderr
    assert found[0].time_ns > 1_600_000_000 * 10**9


async def test_only_the_tail_is_given(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)
    await eventually(lambda: lines(engine, container_id), bool)
    await engine.restart(container_id, grace_s=5, seen_start=None)
    found = await eventually(lambda: lines(engine, container_id), lambda seen: len(seen) == 2)

    assert await lines(engine, container_id, tail=1) == found[1:]
    assert await lines(engine, container_id, tail=0) == []
    since_s = found[1].time_ns / 1e9 - 0.000_5
    stream = engine.logs(container_id, tail=10, follow=False, since_s=since_s)
    assert found[1] in [line async for line in stream]


async def test_followed_output_ends_with_the_container(engine: Engine, uuid: str) -> None:
    container_id = await running(engine, uuid)
    followed: list[ContainerLogLine] = []

    async def follow() -> None:
        followed.extend([line async for line in engine.logs(container_id, tail=10, follow=True)])

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        await eventually(lambda: lines(engine, container_id), bool)
        await engine.stop(container_id, grace_s=5)

    assert followed == await lines(engine, container_id)


async def test_output_since_a_line_begins_with_what_is_of_its_second_and_keeps_the_order(
    site: Site,
) -> None:
    container_id = await running(site.engine, site.uuid)
    said = [f"line {number}" for number in range(50)]
    await site.say(container_id, *said)
    all_of_it = await eventually(
        lambda: lines(site.engine, container_id, tail=100), lambda seen: len(seen) == 51
    )
    second_s = all_of_it[30].time_ns // 10**9

    stream = site.engine.logs(container_id, tail=None, follow=False, since_s=second_s)
    since = [line async for line in stream]

    assert [line.text for line in all_of_it[1:]] == said
    assert since == [line for line in all_of_it if line.time_ns >= second_s * 10**9]
    assert [line async for line in site.engine.logs(container_id, tail=None, follow=False)] == (
        all_of_it
    )


async def test_followed_output_goes_on_from_the_line_that_was_the_last_one(site: Site) -> None:
    container_id = await running(site.engine, site.uuid)
    await site.say(container_id, "one", "two")
    seen = await eventually(lambda: lines(site.engine, container_id), lambda seen: len(seen) == 3)
    followed: list[str] = []

    async def follow() -> None:
        since_s = seen[-1].time_ns // 10**9
        stream = site.engine.logs(container_id, tail=None, follow=True, since_s=since_s)
        async with aclosing(stream):
            async for line in stream:
                followed.append(line.text)
                if line.text == "four":
                    return

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        await site.say(container_id, "three")
        await site.say(container_id, "four")

    assert followed[-4:] == ["one", "two", "three", "four"]


async def test_output_that_the_engine_does_not_keep_is_refused(engine: Engine, uuid: str) -> None:
    made = request(uuid, reference=SLEEPER, logging=Logging(driver="none"))
    container_id = await engine.create_container(made)
    await engine.start(container_id)

    with pytest.raises(Refused) as raised:
        await lines(engine, container_id)

    assert raised.value.code == "logs-not-readable"


async def test_the_output_of_what_is_gone(engine: Engine) -> None:
    with pytest.raises(NotFound):
        await lines(engine, "0" * 64)


async def test_events_tell_what_happens_to_our_containers_only(site: Site) -> None:
    other_uuid, other = site.another_device()
    events: asyncio.Queue[EngineEvent] = asyncio.Queue()

    async def listen() -> None:
        async with aclosing(site.engine.events()) as stream:
            async for event in stream:
                events.put_nowait(event)

    listening = asyncio.create_task(listen())
    try:
        theirs = await running(other, other_uuid)
        # The first event may be missed until the stream is open; so make one until it comes.
        ours = ""
        while events.empty():
            ours = await site.engine.create_container(request(site.uuid))
            await site.engine.remove(ours)
        seen = [await events.get()]
        container_id = await running(site.engine, site.uuid)
        await site.update(container_id)
        await site.engine.pause(container_id)
        while seen[-1].action != "pause":
            seen.append(await events.get())
    finally:
        listening.cancel()

    assert {event.kind for event in seen} == {"container"}
    assert theirs not in {event.id for event in seen}
    of_the_last = [event.action for event in seen if event.id == container_id]
    assert of_the_last == ["create", "start", "update", "pause"]
