"""How many records the outbox takes and gives away, beside one commit for each."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.outbox_work import PRODUCERS
from benchmarks.outcome import Aim, Outcome, progress, run
from scripts.support.programs import ProgramFailed

NAMES = (
    "append_per_s",
    "append_p99_ms",
    "append_cpu_us",
    "append_vs_naive",
    "bytes_per_record",
    "bytes_vs_naive",
    "drain_per_s",
)
SYNC_MS = 5
"""What a sync takes on flash; both sides are made to wait for it."""
_SLOW_SYNC = (
    "strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
    "-e", f"inject=fsync,fdatasync:delay_exit={SYNC_MS * 1000}",
)  # fmt: skip


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench outbox", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="how often (3)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="S", help="how long each time (3)"
    )
    return run(Outcome("outbox", NAMES), parser, bench)


def bench(options: argparse.Namespace, outcome: Outcome) -> None:
    """Measure both sides in turn, on a disk that is slow for both."""
    ours: list[dict[str, float]] = []
    naive: list[dict[str, float]] = []
    for turn in range(options.repeat):
        sides = [("outbox", ours), ("naive", naive)]
        for side, found in sides if turn % 2 == 0 else reversed(sides):
            progress(f"{side}, a sync takes {SYNC_MS} ms")
            found.append(_measured(side, options.seconds, _SLOW_SYNC))
    progress("outbox, the disk as it is")
    fast = _measured("outbox", options.seconds)
    drained = _measured("drain", options.seconds)
    per_s, written = _median(ours, "per_s"), _median(ours, "bytes")
    outcome.figure("append_per_s", per_s)
    outcome.figure("append_p99_ms", _median(ours, "p99_ms"))
    outcome.figure("append_cpu_us", fast["cpu_us"])
    outcome.figure("bytes_per_record", written)
    outcome.figure("drain_per_s", drained["per_s"])
    why = f"{PRODUCERS} producers share a sync"
    outcome.ratio("append_vs_naive", per_s / _median(naive, "per_s"), Aim(at_least=20, why=why))
    if naive_written := _median(naive, "bytes"):
        outcome.ratio("bytes_vs_naive", written / naive_written)
    else:
        outcome.note("the folder for temporary files is in memory, so nothing was written to disk")


def _measured(work: str, span_s: float, before: Sequence[str] = ()) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="iotistic-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.outbox_work", work, folder, str(span_s)]
        said = subprocess.run(
            [*before, *command],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
    if said.returncode:
        raise ProgramFailed(f"{work}: {said.stderr.strip()}")
    found: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return found


def _median(found: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(one[name] for one in found)


if __name__ == "__main__":
    sys.exit(main())
