"""What a benchmark found: a table for people, then one line for programs."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.support.images import BusyboxMissing
from scripts.support.private_docker import NoPrivateDocker
from scripts.support.programs import ProgramFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """At most, or at least, this; `why` is for the reader of the table."""

    at_most: float | None = None
    at_least: float | None = None
    why: str = ""

    def text(self, value: float) -> str:
        """The aim, and whether `value` misses it."""
        bounds = []
        if self.at_most is not None:
            bounds.append((f"<= {self.at_most:g}", value <= self.at_most))
        if self.at_least is not None:
            bounds.append((f">= {self.at_least:g}", value >= self.at_least))
        why = f" ({self.why})" if self.why else ""
        missed = "" if all(kept for _, kept in bounds) else "  MISSED"
        return f"{' '.join(bound for bound, _ in bounds)}{why}{missed}"


@dataclass(slots=True)
class Outcome:
    """The findings of the benchmark `name`, in the order they were made.

    `names` are those it may find, all of them explained in README.md.
    """

    name: str
    names: tuple[str, ...]
    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _aims: dict[str, Aim] = field(default_factory=dict)

    def figure(self, name: str, value: float, aim: Aim | None = None) -> None:
        """A quantity; the end of its name is the unit."""
        self._find(self.figures, name, value, aim)

    def ratio(self, name: str, value: float, aim: Aim | None = None) -> None:
        """How it compares with something measured beside it."""
        self._find(self.ratios, name, value, aim)

    def note(self, text: str) -> None:
        """What a reader should know beside the numbers."""
        self.notes.append(text)

    def table(self) -> str:
        """For people: each finding beside its aim."""
        rows = [("", "MEASURED", "AIM")]
        for name, value in {**self.figures, **self.ratios}.items():
            rows.append((name, f"{value:g}", self._aim_text(name, value)))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [
            f"{name:<{widths[0]}}  {value:>{widths[1]}}  {aim}".rstrip()
            for name, value, aim in rows
        ]
        return "\n".join([*lines, *(f"({note})" for note in self.notes)])

    def line(self) -> str:
        """For programs: one JSON object."""
        return json.dumps({"bench": self.name, "figures": self.figures, "ratios": self.ratios})

    def _find(self, among: dict[str, float], name: str, value: float, aim: Aim | None) -> None:
        if name not in self.names:
            raise AssertionError(f"{name} is not among the names of {self.name}")
        among[name] = round(value, 3)
        if aim is not None:
            self._aims[name] = aim

    def _aim_text(self, name: str, value: float) -> str:
        if (aim := self._aims.get(name)) is None:
            return ""
        return aim.text(value)


def run(
    outcome: Outcome,
    parser: argparse.ArgumentParser,
    bench: Callable[[argparse.Namespace, Outcome], None],
) -> int:
    """Run a benchmark and show what it found; the exit code. A missed aim is no failure."""
    options = parser.parse_args()
    name = outcome.name
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        outcome.note(f"the machine was busy: load {load:.1f} on {cores} cores at the start")
    # Ends like Ctrl-C, so that containers and programs are removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        bench(options, outcome)
    except (NoPrivateDocker, BusyboxMissing, ProgramFailed, OSError) as error:
        print(f"scripts/bench {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"scripts/bench {name}: interrupted", file=sys.stderr)
        return 130
    print(f"\n{outcome.table()}\n{outcome.line()}")
    return 0


def progress(text: str) -> None:
    """Say what goes on, on standard error."""
    print(text, file=sys.stderr, flush=True)
