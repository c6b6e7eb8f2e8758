"""What the run before this one left behind, and what follows from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

FAST_CRASHES = 3
"""So many in a row, each before the agent had run for STABLE_S, lead to safe mode."""
STABLE_S = 60.0
TRIAL_BASE_S = 300.0
TRIAL_CAP_S = 6 * 3600.0
_DOUBLINGS_MAX = 10


class RunMode(StrEnum):
    """What a run of the agent does."""

    NORMAL = "normal"
    SAFE = "safe"
    """Device API and cloud link only; nothing is applied."""


class Phase(StrEnum):
    """How far a run came, as it wrote itself."""

    STARTING = "starting"
    STABLE = "stable"
    ENDED = "ended"
    """In order, or told to: whatever came afterwards is no crash."""
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The record of one run. `crashes` are fast ones in a row before it, `trials` the times that
    safe mode was left by itself in vain. `oom_kills` is the kernel's count at its start.
    """

    version: str
    boot_id: str
    phase: Phase = Phase.STARTING
    mode: RunMode = RunMode.NORMAL
    crashes: int = 0
    trials: int = 0
    on_trial: bool = False
    oom_kills: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What is found at a start that tells how the run before ended."""

    boot_id: str
    oom_kills: int | None = None
    fatal_signal: str = ""


def next_run(before: LastRun | None, traces: Traces, version: str) -> LastRun:
    """The record of the run that begins now; its mode is what it does.

    Another version of the agent begins without the faults of the one before.
    """
    fresh = LastRun(version=version, boot_id=traces.boot_id, oom_kills=traces.oom_kills)
    if before is None or before.version != version:
        return fresh
    if before.phase is Phase.STABLE and before.mode is RunMode.NORMAL:
        return fresh  # what happened after a stable time is no fast crash
    cause = _crash_of(before, traces)
    crashes = before.crashes + (1 if cause else 0)
    is_safe = crashes >= FAST_CRASHES and not (before.on_trial and not cause)
    failed_trial = before.on_trial and bool(cause) and before.mode is RunMode.NORMAL
    return replace(
        fresh,
        crashes=crashes,
        mode=RunMode.SAFE if is_safe else RunMode.NORMAL,
        trials=before.trials + failed_trial,
        on_trial=before.on_trial and not cause,
        why=cause or before.why,
    )


def _crash_of(before: LastRun, traces: Traces) -> str:
    """Why the run before crashed; "" when it did not, as far as can be told."""
    if before.phase is Phase.ENDED:
        return ""
    if before.phase is Phase.CRASHED:
        return before.why or "an unexpected error"
    if traces.fatal_signal:
        return traces.fatal_signal
    same_boot = before.boot_id == traces.boot_id
    known = before.oom_kills is not None and traces.oom_kills is not None
    if same_boot and known and (traces.oom_kills or 0) > (before.oom_kills or 0):
        return "killed when memory ran out"
    return ""


def trial_after_s(trials: int) -> float:
    """Seconds in safe mode until applying is tried again, after so many trials in vain."""
    return min(TRIAL_CAP_S, TRIAL_BASE_S * 2.0 ** min(trials, _DOUBLINGS_MAX))
