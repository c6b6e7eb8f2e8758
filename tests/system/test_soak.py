"""Twenty real minutes (IOTISTIC_SOAK_S) of a device at work: memory, handles and disk stay flat."""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.conftest import Site

SOAK_S = float(os.environ.get("IOTISTIC_SOAK_S", "1200"))
EVERY_S = 5.0
DATABASES = ("device.sqlite", "outbox.sqlite")
LOG_KB_MAX = 5 * 1024
"""Of the write-ahead logs: SQLite begins one from its start again after a thousand pages."""

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(int(SOAK_S) + 300)]


@dataclass(frozen=True)
class Sample:
    """One look at the agent's process and at its files."""

    rss_kb: int
    handles: int
    threads: int
    state_kb: int
    logs_kb: int

    @classmethod
    def of(cls, pid: int, folder: Path) -> Sample:
        process = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return cls(
            rss_kb=int(status["VmRSS"].split()[0]),
            handles=len(list((process / "fd").iterdir())),
            threads=int(status["Threads"]),
            state_kb=sum(_kb(folder / name) for name in DATABASES),
            logs_kb=max(_kb(folder / f"{name}-wal") for name in DATABASES),
        )


def _kb(path: Path) -> int:
    return path.stat().st_size // 1024 if path.exists() else 0


def middle(samples: list[Sample], name: str) -> float:
    return float(statistics.median(getattr(sample, name) for sample in samples))


def test_nothing_grows(site: Site) -> None:
    site.join()
    site.deploy(site.service("web"))
    site.until_states(web="running")
    samples: list[Sample] = []
    end_s, n = time.monotonic() + SOAK_S, 0
    while time.monotonic() < end_s:
        n += 1
        if n % 6 == 0:
            site.deploy(site.service("web", environment={"N": str(n)}))
        if n % 2 == 0 and site.states().get("web") == "running":
            site.outside.kill(site.uuid, "web")
        site.agent.call("GET", "/v1/status")
        site.agent.check_alive()
        time.sleep(EVERY_S)
        samples.append(Sample.of(site.agent.pid, site.agent.folder))

    # The first half is for caches and journals to fill; then a quarter is held against the next.
    size = max(1, len(samples) // 4)
    third, last = samples[2 * size : 3 * size], samples[3 * size :]
    for name in ("rss_kb", "handles", "threads", "state_kb", "logs_kb"):
        sys.stdout.write(f"{name}: {middle(third, name):g} -> {middle(last, name):g}\n")
    assert middle(last, "rss_kb") <= middle(third, "rss_kb") * 1.05 + 1024
    assert middle(last, "handles") <= middle(third, "handles") + 2
    assert middle(last, "threads") <= middle(third, "threads") + 2
    assert middle(last, "state_kb") <= middle(third, "state_kb") * 1.25 + 1024
    assert max(sample.logs_kb for sample in samples) <= LOG_KB_MAX
