"""The small file that tells the next start how this run ended, written before anything else."""

from __future__ import annotations

import faulthandler
import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from iotistic.agent.host.files import OWNER_ONLY
from iotistic.agent.survival.last_run import LastRun, Phase, RunMode, Traces, next_run

FILE = "last-run.json"
TRACE_FILE = "crash-trace.txt"
_BYTES = 512  # one sector: written in place, it is the old or the new one, also on a full disk
_TRACE_BYTES_MAX = 64 * 1024
_WHY_LENGTH_MAX = 120
_VMSTAT = Path("/proc/vmstat")


class RunRecord:
    """A run, as the next one will find it. Never in the way: what cannot be written is not."""

    def __init__(self, run: LastRun, descriptor: int | None) -> None:
        self.run = run
        self._descriptor = descriptor

    @classmethod
    def begin(cls, folder: Path, *, boot_id: str, version: str) -> RunRecord:
        """Read what the last run left, and write that this one has begun.

        Where another agent is at work in the folder, or nothing can be written, it counts nothing.
        """
        traces = Traces(boot_id=boot_id, oom_kills=_oom_kills())
        blank = cls(next_run(None, traces, version), None)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(folder / FILE, flags, OWNER_ONLY)
        except OSError:
            return blank
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            traces = replace(traces, fatal_signal=_take_trace(folder))
            before = _parsed(os.pread(descriptor, _BYTES, 0))
            record = cls(next_run(before, traces, version), descriptor)
            record._write()
        except OSError:
            os.close(descriptor)
            return blank
        return record

    @property
    def mode(self) -> RunMode:
        """What this run does."""
        return self.run.mode

    def stable(self) -> None:
        """It has run for long enough: earlier crashes count no more."""
        if self.mode is RunMode.NORMAL:
            self._become(phase=Phase.STABLE, crashes=0, trials=0, on_trial=False, why="")

    def ended(self) -> None:
        """It was told to end: whatever comes now is no crash."""
        self._become(phase=Phase.ENDED)

    def crashed(self, why: str) -> None:
        """It ends with an error that nobody expected."""
        self._become(phase=Phase.CRASHED, why=why[:_WHY_LENGTH_MAX])

    def try_normal(self) -> None:
        """The next run applies again; should that crash, the one after it does not."""
        self._become(on_trial=True)

    def forgive(self) -> None:
        """Earlier crashes count no more: their cause may be gone."""
        self._become(crashes=0, trials=0, on_trial=False, why="")

    def _become(self, **fields: Any) -> None:
        self.run = replace(self.run, **fields)
        with suppress(OSError):
            self._write()

    def _write(self) -> None:
        if self._descriptor is None:
            return
        data = json.dumps(asdict(self.run)).encode().ljust(_BYTES - 1) + b"\n"
        if len(data) == _BYTES:
            os.pwrite(self._descriptor, data, 0)
            os.fdatasync(self._descriptor)


def _parsed(data: bytes) -> LastRun | None:
    """A record; None for what is none, such as one that was torn."""
    try:
        found = json.loads(data)
        return LastRun(
            version=str(found["version"]),
            boot_id=str(found["boot_id"]),
            phase=Phase(found["phase"]),
            mode=RunMode(found["mode"]),
            crashes=int(found["crashes"]),
            trials=int(found["trials"]),
            on_trial=found["on_trial"] is True,
            oom_kills=None if found["oom_kills"] is None else int(found["oom_kills"]),
            why=str(found["why"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _take_trace(folder: Path) -> str:
    """Which fatal signal ended the run before, by its trace; from now on this run's goes there.

    The trace names functions and lines, no values. It is kept beside until the next one.
    """
    path, kept = folder / TRACE_FILE, folder / f"last-{TRACE_FILE}"
    found = ""
    with suppress(OSError):
        text = path.read_bytes()[:_TRACE_BYTES_MAX].decode("utf-8", "replace")
        if text.strip():
            found = text.strip().splitlines()[0].removeprefix("Fatal Python error: ")
            path.replace(kept)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(OSError, RuntimeError):
        # Open for as long as the process lives: what writes there runs when it dies.
        faulthandler.enable(os.open(path, flags, OWNER_ONLY))
    return found[:_WHY_LENGTH_MAX]


def _oom_kills() -> int | None:
    """How often this kernel has killed something for want of memory, since it booted."""
    try:
        for line in _VMSTAT.read_text("ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        pass
    return None
