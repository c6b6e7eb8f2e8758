"""A disk that is full: what runs goes on, and what can be done without it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.store import DiskFull
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.words import ContainerState
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import device_uuid, running_device, service, target


async def test_without_room_for_notes_a_service_that_ended_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())

    async def full(*_: Any) -> None:
        raise DiskFull(tmp_path)

    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service()))
        await device.settled()
        monkeypatch.setattr(device.store, "save_attempt", full)
        monkeypatch.setattr(device.store.journal, "add", full)
        before = (await device.containers())["web"]

        await engine.outside.kill(before.id)
        await device.until(
            lambda: any(
                c.id != before.id and c.state is ContainerState.RUNNING
                for c in device.snapshot.containers
            )
        )

    told = [record["message"] for record in device.book.records()]
    assert told.count("round not remembered") == 1


async def test_without_room_to_tidy_a_container_that_was_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())

    async def full(*_: Any) -> None:
        raise DiskFull(tmp_path)

    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service()))
        await device.settled()
        monkeypatch.setattr(device.store.containers, "forget_born", full)
        monkeypatch.setattr(device.store.containers, "save_born", full)
        monkeypatch.setattr(device.store, "forget_apps", full)
        before = (await device.containers())["web"]

        await engine.outside.remove(before.id)
        await device.until(
            lambda: any(
                c.id != before.id and c.state is ContainerState.RUNNING
                for c in device.snapshot.containers
            )
        )
