"""One side of a comparison, in a process of its own; says what it found as JSON.

python -m benchmarks.outbox_work outbox|naive|drain FOLDER SECONDS
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import sys
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from iotistic.agent.clock import SystemClock
from iotistic.agent.logs import LogBook
from iotistic.agent.outbox import Outbox, default_quotas
from iotistic.model.records import BATCH_BYTES_MAX, BATCH_RECORDS_MAX, RecordClass

PRODUCERS = 64
DRAINED = 50_000
RECORD = {
    "message": "GET /orders/4711 answered 200 in 12 ms",
    "level": "info",
    "service": "web",
    "context": {"method": "GET", "status": 200, "duration_ms": 12},
}


async def outbox(folder: Path, span_s: float) -> dict[str, float]:
    """As many producers as a busy device has, each waiting for its record to be on the disk."""
    took_ms: list[float] = []
    written_before = written_bytes()
    async with open_outbox(folder) as box:
        end_s = time.monotonic() + span_s

        async def produce() -> None:
            while (begun_s := time.monotonic()) < end_s:
                await box.put(RecordClass.LOG, RECORD)
                took_ms.append((time.monotonic() - begun_s) * 1000)

        cpu_before_s, begun_s = cpu_s(), time.monotonic()
        await asyncio.gather(*(produce() for _ in range(PRODUCERS)))
        took_s, used_s = time.monotonic() - begun_s, cpu_s() - cpu_before_s
    took_ms.sort()
    return {
        "per_s": len(took_ms) / took_s,
        "p99_ms": took_ms[int(len(took_ms) * 0.99)],
        "cpu_us": used_s / len(took_ms) * 1e6,
        "bytes": (written_bytes() - written_before) / len(took_ms),
    }


def naive(folder: Path, span_s: float) -> dict[str, float]:
    """A plain loop of insert and commit, as durable: the same journal, a sync for each."""
    db = sqlite3.connect(folder / "naive.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, at_ms INTEGER, data BLOB)")
    written_before = written_bytes()
    number = 0
    begun_s = time.monotonic()
    while (spent_s := time.monotonic() - begun_s) < span_s:
        data = json.dumps(RECORD).encode()
        db.execute("INSERT INTO record (at_ms, data) VALUES (?, ?)", (time.time_ns(), data))
        number += 1
    db.close()
    return {"per_s": number / spent_s, "bytes": (written_bytes() - written_before) / number}


async def drain(folder: Path) -> dict[str, float]:
    """Batches as the cloud takes them, each taken and acknowledged."""
    async with open_outbox(folder) as box:
        for _ in range(DRAINED // 1000):
            await box.put_all(RecordClass.LOG, [(1_760_000_000_000, RECORD)] * 1000)
        begun_s = time.monotonic()
        while batch := await box.take(
            {RecordClass.LOG}, records_max=BATCH_RECORDS_MAX, bytes_max=BATCH_BYTES_MAX
        ):
            last = batch.records[-1].id
            await box.acknowledge(RecordClass.LOG, {last.epoch: last.seq})
        return {"per_s": DRAINED / (time.monotonic() - begun_s)}


def open_outbox(folder: Path) -> AbstractAsyncContextManager[Outbox]:
    """A new one."""
    clock = SystemClock()
    return Outbox.open(
        folder / "outbox.sqlite",
        clock,
        LogBook(clock).logger(),
        quotas=default_quotas(4096),
        clock_synced=lambda: True,
    )


def cpu_s() -> float:
    """CPU time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def written_bytes() -> int:
    """What this process has caused to be written to a disk so far; proc(5), `write_bytes`."""
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def main() -> None:
    """Do what the command line says."""
    what, folder, span_s = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    match what:
        case "outbox":
            found = asyncio.run(outbox(folder, span_s))
        case "naive":
            found = naive(folder, span_s)
        case "drain":
            found = asyncio.run(drain(folder))
        case _:
            raise SystemExit(f"no such work: {what}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
