"""How fast a target is reached, beside a shell loop of `docker run`; what looking costs."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks import process
from benchmarks.counting import Counting, counting
from benchmarks.device import Device, bench_device
from benchmarks.engine import BenchEngine, bench_engine
from benchmarks.outcome import Aim, Outcome, progress, run
from scripts.support.programs import ProgramFailed

SIZES = {1: 7, 10: 5, 50: 3}  # services, and how often each is repeated
NAMES = (
    *(f"converge_{size}_s" for size in SIZES),
    *(f"docker_run_{size}_s" for size in SIZES),
    *(f"converge_{size}_vs_docker_run" for size in SIZES),
    "heal_s",
    "engine_start_s",
    "noop_cpu_ms_50",
    "noop_calls_50",
)
PARTS = ("targets", "heal", "noop")
_AIMS = {50: Aim(at_most=0.7), 10: Aim(at_most=0.8)}
_HEALS = 9
_NOOP_SERVICES = 50
_IDLE_S = 10.0
_LOOKS = 100
_LOOK_SPACING_S = 0.15
_USUAL_POLL_MS, _FAST_POLL_MS = "60000", "1000"
_PATIENCE_S = 180.0


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench converge", description=__doc__)
    parser.add_argument(
        "--repeat", type=int, metavar="N", help=f"how often, instead of {_told(SIZES)}"
    )
    parser.add_argument(
        "--services",
        type=int,
        nargs="+",
        choices=sorted(SIZES),
        default=sorted(SIZES),
        help="only these numbers of services",
    )
    parser.add_argument("--only", choices=PARTS, help="only this part")
    return run(Outcome("converge", NAMES), parser, bench)


def bench(options: argparse.Namespace, outcome: Outcome) -> None:
    """Measure targets reached, healing, and a reconcile with nothing to do."""
    parts = (options.only,) if options.only else PARTS
    with bench_engine() as engine, bench_device(engine, POLL_INTERVAL_MS=_FAST_POLL_MS) as device:
        if "targets" in parts:
            if not engine.has_cli:
                outcome.note("no `docker` program here: the loop makes the same calls by itself")
            for size in options.services:
                _converge(device, size, options.repeat or SIZES[size], outcome)
        if "heal" in parts:
            _heal(device, options.repeat or _HEALS, outcome)
        if "noop" in parts:
            _noop(device, outcome)


def _converge(device: Device, size: int, repeats: int, outcome: Outcome) -> None:
    """Both sides in turn, the order changing, so that what the machine does else hits both."""
    sides = {"agent": _by_agent, "loop": _by_loop}
    spans_s: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(repeats):
        for side in sides if number % 2 else reversed(sides):
            span_s = sides[side](device, size, f"run {size}.{number}")
            spans_s[side].append(span_s)
            progress(f"{size:>2} services, {side:<5} {span_s:6.2f} s")
    agent_s, loop_s = spans_s["agent"], spans_s["loop"]
    outcome.figure(f"converge_{size}_s", statistics.median(agent_s))
    outcome.figure(f"docker_run_{size}_s", statistics.median(loop_s))
    outcome.ratio(
        f"converge_{size}_vs_docker_run",
        statistics.median(ours / theirs for ours, theirs in zip(agent_s, loop_s, strict=True)),
        _AIMS.get(size),
    )
    outcome.note(f"{size}: agent {_range(agent_s)}, loop {_range(loop_s)}")


def _by_agent(device: Device, size: int, message: str) -> float:
    """From the agent's acceptance of the target to the last start that the engine tells of."""
    with device.engine.watch(device.label) as starts:
        device.set_services(size, message)
        last_s = starts.time_of_last(size)
    accepted_s: float = device.target()["receivedAt"] / 1000
    device.clear(_PATIENCE_S)
    return last_s - accepted_s


def _by_loop(device: Device, size: int, message: str) -> float:
    try:
        return device.engine.run_loop(size, message)
    finally:
        device.engine.clear_loop()


