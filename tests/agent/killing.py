"""Kills a process at every line that it executes in some modules, and looks what the next finds.

To be used by programs of their own, with one thread: each attempt is a fork that does one thing to
a copy of a folder and is killed by SIGKILL at its n-th line; a second fork then looks at the
folder and checks the law. n grows until the thing is done without a kill.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any


@dataclass(frozen=True)
class Scenario:
    """A folder to begin with, a thing to do, and what must hold wherever that was killed."""

    given: Callable[[Path], Coroutine[Any, Any, None]]
    when: Callable[[Path], Coroutine[Any, Any, None]]
    then: Callable[[Path], Coroutine[Any, Any, None]]


def forked(work: Callable[[], None]) -> int:
    """Do something in a process of its own; its exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(line: int, watched: tuple[str, ...]) -> None:
    """From here on, die at the n-th line executed in a watched module, in whatever thread."""
    left = line

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(watched):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)


def sweep(scenario: Scenario, folder: Path, stride: int, watched: tuple[str, ...]) -> int:
    """Kill at every `stride`-th line; the number of kills. Raises SystemExit at a broken law."""
    begin, copy = folder / "begin", folder / "copy"
    begin.mkdir()
    if forked(lambda: asyncio.run(scenario.given(begin))) != 0:
        raise SystemExit("the scenario cannot be set up")
    for kills, line in enumerate(range(1, 100_000, stride)):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(begin, copy)

        def attempt(line: int = line) -> None:
            killed_at(line, watched)
            asyncio.run(scenario.when(copy))

        ended = forked(attempt)
        if ended not in (0, -signal.SIGKILL):
            raise SystemExit(f"killed at line {line}: failed by itself")
        if forked(lambda: asyncio.run(scenario.then(copy))) != 0:
            raise SystemExit(f"killed at line {line}: the law is broken")
        if ended == 0:
            return kills
    raise SystemExit("it never came to an end")
