"""The service manager hears of the agent as long as nothing is stuck."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotistic.agent.logs import LogBook
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.survival import Progress, Watchdog
from iotistic.agent.survival.status_line import status_line
from iotistic.agent.survival.watchdog import watchdog_s
from iotistic.model.errors import EngineUnavailable
from tests.agent.fast_clock import FastClock


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.settimeout(5)
        yield found


def falls_silent(manager: socket.socket, span_s: float) -> bool:
    """Whether nothing comes for so long, after what is on its way."""
    manager.settimeout(span_s)
    try:
        for _ in range(10):
            manager.recv(1000)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize(
    ("environment", "span_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_pings_are_for_whom_they_are_asked_of(
    environment: dict[str, str], span_s: float | None
) -> None:
    assert watchdog_s(environment, 7) == span_s


async def test_a_room_that_is_stuck_silences_the_agent_until_it_is_not(
    manager: socket.socket,
) -> None:
    now_s = [0.0]
    book, progress = LogBook(FastClock()), Progress(lambda: now_s[0])
    watchdog = Watchdog(
        progress,
        lambda: "all well",
        book.logger(),
        environment={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000"},
    )
    assert watchdog.is_wanted
    progress.promise("state-reconciler", 10.0)
    task = asyncio.create_task(watchdog.run())

    async def heard() -> str:
        data = await asyncio.to_thread(manager.recv, 1000)
        return data.decode()

    assert await heard() == "STATUS=all well\nWATCHDOG=1"
    assert await heard() == "WATCHDOG=1"
    now_s[0] = 11.0
    while (said := await heard()) == "WATCHDOG=1":
        pass
    assert said == "STATUS=stuck: state-reconciler"
    progress.promise("state-reconciler", 10.0)
    assert await heard() == "STATUS=all well\nWATCHDOG=1"
    task.cancel()
    await asyncio.wait({task})
    assert [r["message"] for r in book.records()] == [
        "no progress, the service manager is told no more"
    ]


async def test_a_room_that_rests_or_has_ended_is_not_late() -> None:
    now_s = [0.0]
    progress = Progress(lambda: now_s[0])

    async def run() -> None:
        progress.promise("a", 1.0)

    await progress.until_end("a", run)()
    now_s[0] = 100.0
    assert progress.late == ()


def test_without_a_service_manager_nothing_runs() -> None:
    watchdog = Watchdog(Progress(), str, LogBook(FastClock()).logger(), environment={})
    assert not watchdog.is_wanted


def test_a_loop_that_hangs_is_silent(manager: socket.socket) -> None:
    source = """
import asyncio, os, time
from iotistic.agent.clock import SystemClock
from iotistic.agent.logs import LogBook
from iotistic.agent.survival import Progress, Watchdog
async def main():
    watchdog = Watchdog(Progress(), lambda: "well", LogBook(SystemClock()).logger())
    task = asyncio.create_task(watchdog.run())
    await asyncio.to_thread(input)
    time.sleep(60)
asyncio.run(main())
"""
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "150000"}
    with subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdin is not None
        for _ in range(3):
            assert b"WATCHDOG=1" in manager.recv(1000)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert falls_silent(manager, 0.5)
        assert process.poll() is None
        process.kill()


@pytest.mark.parametrize(
    ("snapshot", "cloud", "is_safe", "line"),
    [
        (Snapshot(), None, False, "no target yet; no cloud yet"),
        (Snapshot(), "online", True, "safe mode, nothing is applied; cloud online"),
        (
            Snapshot(engine_error=EngineUnavailable("", code="engine-unresponsive")),
            "offline",
            False,
            "engine unresponsive; cloud offline",
        ),
    ],
)
def test_one_line_says_how_the_agent_does(
    snapshot: Snapshot, cloud: str | None, is_safe: bool, line: str
) -> None:
    assert status_line(snapshot, cloud=cloud, is_safe=is_safe) == line
