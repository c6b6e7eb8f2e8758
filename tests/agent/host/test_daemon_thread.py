"""Work in a thread that nobody has to wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from iotistic.agent.host.daemon_thread import in_daemon_thread

_ENDS_EARLY = """
import asyncio, time
from iotistic.agent.host.daemon_thread import in_daemon_thread

async def main():
    try:
        async with asyncio.timeout(0.1):
            await in_daemon_thread(lambda: time.sleep(60))
    except TimeoutError:
        print("went on")

asyncio.run(main())
"""


async def test_it_answers() -> None:
    assert await in_daemon_thread(lambda: 6 * 7) == 42


async def test_what_it_raises_is_raised_to_the_one_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(lambda: 1 // 0)


def test_a_program_ends_while_it_goes_on() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _ENDS_EARLY], capture_output=True, text=True, timeout=20, check=True
    )

    assert ended.stdout == "went on\n"
