"""From SIGTERM to the exit, whatever hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_HEAD = """
import asyncio, os, sys, threading, time
from iotistic.agent.survival.departure import Departure
departure = Departure(lambda: open(sys.argv[1], "w").write("ended"), within_s=0.3)
departure.listen()
def ready(): print("ready", flush=True)
async def until_end(work):
    running = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    departure.on_signal(lambda: loop.call_soon_threadsafe(running.cancel))
    try: await running
    except asyncio.CancelledError: print("in order", flush=True)
"""
IDLE = """
async def work():
    ready(); await asyncio.sleep(60)
asyncio.run(until_end(work))
"""
HANGING = {
    "a step that will not be cancelled": """
async def work():
    ready()
    while True:
        try: await asyncio.sleep(60)
        except asyncio.CancelledError: pass
asyncio.run(until_end(work))
""",
    "a thread at a dead disk": """
async def work():
    await asyncio.gather(asyncio.to_thread(lambda: (ready(), time.sleep(60))))
asyncio.run(until_end(work))
""",
    "the loop in a system call": """
async def work():
    ready(); time.sleep(60)
asyncio.run(until_end(work))
""",
    "the loop in a calculation": """
async def work():
    ready()
    while True: pass
asyncio.run(until_end(work))
""",
    "a log that nobody reads": """
async def work():
    ready()
    while True: os.write(2, b"x" * 4096)
asyncio.run(until_end(work))
""",
    "before there is a loop": """
ready(); time.sleep(60)
""",
}


@contextmanager
def program(source: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _HEAD + source, str(folder / "note")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_what_ends_in_order_is_not_cut_off(tmp_path: Path) -> None:
    with program(IDLE, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "in order\n", "")
    assert (tmp_path / "note").read_text() == "ended"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("hangs", HANGING)
def test_whatever_hangs_the_end_comes(tmp_path: Path, hangs: str, number: signal.Signals) -> None:
    with program(HANGING[hangs], tmp_path) as process:
        began_s = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - began_s < 5
    assert (tmp_path / "note").read_text() == "ended"


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    source = "departure._within_s = 60\n" + HANGING["the loop in a system call"]
    with program(source, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        while not (tmp_path / "note").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 128 + signal.SIGTERM


def test_a_restart_that_hangs_is_done_all_the_same_unless_a_signal_came(tmp_path: Path) -> None:
    source = """
def last(): print("again", flush=True); os._exit(7)
departure.begin(last)
ready(); time.sleep(60)
"""
    with program(source, tmp_path) as process:
        assert process.wait(timeout=10) == 7
    with program(source.replace("0.3", "2"), tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
