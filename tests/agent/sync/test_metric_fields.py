"""Which figures are worth a report: a whole step, never noise."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.sync.steady import moved

STEPS = {"cpu_usage": 5.0, "memory_percent": 1.0, "storage_percent": 1.0, "temperature": 1.0}
TOLD = {"cpu_usage": 50, "memory_percent": 40.0, "storage_percent": 70.0, "temperature": 45.0}
BELOW = st.floats(-0.999, 0.999)
ANYTHING = st.floats(-1e6, 1e6)


@given(st.fixed_dictionaries(dict.fromkeys(STEPS, BELOW)), ANYTHING, ANYTHING, ANYTHING)
def test_noise_below_the_step_is_no_change(
    noise: dict[str, float], uptime: float, load: float, latency: float
) -> None:
    fresh: dict[str, Any] = {name: TOLD[name] + noise[name] * STEPS[name] for name in STEPS}
    fresh |= {"uptime": uptime, "load_1": load, "network_latency_ms": latency}

    assert not moved({**TOLD, "uptime": 0}, fresh)


@given(st.sampled_from(sorted(STEPS)), st.floats(1.001, 20.0), st.sampled_from((-1, 1)))
def test_a_whole_step_always_is_one(name: str, steps: float, way: int) -> None:
    assert moved(TOLD, {**TOLD, name: TOLD[name] + way * steps * STEPS[name]})


@given(st.lists(BELOW, min_size=1, max_size=50))
def test_a_slow_drift_is_told_when_it_has_come_far_enough(noise: list[float]) -> None:
    """Measured from what was told, so that many small steps are not lost."""
    told, now = dict(TOLD), dict(TOLD)
    for change in noise:
        now["temperature"] += change
        if moved(told, now):
            told = dict(now)
        assert abs(now["temperature"] - told["temperature"]) < STEPS["temperature"]


@given(st.sampled_from(sorted(STEPS)))
def test_a_figure_that_comes_or_goes_is_one(name: str) -> None:
    without = {other: value for other, value in TOLD.items() if other != name}

    assert moved(TOLD, without)
    assert moved(without, TOLD)
