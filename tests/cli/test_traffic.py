"""What the link costs, for people."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.cli.commands.traffic import size
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script

POLLS = {"poll": {"sent": 300_000, "received": 150_000}}
TRAFFIC: dict[str, Any] = {
    "today": {"bytes": 1500, "purposes": {"poll": {"sent": 1000, "received": 500}}},
    "month": {
        "bytes": 9_450_000,
        "elapsed": 0.42,
        "purposes": {**POLLS, "logs": {"sent": 9_000_000, "received": 0}},
    },
    "projectedBytes": 22_500_000,
    "budgetBytes": 20_000_000,
    "stage": "tight",
    "stretch": 1.5,
    "since": 1_760_000_000_000,
    "days": [{"day": "2026-06-14", "bytes": 8000, "purposes": {}}],
}


def test_the_dearest_feature_comes_first_and_the_budget_last(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/traffic", Answer(200, TRAFFIC))

    said = iotctl("traffic")

    assert said.code == 0
    assert said.out.splitlines() == [
        "FEATURE  TODAY   THIS MONTH  SENT      RECEIVED",
        "logs     0 B     9.0 MB      9.0 MB    0 B",
        "poll     1.5 kB  450.0 kB    300.0 kB  150.0 kB",
        "all      1.5 kB  9.4 MB      9.3 MB    150.0 kB",
        "",
        "month gone  42%",
        "projected   22.5 MB by its end",
        "budget      20.0 MB, 47% used; intervals are longer, debug and info lines stay here",
    ]


def test_days_are_shown_when_asked_for(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/traffic", Answer(200, {**TRAFFIC, "budgetBytes": None}))

    said = iotctl("traffic", "--days", "7")

    assert agent.asked[-1].query == {"days": "7"}
    assert "2026-06-14  8.0 kB" in said.out
    assert "TRAFFIC_BUDGET_MB_MONTH" in said.out


@pytest.mark.parametrize(
    ("bytes_", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (10**12, "1000.0 GB")],
)
def test_sizes_are_in_thousands_as_on_a_bill(bytes_: int, shown: str) -> None:
    assert size(bytes_) == shown
