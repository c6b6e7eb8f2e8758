"""What the link of an idle device costs: at the usual intervals, and in the low profile."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks.idle_device import LinkClock, idle_device
from benchmarks.outcome import Aim, Outcome, progress, run
from iotistic.agent.sync import SyncIntervals
from iotistic.agent.traffic import BandwidthProfile, LinkUse
from tests.cloud.running import make_template
from tests.cloud.served import served_cloud

PURPOSES = ("poll", "report", "metrics")
PROFILES = ("default", "low")
NAMES = (
    "low_bandwidth_mb_month",
    "diff_vs_full",
    "full_report_kb",
    *(f"{profile}_{purpose}_kb_day" for profile in PROFILES for purpose in PURPOSES),
    *(f"{profile}_kb_day" for profile in PROFILES),
)
DAY_S = 86_400.0
MONTH_DAYS = 30.4375
_KB = 1000


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench traffic", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="how long a day is (24)")
    return run(Outcome("traffic", NAMES), parser, bench)


def bench(options: argparse.Namespace, outcome: Outcome) -> None:
    """One day of each profile, on the real cloud."""
    with tempfile.TemporaryDirectory(prefix="iotistic-bench-") as folder:
        for profile in PROFILES:
            (Path(folder) / profile).mkdir()
            asyncio.run(_day(profile, options.hours * 3600, Path(folder) / profile, outcome))
    outcome.note("no logs and no sensors: an idle device; HTTP both ways, without TLS and TCP")


async def _day(profile: str, span_s: float, folder: Path, outcome: Outcome) -> None:
    use = LinkUse(profile=BandwidthProfile.LOW) if profile == "low" else LinkUse()
    await make_template(folder / "cloud.sqlite")
    clock = LinkClock()
    async with (
        served_cloud(folder / "cloud.sqlite", clock.wall_ms) as cloud,
        idle_device(folder, cloud, use, clock) as device,
    ):
        # A whole report is the first, and then one a day: of a day, one belongs to it.
        await clock.advance(5.0)
        whole = device.bytes("report")
        await clock.advance(span_s)
        times = DAY_S / span_s
        day = {
            purpose: whole + (device.bytes(purpose) - whole) * times
            if purpose == "report"
            else device.bytes(purpose) * times
            for purpose in PURPOSES
        }
    for purpose, size in day.items():
        outcome.figure(f"{profile}_{purpose}_kb_day", size / _KB)
    total = sum(day.values())
    outcome.figure(f"{profile}_kb_day", total / _KB)
    progress(f"{profile}: {total / _KB:.1f} kB a day")
    if profile == "low":
        month_mb = total * MONTH_DAYS / 1e6
        outcome.figure("low_bandwidth_mb_month", month_mb, Aim(at_most=1.0))
    else:
        full = whole * DAY_S / SyncIntervals().report_s
        outcome.figure("full_report_kb", whole / _KB)
        outcome.ratio("diff_vs_full", day["report"] / full, Aim(at_most=0.02))


if __name__ == "__main__":
    sys.exit(main())
