"""The file that tells the next start: written in place, never in the way."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from iotistic.agent.survival.last_run import RunMode
from iotistic.agent.survival.run_record import FILE, TRACE_FILE

_RUN = """
import os, sys
from pathlib import Path
from iotistic.agent.survival.run_record import RunRecord
record = RunRecord.begin(Path(sys.argv[1]), boot_id="b1", version="1")
for deed in sys.argv[2:]:
    if deed.isdigit():
        os.kill(os.getpid(), int(deed))
    getattr(record, deed)(*(["ValueError at x.py:1"] if deed == "crashed" else []))
print(record.run.mode, record.run.crashes, record.run.why, sep="|")
"""


def run(folder: Path, *deeds: str | int) -> tuple[int, str]:
    """One run of a process that does so; its exit code and what it found."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(folder), *map(str, deeds)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


def test_three_fatal_signals_are_told_and_lead_to_safe_mode(tmp_path: Path) -> None:
    for _ in range(3):
        assert run(tmp_path, signal.SIGSEGV)[0] == -signal.SIGSEGV
    assert run(tmp_path, "ended")[1] == "safe|3|Segmentation fault"
    kept = (tmp_path / f"last-{TRACE_FILE}").read_text()
    assert "most recent call first" in kept
    assert stat.S_IMODE((tmp_path / TRACE_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_being_killed_is_no_crash(tmp_path: Path, end: signal.Signals) -> None:
    for _ in range(4):
        assert run(tmp_path, end)[0] == -end
    assert run(tmp_path, "ended")[1] == "normal|0|"


def test_an_error_nobody_expected_is_one(tmp_path: Path) -> None:
    for _ in range(3):
        run(tmp_path, "crashed")
    assert run(tmp_path, "ended")[1] == "safe|3|ValueError at x.py:1"
    assert run(tmp_path, "forgive", "ended")[1] == "safe|0|"
    assert run(tmp_path, "ended")[1] == "normal|0|"


def test_stable_runs_forget_what_was_before(tmp_path: Path) -> None:
    for _ in range(2):
        run(tmp_path, "crashed")
    run(tmp_path, "stable", signal.SIGABRT)
    assert run(tmp_path, "ended")[1] == "normal|0|"


def test_safe_mode_does_not_become_stable(tmp_path: Path) -> None:
    for _ in range(3):
        run(tmp_path, "crashed")
    run(tmp_path, "stable", "ended")
    assert run(tmp_path)[1].startswith("safe|3|")


@pytest.mark.parametrize("content", [b"", b"\0" * 512, b"{}", b'{"version": "1"', b"x" * 512])
def test_a_torn_record_is_a_new_beginning(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert run(tmp_path)[1] == "normal|0|"


def test_a_second_agent_in_the_folder_counts_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _RUN.replace("print(", "input(); print("), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        while not (tmp_path / FILE).exists() or not (tmp_path / FILE).read_bytes():
            assert first.poll() is None
        before = (tmp_path / FILE).read_bytes()
        assert run(tmp_path, "crashed")[1] == f"{RunMode.NORMAL}|0|ValueError at x.py:1"
        assert (tmp_path / FILE).read_bytes() == before
        first.communicate(b"\n")


def test_where_nothing_can_be_written_the_agent_starts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file", "stable", "ended")[1] == "normal|0|"
