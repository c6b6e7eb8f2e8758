"""A real process is killed again and again, and what it promised is there each time.

IOTISTIC_KILL_S sets for how long; an hour of it is a soak.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.agent.outbox.promises import look
from tests.agent.power_cuts import SAID

KILLING_S = float(os.environ.get("IOTISTIC_KILL_S", "5"))

pytestmark = [pytest.mark.system, pytest.mark.timeout(KILLING_S * 3 + 60)]


def test_what_was_promised_outlives_every_kill(tmp_path: Path) -> None:
    folder, said, rng = tmp_path / "state", tmp_path / SAID, Random(5)
    folder.mkdir()
    said.touch()
    end_s = time.monotonic() + KILLING_S
    kills, lines = 0, list[str]()
    while time.monotonic() < end_s:
        length = said.stat().st_size
        program = [sys.executable, "-m", "tests.agent.outbox.power_program", str(folder)]
        child = subprocess.Popen([*program, "for-ever"])
        try:
            while child.poll() is None and said.stat().st_size == length:
                time.sleep(0.005)  # until it has begun to promise anything
            time.sleep(rng.uniform(0, 0.4))
        finally:
            child.kill()
            child.wait()
        assert child.returncode == -9, "it ended by itself"
        kills += 1
        lines = said.read_text().splitlines()
        asyncio.run(look(folder, lines, f"after {kills} kills"))
    assert kills > 1
    assert len(lines) > 100
