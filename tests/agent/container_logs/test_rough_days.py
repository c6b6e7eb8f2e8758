"""Whatever happens to agent and engine, in whatever order: each line once, in order."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.agent.container_logs.following import Device, Following
from tests.agent.fast_clock import FastClock

SERVICES = ("web", "db")


class Day:
    """One service's talk, in which every line has its number."""

    def __init__(self, device: Device, rng: Random) -> None:
        self.device = device
        self.rng = rng
        self.ids: dict[str, str] = {}
        self.said = dict.fromkeys(SERVICES, 0)

    async def begin(self) -> None:
        for name in SERVICES:
            self.ids[name] = await self.device.add(name)

    async def something(self, following: Following | None) -> None:
        """Somebody says something, time passes, or the engine has a bad moment."""
        outside = self.device.engine.outside
        match self.rng.randrange(6):
            case 0 | 1:
                name = self.rng.choice(SERVICES)
                for _ in range(self.rng.choice((1, 3, 30))):
                    await self.device.say(self.ids[name], f"number {self.said[name]}")
                    self.said[name] += 1
            case 2:
                await self.device.clock.sleep(self.rng.uniform(0.0, 3.0))
            case 3:
                await outside.go_down()
                await self.device.clock.sleep(self.rng.uniform(0.0, 3.0))
                await outside.come_back()
            case 4:
                await outside.crash(self.ids[self.rng.choice(SERVICES)])
            case _:
                if following is not None:
                    await following.look()

    async def end(self, following: Following) -> list[dict[str, object]]:
        await self.device.clock.sleep(5.0)
        await following.look()
        for name in SERVICES:
            await self.device.say(self.ids[name], f"{name} is done")
        for name in SERVICES:
            await following.until_stored(f"{name} is done")
        return await following.stored()


async def check(folder: Path, seed: int) -> None:
    rng = Random(seed)
    device = Device(folder, FastClock(speed=200))
    day = Day(device, rng)
    async with device.following() as following:
        # What was said before it was first switched on would be left out, by intention.
        await following.until_switched_on()
        await day.begin()
    for _ in range(4):
        async with device.following() as following:
            for _ in range(rng.randrange(15)):
                await day.something(following)
        for _ in range(rng.randrange(3)):
            await day.something(None)
    async with device.following() as following:
        lines = await day.end(following)

    for name in SERVICES:
        numbers = [
            line["message"]
            for line in lines
            if line["serviceName"] == name and str(line["message"]).startswith("number ")
        ]
        assert numbers == [f"number {n}" for n in range(day.said[name])], f"seed {seed}, {name}"


@pytest.mark.parametrize("seed", range(15))
async def test_each_line_is_stored_once_and_in_order_whatever_happens(
    tmp_path: Path, seed: int
) -> None:
    """Kills of the agent at any instant, an engine that is away, services that crash."""
    await check(tmp_path, seed)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_each_line_is_stored_once_and_in_order_on_five_hundred_days(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    for seed in range(1000, 1500):
        await check(tmp_path_factory.mktemp("day"), seed)
