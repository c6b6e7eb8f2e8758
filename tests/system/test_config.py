"""What an operator writes into `config`, on a device that runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.support.programs import wait_for
from tests.system.conftest import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CONFIG: dict[str, dict[str, Any]] = {
    "logging": {"level": "error"},
    "features": {"enableDeviceRemoteAccess": True},
    "settings": {"metricsIntervalMs": 7000, "deviceReportIntervalMs": 5},
}


def deploy(site: Site, config: dict[str, Any]) -> int:
    """One service, and this config; its version, once the device has it."""
    app = {"appId": 1001, "appName": "shop", "services": [site.service("web")]}
    path = f"/api/v1/devices/{site.uuid}/target-state"
    saved = site.cloud.call("PUT", path, {"apps": {"1001": app}, "config": config})
    site.agent.until_settled(saved["version"])
    return int(saved["version"])


def shown(site: Site, name: str) -> tuple[str, str]:
    """Value and source of a setting."""
    row = site.agent.call("GET", f"/v1/config/{name}")
    return row["value"], row["source"]


def logged(site: Site) -> list[int]:
    """The versions of the targets that the agent wrote into its log that it took."""
    records = [json.loads(line) for line in site.agent.log.read_text().splitlines()]
    return [r["context"]["version"] for r in records if r["message"] == "target accepted"]


def reported(site: Site) -> Any:
    """The last report, once it tells of the config."""

    def look() -> Any:
        found = site.cloud.call("GET", f"/api/v1/devices/{site.uuid}/current-state")
        return found if "config_outcomes" in found["system_info"] else None

    return wait_for("the report", look)


def test_a_config_from_the_cloud_counts_at_once_outlives_the_network_and_goes_again(
    site: Site,
) -> None:
    site.join()
    pid = site.agent.pid
    first = deploy(site, CONFIG)
    assert shown(site, "LOG_LEVEL") == ("error", "cloud")
    assert shown(site, "METRICS_INTERVAL_MS") == ("7000", "cloud")
    assert shown(site, "REPORT_INTERVAL_MS") == ("1000", "environment")

    report = reported(site)
    assert report["config"] == {
        "logging": {"level": "error"},
        "settings": {"metricsIntervalMs": 7000},
    }
    assert report["system_info"]["config_outcomes"] == {
        "logging.level": {"outcome": "applied"},
        "features.enableDeviceRemoteAccess": {"outcome": "unsupported"},
        "settings.metricsIntervalMs": {"outcome": "applied"},
        "settings.deviceReportIntervalMs": {"outcome": "rejected", "reason": "invalid-field"},
    }

    quiet = deploy(site, {**CONFIG, "features": {"enableDeviceJobs": False, **CONFIG["features"]}})
    assert site.agent.pid == pid
    assert quiet not in logged(site)

    site.proxy.lie = (503, "text/plain", b"gone")
    site.restart()
    assert shown(site, "LOG_LEVEL") == ("error", "cloud")
    site.proxy.lie = None

    unsaid = deploy(site, {})
    assert shown(site, "LOG_LEVEL") == ("info", "default")
    assert shown(site, "METRICS_INTERVAL_MS") == ("300000", "default")
    loud = deploy(site, {"odd": 1})
    assert logged(site) == [first, loud]
    assert unsaid not in logged(site)
    assert site.states() == {"web": "running"}
