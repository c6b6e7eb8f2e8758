"""A disk that is full: what runs goes on, and what can be done without it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.store import DiskFull
from iotistic.agent.store.release_table import ReleaseTable
from iotistic.engines.simulated import SimulatedEngine, SimulatedImage, SimulatedRegistry
from iotistic.model.words import ContainerState, Verdict
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import Device, device_uuid, running_device, service, target


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


APP = 1001


class Reserve:
    """Room that there is once."""

    def __init__(self) -> None:
        self.left = True
        self.is_tight = False

    async def make_room(self) -> bool:
        was_left, self.left, self.is_tight = self.left, False, True
        return was_left

    def told(self, error: object) -> None:
        pass


def release(image: str, version: int) -> Any:
    document = target(service("web", image), version=version)
    document["apps"][str(APP)]["verify"] = {"timeout": "8s", "min_healthy_s": 1}
    return document


async def bad_engine(tmp_path: Path) -> SimulatedEngine:
    registry = SimulatedRegistry(
        SimulatedImage(reference="web:bad", exits_after_s=0.05, exit_code=1), everything=True
    )
    return SimulatedEngine(await device_uuid(tmp_path), FastClock(), registry=registry)


def is_rejected(device: Device) -> bool:
    found = device.snapshot.plan.verdicts.get(APP)
    return found is not None and found.verdict is Verdict.REJECTED


async def test_a_release_that_goes_wrong_on_a_full_disk_is_taken_back_by_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_device(tmp_path, await bad_engine(tmp_path)) as device:
        await device.offer(release("web:1", 1))
        await device.settled()
        reserve = Reserve()
        rejecting = ReleaseTable.reject

        async def full_by_now(table: ReleaseTable, *rest: Any) -> None:
            if reserve.left:  # the last moment, when the disk is as full as can be
                monkeypatch.setattr(device.store._database, "_space", reserve)
                raising = [DiskFull(tmp_path)]
                once = device.store._database._once

                def full(*arguments: Any) -> Any:
                    if raising:
                        raise raising.pop()
                    return once(*arguments)

                monkeypatch.setattr(device.store._database, "_once", full)
            await rejecting(table, *rest)

        monkeypatch.setattr(ReleaseTable, "reject", full_by_now)
        await device.offer(release("web:bad", 2))
        await device.until(lambda: is_rejected(device))

        assert not reserve.left
        assert (await device.containers())["web"].image == "web:1"


async def test_notes_that_cannot_be_made_are_told_once_and_made_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock()
    async with running_device(tmp_path, await bad_engine(tmp_path), clock=clock) as device:
        await device.offer(release("web:1", 1))
        await device.settled()
        tries = 0

        async def full(*_: Any) -> None:
            nonlocal tries
            tries += 1
            raise DiskFull(tmp_path)

        with monkeypatch.context() as patched:
            patched.setattr(ReleaseTable, "reject", full)
            await device.offer(release("web:bad", 2))
            while tries < 3:
                device.reconciler.wake()
                await clock.sleep(1.0)
        await device.until(lambda: is_rejected(device))

    told = [record["message"] for record in device.book.records()]
    assert told.count("note not made") == 1
    assert told.count("notes can be made again") == 1
