"""What the agent costs while nothing happens, and how fast it is there after a start."""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from benchmarks import process
from benchmarks.device import Device, bench_device
from benchmarks.engine import bench_engine
from benchmarks.outcome import Aim, Outcome, progress, run

NAMES = ("idle_pss_mb", "idle_rss_mb", "idle_cpu_percent", "threads", "ready_s")
SERVICES = 2
_STARTS = 7


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench footprint", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long the agent idles first (60)"
    )
    return run(Outcome("footprint", NAMES), parser, bench)


def bench(options: argparse.Namespace, outcome: Outcome) -> None:
    """Measure memory and threads after idling, then the time of several starts."""
    with bench_engine() as engine, bench_device(engine) as device:
        device.set_services(SERVICES, "footprint")
        device.agent.until_settled()
        # A device that has run for long: what only provisioning needs is not in memory.
        device.restart_agent()
        device.agent.until_settled()
        progress(f"{SERVICES} services run; the agent idles for {options.seconds:g} s …")
        _idle(device, options.seconds, outcome)
        progress(f"{_STARTS} starts on the state folder there is …")
        outcome.figure("ready_s", _ready_s(device), Aim(at_most=1.0))


def _idle(device: Device, idle_s: float, outcome: Outcome) -> None:
    pid = device.agent.pid
    cpu_before_ms = process.cpu_ms(pid)
    time.sleep(idle_s)
    device.agent.check_alive()
    pids = process.family(pid)
    outcome.figure("idle_pss_mb", process.memory_mb(pids), Aim(at_most=40.0))
    outcome.figure("idle_rss_mb", process.memory_mb(pids, "Rss"))
    spent_ms = process.cpu_ms(pid) - cpu_before_ms
    outcome.figure("idle_cpu_percent", spent_ms / (idle_s * 1000) * 100)
    outcome.figure("threads", process.threads(pids))


def _ready_s(device: Device) -> float:
    """The median time from starting the process to its first answer."""
    spans_s = []
    for _ in range(_STARTS):
        device.agent.stop()
        began_s = time.monotonic()
        device.agent.start()
        device.agent.ready()
        spans_s.append(time.monotonic() - began_s)
    return statistics.median(spans_s)


if __name__ == "__main__":
    sys.exit(main())
