"""A simulated engine in a file outlives its process, however that ends."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from iotistic.engines.simulated import FileShelf, SimulatedEngine, SimulatedImage
from iotistic.model.errors import EngineUnavailable
from iotistic.model.words import ContainerState
from tests.agent.virtual_clock import VirtualClock
from tests.engines.builders import request
from tests.engines.simulated.worlds import SLEEPER, UUID, engine_with, running, the

# Starts and stops a service for ever, and says so each time.
RESTLESS = """
import asyncio, sys
from pathlib import Path
from iotistic.agent.clock import SystemClock
from iotistic.engines.simulated import FileShelf, SimulatedEngine

async def main():
    engine = SimulatedEngine(sys.argv[2], SystemClock(), shelf=FileShelf(Path(sys.argv[1])))
    (seen,) = await engine.containers()
    while True:
        await engine.start(seen.id)
        await engine.stop(seen.id, grace_s=1)
        print("again", flush=True)

asyncio.run(main())
"""


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_another_process_finds_it_as_it_was(tmp_path: Path) -> None:
    clock = VirtualClock()
    engine = await engine_with(clock, shelf=FileShelf(tmp_path / "engine.json"))
    container_id = await running(engine)
    seen = await the(engine, container_id)
    started = await engine.started_at(container_id)

    successor = SimulatedEngine(UUID, clock, shelf=FileShelf(tmp_path / "engine.json"))

    assert await the(successor, container_id) == seen
    assert await successor.started_at(container_id) == started
    assert await successor.resources() == await engine.resources()


async def test_what_one_process_does_another_sees(tmp_path: Path) -> None:
    clock = VirtualClock()
    agents = await engine_with(clock, shelf=FileShelf(tmp_path / "engine.json"))
    somebody = SimulatedEngine("x", clock, shelf=FileShelf(tmp_path / "engine.json"))
    container_id = await running(agents)

    await somebody.outside.kill(container_id)

    assert (await the(agents, container_id)).state is ContainerState.EXITED


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    engine = await engine_with(VirtualClock(), shelf=FileShelf(tmp_path / "engine.json"))
    secret = "s3cret-of-the-service"
    await engine.create_container(request(UUID, environment={"PASSWORD": secret}))

    assert modes(tmp_path) == {"engine.json": 0o600, "engine.json.lock": 0o600}
    assert secret not in (tmp_path / "engine.json").read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"containers": 7}'])
async def test_a_file_that_cannot_be_read_is_kept_and_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "engine.json"
    path.write_text(content)
    engine = SimulatedEngine(UUID, VirtualClock(), shelf=FileShelf(path))

    with pytest.raises(EngineUnavailable, match=r"engine\.json"):
        await engine.containers()

    assert path.read_text() == content


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path / "nowhere" / "engine.json")

    with pytest.raises(EngineUnavailable, match="nowhere"):
        await SimulatedEngine(UUID, VirtualClock(), shelf=shelf).containers()


@pytest.mark.system
async def test_a_process_killed_at_any_instant_leaves_a_whole_state(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    clock = VirtualClock()
    engine = SimulatedEngine(UUID, clock, shelf=FileShelf(path))
    await engine.outside.load_image(SimulatedImage(reference=SLEEPER))
    container_id = await engine.create_container(request(UUID))

    for rounds in range(1, 6):
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RESTLESS, str(path), UUID, stdout=subprocess.PIPE
        )
        assert program.stdout is not None
        for _ in range(rounds * 3):
            assert await program.stdout.readline() == b"again\n"
        program.kill()
        await program.communicate()

        assert [seen.id for seen in await engine.containers()] == [container_id]
    await engine.start(container_id)
    assert (await the(engine, container_id)).state is ContainerState.RUNNING
