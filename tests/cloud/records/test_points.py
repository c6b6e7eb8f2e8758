"""Figures: of the host or of a container, as the agent writes them down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iotistic.agent.telemetry.metrics import ContainerUsage
from iotistic.agent.telemetry.points import host_record, service_record
from iotistic.cloud.records.lines import read_records
from tests.cloud.records.sending import ndjson, record


def kept(data: Any) -> Any:
    (item,) = read_records(ndjson([record(1, of="metric", data=data)]))
    return item.refusal or json.loads(item.body)


def test_a_point_of_the_host_is_kept_as_it_is() -> None:
    point = host_record({"cpu_usage_percent": 12.5, "uptime": 9})

    assert kept(point) == point


def test_a_point_of_a_container_keeps_whose_it_is() -> None:
    point = service_record(
        ContainerUsage(app_id=1001, service_id="1", service_name="web", cpu_percent=1.5, pids=3)
    )

    assert kept(point) == point
    assert point["metrics"] == {"cpu_usage_percent": 1.5, "pids": 3}


def test_bare_figures_are_the_host_s() -> None:
    assert kept({"load_1": 0.5}) == {"scope": "host", "metrics": {"load_1": 0.5}}


@pytest.mark.parametrize(
    ("data", "path"),
    [
        pytest.param({"metrics": {"a": 1}}, "data.scope", id="of nothing"),
        pytest.param({"scope": "host", "metrics": {"a": "1"}}, "data.metrics.a", id="a text"),
        pytest.param({"scope": "host", "metrics": 3}, "data.metrics", id="no figures"),
        pytest.param({"scope": "x" * 300, "metrics": {}}, "data.scope", id="a long label"),
        pytest.param(
            {"scope": "service", "appId": "1", "metrics": {}}, "data.appId", id="an odd label"
        ),
    ],
)
def test_what_is_no_point_is_refused_by_name(data: Any, path: str) -> None:
    assert path in str(kept(data))
