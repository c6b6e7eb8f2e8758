"""Killed at any line, the next start reaches the same place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.store.kill_sweep import SCENARIOS

STRIDE = 1 if os.environ.get("IOTISTIC_LONG") == "1" else 41
"""Every line takes some ten minutes; every 41st is another one in each loop and scenario."""


@pytest.mark.system
@pytest.mark.timeout(900 if STRIDE == 1 else 60)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_any_line(scenario: str, tmp_path: Path) -> None:
    """The laws are in `kill_sweep`, beside what each scenario begins with and does."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.agent.store.kill_sweep", scenario, tmp_path, str(STRIDE)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert int(done.stdout) > 0
