"""Runs the demonstration: `python -m scripts.demonstration [--check] [--simulated]`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.demonstration.outside import DockerOutside, Outside, SimulatedOutside
from scripts.demonstration.story import FalseClaim, Story
from scripts.support.engine_http import EngineHttp
from scripts.support.images import BusyboxMissing
from scripts.support.private_docker import NoPrivateDocker, private_docker
from scripts.support.programs import ProgramFailed

_ABOUT = "A cloud, an agent and two services on this machine, in steps that say what they show."


def main() -> int:
    """Tell the story; the exit code is 0 when every claim came true."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=_ABOUT)
    parser.add_argument(
        "--check",
        action="store_true",
        help="unattended: clean up at once, and print one JSON object as the last line",
    )
    parser.add_argument(
        "--simulated", action="store_true", help="without Docker, on the simulated engine"
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="iotistic-demo-"))
    try:
        with _outside(folder, simulated=options.simulated) as outside:
            return _tell(Story(folder, outside), check=options.check)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(story: Story, *, check: bool) -> int:
    failure = ""
    try:
        story.run()
        if not check:
            _pause(story)
    except (FalseClaim, ProgramFailed, OSError) as error:
        failure = f"{type(error).__name__}: {error}"
        print(f"\nThis did not come true. {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        failure = "interrupted"
    finally:
        left = story.end()
    if left and not failure:
        failure = f"left behind: {'; '.join(left)}"
    if not failure:
        took_s = sum(step["seconds"] for step in story.steps)
        print(f"\nAll {len(story.steps)} steps came true in {took_s:.0f} s; all of it is removed.")
    if check:
        print(
            json.dumps(
                {"ok": not failure, "engine": story.outside.kind, "steps": story.steps}
                | ({"error": failure} if failure else {})
            )
        )
    return 1 if failure else 0


def _pause(story: Story) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    print(f"\nIt goes on until you press Enter. Try:  iotctl --state-dir {story.folder} status")
    sys.stdin.readline()


@contextmanager
def _outside(folder: Path, *, simulated: bool) -> Iterator[Outside]:
    if simulated:
        print("On the simulated engine: everything but the containers is real.", flush=True)
        yield SimulatedOutside(folder)
        return
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    try:
        if EngineHttp(host, timeout_s=5.0).answers():
            print(f"On the Docker Engine at {host}.", flush=True)
            yield DockerOutside(host)
            return
        with private_docker() as engine:
            print("On a Docker Engine started for this demonstration alone.", flush=True)
            yield DockerOutside(engine.host)
    except (NoPrivateDocker, BusyboxMissing) as reason:
        print(
            f"No Docker Engine to be had ({reason}): this runs on the simulated engine; "
            "everything but the containers is real.",
            flush=True,
        )
        yield SimulatedOutside(folder)


if __name__ == "__main__":
    sys.exit(main())
