"""How fast a target is reached, beside a shell loop of `docker run`; what looking costs."""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from benchmarks import process
from benchmarks.counting import Counting, counting
from benchmarks.device import Device, bench_device
from benchmarks.engine import BenchEngine, bench_engine
from benchmarks.outcome import Aim, Outcome, progress, run
from scripts.support.programs import ProgramFailed

SIZES = {1: 7, 10: 5, 50: 3}  # services, and how often each is repeated
_AIMS = {50: Aim(at_most=0.7), 10: Aim(at_most=0.8)}
_HEALS = 9
_IDLE_S = 10.0
_LOOKS = 100
_LOOK_SPACING_S = 0.15
_DEFAULT_POLL_MS, _FAST_POLL_MS = "60000", "1000"


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench converge", description=__doc__)
    parser.add_argument(
        "--repeat", type=int, help="how often, instead of " + _told(SIZES), metavar="N"
    )
    parser.add_argument(
        "--services",
        type=int,
        nargs="+",
        choices=sorted(SIZES),
        default=sorted(SIZES),
        help="only these numbers of services",
    )
    return run("converge", parser, bench)


def bench(options: argparse.Namespace, outcome: Outcome) -> None:
    """Measure convergence, healing, and a reconcile with nothing to do."""
    with bench_engine() as engine:
        if not engine.has_cli:
            outcome.note("no `docker` program here: the loop makes the same calls by itself")
        with bench_device(engine, POLL_INTERVAL_MS=_FAST_POLL_MS) as device:
            for size in options.services:
                _converge(device, size, options.repeat or SIZES[size], outcome)
            _heal(device, outcome)
            _noop(device, max(SIZES), outcome)


def _converge(device: Device, size: int, repeats: int, outcome: Outcome) -> None:
    """Both sides in turn, the order changing, so that what the machine does else hits both."""
    spans_s: dict[str, list[float]] = {"agent": [], "loop": []}
    sides = {"agent": _by_agent, "loop": _by_loop}
    for number in range(repeats):
        for side in ("agent", "loop") if number % 2 else ("loop", "agent"):
            span_s = sides[side](device, size, f"run {size}.{number}")
            spans_s[side].append(span_s)
            progress(f"{size:>2} services, {side:<5} {span_s:6.2f} s")
    agent_s, loop_s = (statistics.median(spans_s[side]) for side in ("agent", "loop"))
    outcome.figure(f"converge_{size}_s", agent_s)
    outcome.figure(f"docker_run_{size}_s", loop_s)
    outcome.ratio(f"converge_{size}_vs_docker_run", agent_s / loop_s, _AIMS.get(size))


def _by_agent(device: Device, size: int, message: str) -> float:
    """From the agent's acceptance of the target to the last start that the engine tells of."""
    with device.engine.watch(device.label) as starts:
        device.set_services(size, message)
        last_s = starts.time_of_last(size)
    accepted_s: float = device.target()["receivedAt"] / 1000
    _empty(device)
    return last_s - accepted_s


def _by_loop(device: Device, size: int, message: str) -> float:
    try:
        return device.engine.run_loop(size, message)
    finally:
        device.engine.clear_loop()


def _heal(device: Device, outcome: Outcome) -> None:
    """Kill one service after the other, and beside it have the engine start one alone."""
    device.set_services(_HEALS, "heal")
    device.agent.until_settled()
    heals_s, starts_s = [], []
    for number in range(_HEALS):
        starts_s.append(device.engine.start_alone_s("heal"))
        # Each service only once: one that keeps failing is made to wait on purpose.
        heals_s.append(_heal_one(device, f"s{number}"))
        device.agent.until_settled()
    heal_s, start_s = statistics.median(heals_s), statistics.median(starts_s)
    outcome.figure("heal_s", heal_s, Aim(at_most=1.0 + start_s, why="1 s and the engine's start"))
    outcome.figure("engine_start_s", start_s)
    _empty(device)


def _heal_one(device: Device, service: str) -> float:
    engine = device.engine
    container_id = _container_of(engine, device.label, service)
    with engine.watch(device.label) as starts:
        began_s = time.time()
        engine.http.call("POST", f"/containers/{container_id}/kill")
        return starts.time_of_last(1) - began_s


def _noop(device: Device, size: int, outcome: Outcome) -> None:
    """Have it look many times while all is as wanted; its CPU time, less what it idles with."""
    device.set_services(size, "noop")
    device.agent.until_settled(timeout_s=180)
    with counting(device.folder, device.engine.host) as between:
        device.restart_agent(DOCKER_HOST=between.host, POLL_INTERVAL_MS=_DEFAULT_POLL_MS)
        device.agent.until_settled()
        progress(f"{size} services run as wanted; it looks {_LOOKS} times …")
        before = _Account(device, between)
        time.sleep(_IDLE_S)
        idle = _Account(device, between)
        for _ in range(_LOOKS):
            device.agent.call("POST", "/v1/reconcile")
            time.sleep(_LOOK_SPACING_S)
        after = _Account(device, between)
    looks = after.looks - idle.looks
    idle_ms = (idle.cpu_ms - before.cpu_ms) / (idle.at_s - before.at_s) * (after.at_s - idle.at_s)
    outcome.figure(
        f"noop_cpu_ms_{size}", (after.cpu_ms - idle.cpu_ms - idle_ms) / looks, Aim(at_most=25.0)
    )
    outcome.figure(f"noop_calls_{size}", (after.calls - idle.calls) / looks, Aim(at_most=1.0))


class _Account:
    """What the agent has used and done so far."""

    def __init__(self, device: Device, between: Counting) -> None:
        self.at_s = time.monotonic()
        self.cpu_ms = process.cpu_ms(device.agent.pid)
        self.looks = int(device.agent.call("GET", "/v1/plan")["round"])
        self.calls = between.seen.total()


def _empty(device: Device) -> None:
    """Want nothing, and wait until nothing is left."""
    device.set_services(0, "")
    device.agent.until_settled(timeout_s=180)


def _container_of(engine: BenchEngine, label: str, service: str) -> str:
    for found in engine.running(label):
        if found["Labels"]["iotistic.service-name"] == service:
            return str(found["Id"])
    raise ProgramFailed(f"service {service} does not run")


def _told(sizes: dict[int, int]) -> str:
    return ", ".join(f"{repeats} for {size}" for size, repeats in sizes.items())


if __name__ == "__main__":
    sys.exit(main())
