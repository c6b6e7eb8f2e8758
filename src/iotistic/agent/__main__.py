"""The program `iotistic-agent`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import traceback
from pathlib import Path

from iotistic import __version__
from iotistic.agent.app import DeviceAgent
from iotistic.agent.clock import SystemClock
from iotistic.agent.from_settings import database_path, make_log
from iotistic.agent.running import Ending
from iotistic.agent.settings import Settings
from iotistic.agent.survival import Departure, RunRecord
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
        settings, clock = Settings(), SystemClock()
        folder = database_path(settings).parent
        record = RunRecord.begin(folder, boot_id=clock.boot_id, version=__version__)
        departure = Departure(record.ended)
        departure.listen()
        ending = _run(settings, clock, record, departure)
    except IotisticError as error:
        print(f"iotistic-agent: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        sys.exit(_EXIT_FAILED)
    if ending is Ending.RESTART and not departure.is_asked:
        _begin_anew()


def _run(settings: Settings, clock: SystemClock, record: RunRecord, departure: Departure) -> Ending:
    try:
        with make_log(settings, clock) as book:
            agent = DeviceAgent(settings, book, clock, record=record)
            return asyncio.run(_until_end(agent, departure))
    except IotisticError:
        record.ended()  # it says why, and would say it again: nothing that safe mode could heal
        raise
    except Exception as error:
        record.crashed(_what_crashed(error))
        raise


async def _until_end(agent: DeviceAgent, departure: Departure) -> Ending:
    running = asyncio.ensure_future(agent.run(lambda: departure.begin(_begin_anew)))
    loop = asyncio.get_running_loop()
    departure.on_signal(lambda: loop.call_soon_threadsafe(running.cancel))
    try:
        return await running
    except asyncio.CancelledError:
        return Ending.STOPPED


def _begin_anew() -> None:
    os.execv(sys.executable, [sys.executable, "-m", "iotistic.agent"])  # noqa: S606


def _what_crashed(error: BaseException) -> str:
    """Its kind and place; its text may hold anything."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    at = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(at[-1].filename).name}:{at[-1].lineno}" if at else ""
    return f"{type(error).__name__}{place}"


if __name__ == "__main__":
    main()
