"""Killed at any line, no lock is a trap and no secret is half a one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.locks.kill_sweep import SCENARIOS

STRIDE = 1 if os.environ.get("IOTISTIC_LONG") == "1" else 7


@pytest.mark.system
@pytest.mark.timeout(900 if STRIDE == 1 else 60)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_any_line(scenario: str, tmp_path: Path) -> None:
    """The laws are in `kill_sweep`, beside what each scenario begins with and does."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.agent.locks.kill_sweep", scenario, tmp_path, str(STRIDE)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert int(done.stdout) > 0
