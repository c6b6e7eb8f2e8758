"""One holder at a time, who is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iotistic.agent.host.file_lock import FileLock, Locked

HOLDER = """
import sys
from pathlib import Path
from iotistic.agent.host.file_lock import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_one_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "device.sqlite.lock"
    with FileLock(path), pytest.raises(Locked) as caught, FileLock(path):
        pass
    assert caught.value.holder.split()[0] == str(os.getpid())
    assert str(os.getpid()) in str(caught.value)


def test_it_is_free_again_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "device.sqlite.lock"
    with FileLock(path):
        pass
    with FileLock(path):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.system
def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "device.sqlite.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked) as caught, FileLock(path):
            pass
        assert caught.value.holder.startswith(f"{holder.pid} ")
        holder.kill()
        holder.wait()
        with FileLock(path):
            assert path.read_text().startswith(f"{os.getpid()} ")
