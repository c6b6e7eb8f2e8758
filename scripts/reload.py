"""Runs agent and cloud from the tree, each started again when a source file changes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data" / "dev"
CLOUD = "http://127.0.0.1:48400"
LOOK_EVERY_S = 0.5
STOP_S = 10.0

COMMANDS: Mapping[str, Sequence[str]] = {
    "cloud": ("iotistic-cloud", "serve", "--data", str(DATA / "cloud")),
    "agent": ("iotistic-agent",),
}
# What both are made of: a change there concerns both.
SHARED = ("model", "planner")


def main(names: list[str]) -> int:
    """Run the programs of these names (all, when there is none) until interrupted."""
    if unknown := set(names) - COMMANDS.keys():
        print(f"expected agent or cloud, found {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    programs = [Program(name) for name in COMMANDS if not names or name in names]
    print(
        f"data in {DATA.relative_to(ROOT)}; Ctrl-C ends it\n"
        f"  .venv/bin/iotctl --state-dir {(DATA / 'agent').relative_to(ROOT)} status\n"
        f"  .venv/bin/iotctl fleet login {CLOUD}"
    )
    try:
        while True:
            for program in programs:
                program.keep_up()
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        return 0
    finally:
        for program in programs:
            program.stop()


class Program:
    """One of our programs as a process, as new as its sources."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._started_from = 0

    def keep_up(self) -> None:
        """Start it, again if its sources changed; one that ended waits for the next change."""
        newest = _newest(self._name)
        if newest == self._started_from:
            return
        if self._process is not None:
            print(f"-- {self._name}: its sources changed")
        self.stop()
        self._started_from = newest
        (DATA / self._name).mkdir(parents=True, exist_ok=True, mode=0o700)
        program, *arguments = COMMANDS[self._name]
        self._process = subprocess.Popen(
            [Path(sys.executable).parent / program, *arguments],
            cwd=ROOT,
            env={**_defaults(), **os.environ},
        )

    def stop(self) -> None:
        """End it in order."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _defaults() -> dict[str, str]:
    return {
        "DATABASE_PATH": str(DATA / "agent" / "device.sqlite"),
        "CLOUD_API_ENDPOINT": CLOUD,
        "POLL_INTERVAL_MS": "5000",
    }


def _newest(name: str) -> int:
    """When a source file of the program was last changed, in ns; files that went count too."""
    rooms = [ROOT / "src" / "iotistic" / room for room in (name, *SHARED)]
    times = [path.stat().st_mtime_ns for room in rooms for path in room.rglob("*.py")]
    return max(times) + len(times)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
