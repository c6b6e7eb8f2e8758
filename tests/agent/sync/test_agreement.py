"""Whatever happens on the way, in the end the cloud holds what the device is."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from iotistic.model.words import ConnectionState, ContainerState
from tests.agent.sync.builders import METRICS, container, document, service, target
from tests.agent.sync.device import Device, running
from tests.agent.sync.scripted_cloud import HANGS_UP, Answer, ScriptedCloud

MISHAPS = (
    HANGS_UP,
    Answer(hangs_up=True, after=True),
    Answer(503),
    Answer(500, raw=b"oops", after=True),
    Answer(429, headers={"Retry-After": "20"}),
    Answer(409, {"error": "Conflict", "code": "resync"}),
    Answer(400, {"error": "Bad Request"}),
    Answer(401, {"error": "Unauthorized"}),
    Answer(raw=b"<html>", headers={"Content-Type": "text/html"}),
    Answer(raw=b"{", headers={"Content-Type": "application/json"}, after=True),
)


@pytest.mark.parametrize("seed", range(12))
async def test_device_and_cloud_agree_after_any_mishaps(
    device: Device, cloud: ScriptedCloud, seed: int
) -> None:
    """Faults: answers refused, lost before or after the deed, unreadable; the cloud restored."""
    rng = Random(seed)
    version = 0

    async with running(device):
        for _ in range(40):
            match rng.randrange(6):
                case 0:
                    cloud.say(rng.choice(["GET", "PATCH"]), rng.choice(MISHAPS))
                case 1:
                    version += 1
                    cloud.target = document(service(), version=version)
                case 2:
                    state = rng.choice(list(ContainerState))
                    device.knows(containers=(container("1", state=state),))
                case 3:
                    device.metrics.metrics = replace(METRICS, cpu_percent=rng.uniform(0, 100))
                case 4:
                    cloud.held = rng.choice([None, cloud.held, {"an": "older backup"}])
                case _:
                    device.sync.poll_hint()
            await device.passes(rng.choice([0.0, 0.3, 3.0, 12.0, 70.0]))
        for method in ("GET", "PATCH"):
            cloud.say_no_more(method)
        await device.passes(400)

        now = await device.current.gather(cloud.held)
        assert device.state is ConnectionState.ONLINE
        assert now.get("version") == (version or None)
        assert cloud.held is not None
        assert {name: value for name, value in cloud.held.items() if name != "dropped"} == now
        assert device.snapshot.target == (target(service(), version=version) if version else None)
