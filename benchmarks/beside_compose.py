"""The agent beside a compose implementation: one compose file, one engine, in turn."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from benchmarks.counting import Counting, counting
from benchmarks.device import APP_ID, Device, bench_device
from benchmarks.engine import IMAGE, BenchEngine, bench_engine
from benchmarks.outcome import Aim, Outcome, progress
from iotistic.compose import from_compose, read_yaml
from scripts.support.programs import ProgramFailed, wait_for

SERVICES = 10
ACTIONS = ("create", "noop", "change_one")
SIDES = ("agent", "compose")
NAMES = (
    *(f"{side}_{action}_s" for action in ACTIONS for side in SIDES),
    *(f"{side}_{action}_calls" for action in ACTIONS for side in SIDES),
    *(f"compose_{action}_ratio" for action in ACTIONS),
)
_REPEATS = 7
_AIM = Aim(at_most=1.0)
_CHANGED = 3
_PATIENCE_S = 180.0
# How long a release has to run well is waited for between the measurements, not within.
_HEALTHY_S = 1


class Side(Protocol):
    """One that brings an application to what its file says."""

    def apply(self, file: Mapping[str, Any], starts: int) -> float:
        """Seconds until `starts` containers have started; with 0, until it says all is done."""

    def rest(self) -> None:
        """Wait until it does nothing more about it."""

    def clear(self) -> None:
        """Remove the application, data and all."""


def bench(repeats: int | None, outcome: Outcome) -> None:
    """Measure both sides in turn, the order changing; then count their requests."""
    compose = _compose_command()
    if not compose:
        outcome.note("no compose program here (Debian's package docker-compose): not compared")
        return
    spans: dict[str, dict[str, list[float]]] = {a: {s: [] for s in SIDES} for a in ACTIONS}
    with bench_engine() as engine, bench_device(engine) as device:
        project = ComposeProject(compose, device.folder / "shop", engine, engine.host)
        sides: dict[str, Side] = {"agent": OurAgent(device), "compose": project}
        try:
            for number in range(repeats or _REPEATS):
                for action, side, span_s in _pass(sides, number):
                    spans[action][side].append(span_s)
                    progress(f"{action:<10}  {side:<7}  {span_s:6.2f} s")
            _count(device, compose, engine, outcome)
        finally:
            project.clear()
        outcome.note(project.version())
    for action in ACTIONS:
        _tell(action, spans[action], outcome)


def _pass(sides: Mapping[str, Side], number: int) -> Iterator[tuple[str, str, float]]:
    """Everything once, on both sides."""
    order = SIDES if number % 2 else SIDES[::-1]
    files = {
        "create": (_file(f"first {number}"), SERVICES),
        "noop": (_file(f"first {number}"), 0),
        "change_one": (_file(f"first {number}", changed=f"second {number}"), 1),
    }
    for action, (file, starts) in files.items():
        for side in order:
            yield action, side, sides[side].apply(file, starts)
            sides[side].rest()
    for side in order:
        sides[side].clear()


def _tell(action: str, spans_s: Mapping[str, list[float]], outcome: Outcome) -> None:
    ours, theirs = spans_s["agent"], spans_s["compose"]
    outcome.figure(f"agent_{action}_s", statistics.median(ours))
    outcome.figure(f"compose_{action}_s", statistics.median(theirs))
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    outcome.ratio(f"compose_{action}_ratio", statistics.median(ratios), _AIM)
    outcome.note(
        f"{action}: agent {min(ours):.2f} to {max(ours):.2f} s,"
        f" compose {min(theirs):.2f} to {max(theirs):.2f} s"
    )


def _count(device: Device, compose: tuple[str, ...], engine: BenchEngine, outcome: Outcome) -> None:
    """Once more with the requests of each side counted, which would make them slower."""
    with (
        _counted(device.folder / "ours", engine) as ours,
        _counted(device.folder / "theirs", engine) as theirs,
    ):
        device.restart_agent(DOCKER_HOST=ours.host)
        device.agent.until_settled()
        project = ComposeProject(compose, device.folder / "counted", engine, theirs.host)
        seen = {"agent": ours, "compose": theirs}
        sides: dict[str, Side] = {"agent": OurAgent(device), "compose": project}
        before = {side: seen[side].seen.total() for side in SIDES}
        for action, side, _ in _pass(sides, 0):
            sides[side].rest()
            now = seen[side].seen.total()
            outcome.figure(f"{side}_{action}_calls", now - before[side])
            before[side] = now
        # Away from the way in between before it is closed.
        device.restart_agent(DOCKER_HOST=engine.host)


@contextmanager
def _counted(folder: Path, engine: BenchEngine) -> Iterator[Counting]:
    folder.mkdir()
    with counting(folder, engine.host) as between:
        yield between


class OurAgent:
    """Cloud and agent: the file is made a target, saved by an HTTP request, and polled for."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def apply(self, file: Mapping[str, Any], starts: int) -> float:
        """From before the request that saves the target."""
        document = read_yaml(json.dumps(file)).value
        app = from_compose(document, app_id=APP_ID, app_name="bench").app
        device = self._device
        device.until_it_may_poll()
        with device.engine.watch(device.label) as started:
            began_s = time.time()
            device.set_apps({str(APP_ID): app})
            if starts:
                return started.time_of_last(starts) - began_s
            wait_for("a look that finds nothing to do", self._is_settled, _PATIENCE_S)
            return time.time() - began_s

    def rest(self) -> None:
        """Until its release is settled."""
        self._device.agent.until_settled(timeout_s=_PATIENCE_S)

    def clear(self) -> None:
        """By a target without it, and its volumes by hand."""
        self._device.clear(_PATIENCE_S)
        self._device.engine.clean(self._device.label)

    def _is_settled(self) -> bool | None:
        # The agent looks at the engine for this answer.
        return self._device.agent.call("GET", "/v1/plan")["settled"] or None


