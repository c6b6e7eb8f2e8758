"""The program `iotistic-agent`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from iotistic import __version__
from iotistic.agent.app import DeviceAgent
from iotistic.agent.clock import SystemClock
from iotistic.agent.from_settings import make_log
from iotistic.agent.running import Ending
from iotistic.agent.settings import Settings
from iotistic.model.errors import IotisticError

_EXIT_FAILED = 1


def main() -> None:
    """Run the agent until SIGTERM or SIGINT; services in containers go on."""
    parser = argparse.ArgumentParser(
        prog="iotistic-agent",
        description="The edge agent. It is configured by environment variables: "
        "docs/reference/settings.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"iotistic-agent {__version__}")
    parser.parse_args()
    # Everything the agent writes is for its owner alone, whatever the umask it was started with.
    os.umask(0o077)
    try:
        ending = _run()
    except IotisticError as error:
        print(f"iotistic-agent: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        sys.exit(_EXIT_FAILED)
    if ending is Ending.RESTART:
        os.execv(sys.executable, [sys.executable, "-m", "iotistic.agent"])  # noqa: S606


def _run() -> Ending:
    clock = SystemClock()
    settings = Settings()
    with make_log(settings, clock) as book:
        return asyncio.run(_until_signal(DeviceAgent(settings, book, clock)))


async def _until_signal(agent: DeviceAgent) -> Ending:
    running = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        return await running
    except asyncio.CancelledError:
        return Ending.STOPPED


if __name__ == "__main__":
    main()
