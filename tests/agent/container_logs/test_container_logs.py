"""What services say reaches the outbox: each line once, in order, whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.container_logs import LogRate
from iotistic.agent.container_logs.follower import LINES_AT_ONCE
from iotistic.agent.logs import LogLevel
from iotistic.engines.protocol import ContainerLogLine
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.secret import Secret
from iotistic.model.service import Logging, RestartName, RestartPolicy
from tests.agent.container_logs.following import ONESHOT, Device
from tests.agent.fast_clock import FastClock


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


ONCE = RestartPolicy(name=RestartName.NO)


def numbers(count: int, begin: int = 0) -> list[str]:
    return [f"line {number}" for number in range(begin, begin + count)]


async def test_what_a_service_says_is_stored_in_order_with_its_name(device: Device) -> None:
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await device.say(container_id, *numbers(250), "[error] last")

        messages = await following.until_stored("[error] last")
        last = (await following.stored())[-1]

    assert messages == ["started", *numbers(250), "[error] last"]
    assert (last["serviceName"], last["level"], last["isStdErr"]) == ("web", "error", False)
    assert following.room.counts()["stored"] == 252
    assert len(following.errors) == 1


async def test_a_kill_loses_no_line_and_sends_none_twice(device: Device) -> None:
    container_id = ""
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await device.say(container_id, *numbers(40))
        await following.until_stored("line 39")
        await device.say(container_id, *numbers(30, 40))  # read or not: not stored yet
    await device.say(container_id, *numbers(30, 70))

    async with device.following() as following:
        await device.say(container_id, *numbers(10, 100))
        messages = await following.until_stored("line 109")

    assert messages == ["started", *numbers(110)]


async def test_an_engine_that_goes_away_and_comes_back_costs_no_line(device: Device) -> None:
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await following.until_stored("started")
        await device.say(container_id, *numbers(20))
        await device.engine.outside.go_down()
        await device.say(container_id, *numbers(20, 20))
        await device.engine.outside.come_back()
        await device.say(container_id, *numbers(20, 40))

        messages = await following.until_stored("line 59")

    assert messages == ["started", *numbers(60)]


async def test_a_container_that_lived_for_an_instant_is_heard(device: Device) -> None:
    async with device.following() as following:
        container_id = await device.add(image=ONESHOT, restart=ONCE)
        await device.say(container_id, "only words")
        await device.clock.sleep(1.0)
        await following.look()

        messages = await following.until_stored("only words")

    assert messages == ["started", "only words"]


async def test_a_container_that_starts_again_goes_on_where_it_was(device: Device) -> None:
    policy = RestartPolicy(name=RestartName.ALWAYS)
    async with device.following() as following:
        container_id = await device.add(restart=policy)
        await following.look()
        await device.say(container_id, "first life")
        await following.until_stored("first life")
        await device.engine.outside.crash(container_id)
        await device.clock.sleep(1.0)
        await device.say(container_id, "second life")

        messages = await following.until_stored("second life")

    assert messages == ["started", "first life", "started", "second life"]


async def test_what_is_removed_is_read_to_its_end_and_then_forgotten(device: Device) -> None:
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await following.until_stored("started")
        await device.say(container_id, "last words")
        await following.until(lambda: bool(following.room.counts()["followed"]))
        await following.until_stored("last words")
        await device.engine.stop(container_id, grace_s=1)
        await device.engine.remove(container_id)
        await following.look()
        await following.until(lambda: following.room.counts()["followed"] == 0)
        left = {}
        for _ in range(100):
            left = dict(await following.outbox.cursors("container-log/"))
            if not left:
                break
            await device.clock.sleep(0.5)

    assert left == {}


async def test_a_listing_that_leaves_one_out_by_mistake_repeats_nothing(device: Device) -> None:
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await device.say(container_id, "before")
        await following.until_stored("before")
        device.listing = ()
        following.room.changed()
        await device.clock.sleep(5.0)
        await following.look()
        await device.say(container_id, "after")
        messages = await following.until_stored("after")
    device.listing = ()
    async with device.following() as following:
        await device.say(container_id, "later")
        again = await following.until_stored("later")

    assert messages == ["started", "before", "after"]
    assert again == ["started", "before", "after", "later"]


async def test_a_flood_is_let_through_in_part_and_the_rest_is_told_as_a_number(
    device: Device,
) -> None:
    device.settings = replace(device.settings, rate=LogRate(lines_s=1, burst=50, bytes_s=10_000))
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await device.say(container_id, *numbers(400))
        await device.clock.sleep(20.0)
        await device.say(container_id, "calm")
        messages = await following.until_stored("calm")
        told = [line for line in await following.stored() if "dropped" in line["message"]]

    let_through = len([message for message in messages if message.startswith("line ")])
    assert 49 <= let_through < 400
    assert sum(line["context"]["dropped"] for line in told) == 400 - let_through
    assert {line["level"] for line in told} == {"warn"}
    assert messages[-1] == "calm"
    assert following.room.counts()["dropped"] == 400 - let_through


async def test_a_flood_that_is_followed_by_silence_is_told_as_well(device: Device) -> None:
    device.settings = replace(device.settings, rate=LogRate(lines_s=1, burst=5, bytes_s=10_000))
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await device.say(container_id, *numbers(100))
        messages = await following.until_stored_like("lines dropped")
        told = (await following.stored())[-1]

    let_through = len([message for message in messages if message.startswith("line ")])
    assert told["context"] == {"dropped": 100 - let_through, "reason": "rate"}


async def test_a_service_that_never_stops_talking_holds_nobody_up(device: Device) -> None:
    """Lines come faster than they can be read, and reading them never waits."""
    talking = Talking(device.engine)
    async with device.following(talking) as following:
        await device.add()
        turns: list[float] = []
        async with asyncio.timeout(20):
            await following.look()
            while talking.lines < 20_000:
                before_s = time.thread_time()
                await asyncio.sleep(0)
                turns.append(time.thread_time() - before_s)
        (one, _) = next(iter(following.room._followers.values()))
        held = len(one._items)

    assert held <= 2 * LINES_AT_ONCE
    assert sorted(turns)[len(turns) * 99 // 100] < 0.05
    assert following.room.counts()["dropped"] > 10_000


class Talking:
    """An engine with a container that talks without end, all within one second of its time."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self.lines = 0

    async def started_at(self, container_id: str) -> str | None:
        return await self._engine.started_at(container_id)

    async def logs(
        self, container_id: str, *, tail: int | None, follow: bool, since_s: float | None = None
    ) -> AsyncGenerator[ContainerLogLine, None]:
        assert follow
        assert tail is None
        began_ns = int(since_s or 10**9) * 10**9
        while True:
            self.lines += 1
            text = f"{container_id[:6]} again and again"
            yield ContainerLogLine(text=text, stderr=False, time_ns=began_ns + self.lines)