def _heal(device: Device, repeats: int, outcome: Outcome) -> None:
    """Kill one service after the other, and beside it have the engine start one alone."""
    device.set_services(repeats, "heal")
    device.agent.until_settled()
    heals_s, starts_s = [], []
    for number in range(repeats):
        starts_s.append(device.engine.start_alone_s("heal"))
        # Each service only once: one that keeps failing is made to wait on purpose.
        heals_s.append(_heal_one(device, f"s{number}"))
        progress(f"killed and healed: {heals_s[-1]:.2f} s, the engine's start {starts_s[-1]:.2f} s")
        device.agent.until_settled()
    heal_s, start_s = statistics.median(heals_s), statistics.median(starts_s)
    aim = Aim(at_most=round(1.0 + start_s, 3), why="1 s and the engine's own start")
    outcome.figure("heal_s", heal_s, aim)
    outcome.figure("engine_start_s", start_s)
    outcome.note(f"healing {_range(heals_s)}, the engine's start {_range(starts_s)}")
    device.clear(_PATIENCE_S)


def _heal_one(device: Device, service: str) -> float:
    """From the order to kill it until the engine tells that it runs again."""
    engine = device.engine
    container_id = _container_of(engine, device.label, service)
    with engine.watch(device.label) as starts:
        began_s = time.time()
        engine.http.call("POST", f"/containers/{container_id}/kill")
        return starts.time_of_last(1) - began_s


def _noop(device: Device, outcome: Outcome) -> None:
    """Have it look many times while all is as wanted; its CPU time, less what it idles with."""
    size = _NOOP_SERVICES
    device.set_services(size, "noop")
    device.agent.until_settled(timeout_s=_PATIENCE_S)
    with counting(device.folder, device.engine.host) as between:
        device.restart_agent(DOCKER_HOST=between.host, POLL_INTERVAL_MS=_USUAL_POLL_MS)
        device.agent.until_settled()
        progress(f"{size} services run as wanted; the agent idles, then looks {_LOOKS} times …")
        before = _Account(device, between)
        time.sleep(_IDLE_S)
        idle = _Account(device, between)
        for _ in range(_LOOKS):
            device.agent.call("POST", "/v1/reconcile")
            time.sleep(_LOOK_SPACING_S)
        after = _Account(device, between)
        # Away from the way in between before it is closed.
        device.restart_agent(DOCKER_HOST=device.engine.host, POLL_INTERVAL_MS=_FAST_POLL_MS)
    looks = after.looks - idle.looks
    idle_ms = (idle.cpu_ms - before.cpu_ms) / (idle.at_s - before.at_s) * (after.at_s - idle.at_s)
    spent_ms = after.cpu_ms - idle.cpu_ms - idle_ms
    outcome.figure("noop_cpu_ms_50", spent_ms / looks, Aim(at_most=25.0))
    outcome.figure("noop_calls_50", (after.calls - idle.calls) / looks, Aim(at_most=1.0))
    device.clear(_PATIENCE_S)


class _Account:
    """What the agent has used and done so far."""

    def __init__(self, device: Device, between: Counting) -> None:
        self.at_s = time.monotonic()
        self.cpu_ms = process.cpu_ms(device.agent.pid)
        self.looks = int(device.agent.call("GET", "/v1/plan")["round"])
        self.calls = between.seen.total()


def _container_of(engine: BenchEngine, label: str, service: str) -> str:
    for found in engine.running(label):
        if found["Labels"]["iotistic.service-name"] == service:
            return str(found["Id"])
    raise ProgramFailed(f"service {service} does not run")


def _range(spans_s: Sequence[float]) -> str:
    return f"{min(spans_s):.2f} to {max(spans_s):.2f} s"


def _told(sizes: dict[int, int]) -> str:
    return ", ".join(f"{repeats} for {size}" for size, repeats in sizes.items())


if __name__ == "__main__":
    sys.exit(main())
