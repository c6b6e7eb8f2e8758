"""Releases on a device that outlives its agent: good ones, bad ones, and what is remembered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from iotistic.engines.simulated import SimulatedEngine, SimulatedImage, SimulatedRegistry
from iotistic.model.words import Verdict
from iotistic.planner.world import Candidate
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import (
    Device,
    device_uuid,
    running_device,
    service,
    target,
)

APP = 1001


@pytest.fixture
async def engine(tmp_path: Path) -> SimulatedEngine:
    registry = SimulatedRegistry(
        SimulatedImage(reference="web:bad", exits_after_s=0.05, exit_code=1), everything=True
    )
    return SimulatedEngine(await device_uuid(tmp_path), FastClock(), registry=registry)


def release(image: str, version: int, **config: Any) -> Any:
    """A release of one app, watched for a short while."""
    document = target(service("web", image, **config), version=version)
    document["apps"][str(APP)]["verify"] = {"timeout": "8s", "min_healthy_s": 1}
    return document


def verdict(device: Device) -> Verdict | None:
    found = device.snapshot.plan.verdicts.get(APP)
    return found.verdict if found else None


async def taken_back(device: Device) -> None:
    await device.until(lambda: verdict(device) is Verdict.REJECTED)


async def test_a_release_that_crashes_is_taken_back_and_that_outlives_the_agent(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(release("web:1", 1))
        await device.settled()
        await device.offer(release("web:bad", 2))
        await taken_back(device)
        good = (await device.containers())["web"]
        assert good.image == "web:1"

    async with running_device(tmp_path, engine) as device:
        await taken_back(device)
        assert (await device.containers())["web"] == good
        (rejection,) = device.snapshot.releases.rejected
        assert rejection.service_name == "web"


async def test_a_retry_tries_a_rejected_release_again(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(release("web:1", 1))
        await device.settled()
        await device.offer(release("web:bad", 2))
        await taken_back(device)
        made = engine.calls["create_container"]

        await device.reconciler.retry(APP)
        await device.until(lambda: bool(device.snapshot.releases.candidates))
        await taken_back(device)

        assert engine.calls["create_container"] == made + 2


async def test_a_rejected_release_that_is_set_anew_after_another_one_is_tried_again(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(release("web:1", 1))
        await device.settled()
        await device.offer(release("web:bad", 2))
        await taken_back(device)
        await device.offer(release("web:1", 3))
        await device.settled()

        await device.offer(release("web:bad", 4))
        await device.until(lambda: bool(device.snapshot.releases.candidates))
        await taken_back(device)


async def test_a_change_of_another_app_does_not_try_a_rejected_release_again(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(release("web:1", 1))
        await device.settled()
        bad = release("web:bad", 2)
        await device.offer(bad)
        await taken_back(device)
        good = (await device.containers())["web"]

        more = release("web:bad", 3)
        more["apps"]["7"] = {"appId": 7, "appName": "other", "services": [service("db", "db:1")]}
        await device.offer(more)
        await device.until(lambda: any(c.app_id == 7 for c in device.snapshot.containers))

        assert verdict(device) is Verdict.REJECTED
        assert (await device.containers())["web"] == good


async def test_a_target_that_comes_while_a_watch_begins_leaves_no_watch_behind(
    tmp_path: Path, engine: SimulatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time would run on, and the release be taken back at once when it is wanted again."""
    async with running_device(tmp_path, engine) as device:
        await device.offer(release("web:1", 1))
        await device.settled()
        begin, offers = device.store.releases.begin, list[asyncio.Task[None]]()

        async def begin_while_another_comes(candidate: Candidate) -> None:
            if not offers:
                offers.append(asyncio.create_task(device.offer(release("web:1", 3))))
                await asyncio.wait(offers, timeout=0.2)  # it has to wait for the note
            await begin(candidate)

        monkeypatch.setattr(device.store.releases, "begin", begin_while_another_comes)
        await device.offer(release("web:2", 2))
        await device.until(lambda: bool(offers))
        await offers[0]
        await device.settled()

        assert (await device.store.releases.all()).candidates == ()


async def test_a_way_back_is_the_release_with_its_secrets_and_all(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(release("web:1", 1, environment={"TOKEN": "first-secret"}))
        await device.settled()
        before = (await device.containers())["web"]
        await device.offer(release("web:bad", 2, environment={"TOKEN": "other-secret"}))
        await device.until(lambda: bool(device.snapshot.releases.candidates))

    # The agent was killed while it watched; nothing but the store knows the way back.
    async with running_device(tmp_path, engine) as device:
        await taken_back(device)
        after = (await device.containers())["web"]
        assert after.spec_hash == before.spec_hash
        assert b"first-secret" not in (tmp_path / "device.sqlite").read_bytes()
