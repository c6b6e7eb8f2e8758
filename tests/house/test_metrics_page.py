"""The page of metrics and events names what there is, and nothing else."""

from __future__ import annotations

import re

from iotistic.agent.events import EventKind
from iotistic.agent.sync.metric_fields import FIELDS, detail_fields, rate_fields
from iotistic.agent.telemetry import Details
from iotistic.agent.telemetry.points import HOST_UNITS, SERVICE_UNITS
from tests.house.tree import ROOT

PAGE = (ROOT / "docs/reference/metrics.md").read_text()
ELSEWHERE = {"safe-mode"}
"""Told by a room of its own."""


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> set[str]:
    rows = re.findall(r"^\| ((?:`[a-z0-9_-]+`(?:, )?)+) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_the_host_s_figures() -> None:
    assert first_cells(section("Of the host")) == set(HOST_UNITS)


def test_the_services_figures() -> None:
    assert first_cells(section("Of a service")) == set(SERVICE_UNITS)


def test_the_fields_of_the_report() -> None:
    told = set(re.findall(r"`([a-z0-9_]+)`", section("In the report")))
    details = detail_fields(Details()).keys() | rate_fields(Details()).keys()

    assert {*FIELDS, *details, "outbox", "clock_synced"} <= told


def test_the_events() -> None:
    assert first_cells(section("Events")) == {*EventKind} | ELSEWHERE
