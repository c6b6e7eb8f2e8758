"""RUNTIME_DIR on a disk: what needs files in memory waits, and what runs goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.host import runtime_dir
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.words import ContainerState
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import device_uuid, running_device, service, target


def with_secret(document: Any, *, update: str) -> Any:
    app = document["apps"]["1001"]
    app["secrets"] = {"pin": {"value": "a-pin-for-the-door"}}
    app["strategy"] = update
    return document


@pytest.mark.parametrize("update", ["download-then-kill", "kill-then-download"])
async def test_a_service_is_not_stopped_for_one_whose_secrets_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: str
) -> None:
    # What the kernel cannot tell to be in memory counts as a disk.
    monkeypatch.setattr(runtime_dir, "_MOUNTS", tmp_path / "no mountinfo")
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())
    async with running_device(tmp_path, engine, allow_disk=False) as device:
        await device.offer(target(service()))
        await device.settled()
        before = (await device.containers())["web"]

        await device.offer(with_secret(target(service(secrets=["pin"]), version=2), update=update))
        await device.until(
            lambda: any(a.code == "secrets-not-in-memory" for a in device.snapshot.attempts)
        )

        after = (await device.containers())["web"]
        assert (after.id, after.state) == (before.id, ContainerState.RUNNING)
        assert any(
            "not on a file system in memory" in wait.message for wait in device.snapshot.plan.waits
        )