async def test_lines_dropped_before_a_kill_are_still_told(device: Device) -> None:
    device.settings = replace(device.settings, rate=LogRate(lines_s=1, burst=5, bytes_s=10_000))
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await device.say(container_id, *numbers(100))
        await following.until(lambda: following.room.counts()["dropped"] > 90)
        await device.clock.sleep(1.2)
    async with device.following() as following:
        messages: list[str] = []
        while not any("dropped" in message for message in messages):
            await device.clock.sleep(1.0)
            messages = await following.messages()
        stored = await following.stored()

    let_through = len([message for message in messages if message.startswith("line ")])
    told = sum(line.get("context", {}).get("dropped", 0) for line in stored)
    assert told + let_through == 100


async def test_what_was_said_before_it_was_switched_on_stays_on_the_device(
    device: Device,
) -> None:
    container_id = await device.add()
    await device.say(container_id, "long ago")
    await device.clock.sleep(10.0)
    async with device.following() as following:
        await device.say(container_id, "now")
        assert await following.until_stored("now") == ["now"]

        device.settings = replace(device.settings, enabled=False)
        following.room.changed()
        await following.until(lambda: following.room.counts()["followed"] == 0)
        await device.say(container_id, "in private")
        await device.clock.sleep(10.0)
        device.settings = replace(device.settings, enabled=True)
        following.room.changed()
        await following.until(lambda: following.room.counts()["followed"] == 1)
        await device.say(container_id, "in public")

        assert await following.until_stored("in public") == ["now", "in public"]


async def test_output_that_the_engine_does_not_keep_is_said_once(tmp_path: Path) -> None:
    device = Device(tmp_path, FastClock(speed=500))
    async with device.following() as following:
        await device.add(logging=Logging(driver="none"))
        await following.look()
        await following.until(lambda: bool(following.book.records()))
        asked = device.engine.calls["logs"]
        for _ in range(20):
            await following.look()
            await device.clock.sleep(5.0)

        said = [r["message"] for r in following.book.records()]

    assert said == ["output cannot be followed"]
    assert device.engine.calls["logs"] == asked


async def test_an_ended_container_is_asked_for_ever_more_rarely(tmp_path: Path) -> None:
    device = Device(tmp_path, FastClock(speed=500))
    async with device.following() as following:
        await device.add(image=ONESHOT, restart=ONCE)
        await device.clock.sleep(1.0)
        await following.look()
        await following.until_stored("started")
        await device.clock.sleep(300.0)
        asked = device.engine.calls["logs"]

    assert asked < 40


async def test_a_share_of_the_lines_is_taken_if_so_wished_and_the_rest_is_counted(
    device: Device,
) -> None:
    shares = {**device.settings.shares, LogLevel.INFO: 0.5}
    device.settings = replace(device.settings, shares=shares)
    async with device.following() as following:
        container_id = await device.add()
        await following.look()
        await device.say(container_id, *numbers(200), "[error] last")
        messages = await following.until_stored("[error] last")

    assert 60 < len(messages) < 140
    sampled_out = following.room.counts()["sampledOut"]["info"]
    assert sampled_out == 202 - len(messages)


async def test_secrets_of_the_app_and_of_the_agent_never_get_into_a_line(device: Device) -> None:
    device.secrets = (Secret("canary-of-app-1"), Secret("canary-pem-1\ncanary-pem-2\n"))
    async with device.following() as following:
        following.book.learn(Secret("canary-of-agent"))
        container_id = await device.add()
        await following.look()
        await device.say(
            container_id,
            "key=canary-of-app-1 and canary-of-agent",
            "canary-pem-2",
            "x" * 65_500 + "canary-of-app-1",
            "https://user:{}@host/".format("canary-in-url"),
        )
        await following.until_stored("started")
        device.secrets = (Secret("canary-later"),)
        following.room.changed()
        await device.say(container_id, "canary-later canary-of-app-1", "end")
        messages = await following.until_stored("end")

    assert messages[1] == "key=*** and ***"
    assert "canary" not in "".join(messages)
    raw = b"".join(path.read_bytes() for path in device.folder.iterdir())
    assert b"canary" not in raw