class ComposeProject:
    """A folder with a compose file, and the program that acts on it."""

    def __init__(
        self, command: tuple[str, ...], folder: Path, engine: BenchEngine, host: str
    ) -> None:
        self._command = command
        self._name = f"iotisticbench{os.getpid()}"
        self._file = folder / "compose.yaml"
        self._engine = engine
        self._host = host
        folder.mkdir()

    def apply(self, file: Mapping[str, Any], starts: int) -> float:
        """From before the program is started; the file is there by then."""
        self._file.write_text(json.dumps(file))
        with self._engine.watch(f"com.docker.compose.project={self._name}") as started:
            began_s = time.time()
            self._run("up", "-d")
            ended_s = time.time()
            return (started.time_of_last(starts) if starts else ended_s) - began_s

    def rest(self) -> None:
        """It ended when it was done."""

    def clear(self) -> None:
        """Containers, network and volume."""
        if self._file.exists():
            self._run("down", "--volumes", "--timeout", "1")

    def version(self) -> str:
        """What it calls itself."""
        return f"compared with {self._run('version', '--short', plain=True).strip()} of compose"

    def _run(self, *arguments: str, plain: bool = False) -> str:
        project = () if plain else ("--file", str(self._file), "--project-name", self._name)
        done = subprocess.run(
            [*self._command, *project, *arguments],
            env={**os.environ, "DOCKER_HOST": self._host},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if done.returncode:
            raise ProgramFailed(f"compose {arguments[0]}: {done.stderr.strip()[-500:]}")
        return done.stdout


def _compose_command() -> tuple[str, ...]:
    if (program := shutil.which("docker-compose")) is not None:
        return (program,)
    docker = shutil.which("docker")
    if docker is None:
        return ()
    said = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return () if said.returncode else (docker, "compose")


def _file(message: str, *, changed: str | None = None) -> dict[str, Any]:
    """The application; with `changed`, one of its services says that instead."""
    services = {f"s{number}": _service(message) for number in range(SERVICES)}
    if changed is not None:
        services[f"s{_CHANGED}"] = _service(changed)
    services["s0"]["volumes"] = ["data:/data"]
    return {
        "services": services,
        "volumes": {"data": {}},
        "x-iotistic": {"verify": {"min_healthy_s": _HEALTHY_S}},
    }


def _service(message: str) -> dict[str, Any]:
    return {
        "image": IMAGE.reference,
        "environment": {"MESSAGE": message},
        "restart": "unless-stopped",
    }
