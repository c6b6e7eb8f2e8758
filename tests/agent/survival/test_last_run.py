"""What follows from how the run before ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.survival.last_run import (
    FAST_CRASHES,
    TRIAL_BASE_S,
    TRIAL_CAP_S,
    LastRun,
    Phase,
    RunMode,
    Traces,
    next_run,
    trial_after_s,
)

BEFORE = LastRun(version="1", boot_id="b1", oom_kills=0)
QUIET = Traces(boot_id="b1", oom_kills=0)
FATAL = replace(QUIET, fatal_signal="Segmentation fault")


def after(*deaths: Traces | Phase) -> LastRun:
    """The run after runs that ended so: by traces found, or by their own word."""
    run = next_run(None, QUIET, "1")
    for death in deaths:
        if isinstance(death, Phase):
            run = next_run(replace(run, phase=death), QUIET, "1")
        else:
            run = next_run(run, death, "1")
    return run


def test_three_fast_crashes_lead_to_safe_mode() -> None:
    assert [after(*[FATAL] * n).mode for n in range(4)] == [RunMode.NORMAL] * 3 + [RunMode.SAFE]
    assert after(*[FATAL] * 3).why == "Segmentation fault"


@pytest.mark.parametrize(
    "death",
    [
        QUIET,  # SIGKILL by hand, or by a service manager that lost patience
        Phase.ENDED,  # SIGTERM
        replace(QUIET, boot_id="b2"),  # reboot, power cut
        replace(QUIET, boot_id="b2", oom_kills=7),  # and the counter of another boot says nothing
        replace(QUIET, oom_kills=None),
    ],
    ids=["killed", "told", "power-cut", "other-boot", "unknown"],
)
def test_what_is_no_crash_counts_for_nothing_however_often(death: Traces | Phase) -> None:
    assert after(*[death] * 20).mode is RunMode.NORMAL
    # Nor does it forgive the crashes before it.
    assert after(FATAL, FATAL, death, FATAL).mode is RunMode.SAFE


def test_an_out_of_memory_kill_of_ours_counts_and_one_elsewhere_does_not() -> None:
    killed = next_run(BEFORE, replace(QUIET, oom_kills=1), "1")
    elsewhere = next_run(replace(BEFORE, phase=Phase.ENDED), replace(QUIET, oom_kills=1), "1")
    assert (killed.crashes, elsewhere.crashes) == (1, 0)


def test_an_exception_that_ended_the_process_is_told() -> None:
    before = replace(BEFORE, phase=Phase.CRASHED, why="ValueError at x.py:3", crashes=2)
    run = next_run(before, QUIET, "1")
    assert (run.mode, run.why) == (RunMode.SAFE, "ValueError at x.py:3")


def test_a_crash_after_a_stable_time_is_no_fast_one() -> None:
    before = replace(BEFORE, phase=Phase.STABLE, crashes=0)
    assert next_run(before, FATAL, "1").crashes == 0


def test_another_version_begins_without_the_faults_of_the_one_before() -> None:
    before = replace(BEFORE, crashes=5, mode=RunMode.SAFE, trials=3)
    assert next_run(before, FATAL, "2") == LastRun(version="2", boot_id="b1", oom_kills=0)


def test_safe_mode_stays_through_restarts_and_reboots() -> None:
    safe = after(FATAL, FATAL, FATAL)
    for traces in (QUIET, FATAL, replace(QUIET, boot_id="b2")):
        safe = next_run(safe, traces, "1")
        assert safe.mode is RunMode.SAFE


def test_a_trial_applies_again_and_one_crash_is_enough_to_end_it() -> None:
    safe = after(FATAL, FATAL, FATAL)
    trial = next_run(replace(safe, on_trial=True, phase=Phase.ENDED), QUIET, "1")
    assert trial.mode is RunMode.NORMAL

    failed = next_run(trial, FATAL, "1")
    assert (failed.mode, failed.trials) == (RunMode.SAFE, 1)
    again = next_run(replace(failed, on_trial=True, phase=Phase.ENDED), QUIET, "1")
    assert next_run(again, FATAL, "1").trials == 2

    well = next_run(replace(trial, phase=Phase.STABLE), QUIET, "1")
    assert (well.mode, well.crashes, well.trials) == (RunMode.NORMAL, 0, 0)


def test_a_trial_that_is_killed_is_still_on_trial() -> None:
    safe = after(FATAL, FATAL, FATAL)
    trial = next_run(replace(safe, on_trial=True, phase=Phase.ENDED), QUIET, "1")
    killed = next_run(trial, replace(QUIET, boot_id="b2"), "1")
    assert (killed.mode, killed.on_trial) == (RunMode.NORMAL, True)


@given(st.integers(0, 10_000))
def test_trials_come_ever_later_but_they_come(trials: int) -> None:
    assert TRIAL_BASE_S <= trial_after_s(trials) <= trial_after_s(trials + 1) <= TRIAL_CAP_S


@given(st.lists(st.sampled_from([QUIET, FATAL, replace(QUIET, boot_id="b2"), *Phase]), max_size=30))
def test_safe_mode_needs_so_many_crashes(deaths: list[Traces | Phase]) -> None:
    crashes = sum(death in (FATAL, Phase.CRASHED) for death in deaths)
    if crashes < FAST_CRASHES:
        assert after(*deaths).mode is RunMode.NORMAL
