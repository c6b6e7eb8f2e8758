"""However much arrives, no step of the event loop takes long: the agent goes on answering."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iotistic.engines.simulated import SimulatedEngine
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import device_uuid, running_device, service, target

CPU_MAX_S = 0.05
_TRIES = 3


class Longest:
    """The CPU time of the longest callback, and which it was."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.what = ""


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Longest]:
    """Measure each callback of the event loop, in CPU time of its thread."""
    longest = Longest()
    run = asyncio.Handle._run

    def measured(handle: Any) -> None:
        started_s = time.thread_time()
        run(handle)
        took_s = time.thread_time() - started_s
        if took_s > longest.cpu_s:
            longest.cpu_s, longest.what = took_s, repr(handle)[:300]

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", measured)
        yield longest


async def test_a_target_of_500_services_does_not_hold_up_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of three, since a busy machine adds to what is measured."""
    engine = SimulatedEngine(await device_uuid(tmp_path), FastClock())
    seen = []
    async with running_device(tmp_path, engine, may_act=lambda: False) as device:
        for version in range(1, _TRIES + 1):
            environment = {f"NAME_{n}": f"value {version}" for n in range(10)}
            document = target(
                *(service(f"s{n}", environment=environment) for n in range(500)), version=version
            )
            with watching(monkeypatch) as longest:
                await device.offer(document)
                await device.until(lambda: len(device.snapshot.plan.waits) > 400)
            seen.append(longest)
    best = min(seen, key=lambda one: one.cpu_s)
    assert best.cpu_s < CPU_MAX_S, best.what
