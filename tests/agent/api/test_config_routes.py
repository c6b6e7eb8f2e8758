"""Settings as the Device API shows them, with what the cloud says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent.api.builders import SECRET, Served, device, service, serving, target

POLL = "POLL_INTERVAL_MS"


async def told(api: Served, config: dict[str, Any], version: int = 1) -> None:
    """The cloud sends a target with this config."""
    await api.box.given_target({**target(service("web", 1), version=version), "config": config})


async def outcomes(api: Served) -> dict[str, tuple[str, str | None]]:
    """What came of each key."""
    found = (await api.unix.ok("/v1/config"))["cloud"]
    return {one["key"]: (one["outcome"], one["reason"]) for one in found}


async def shown(api: Served, name: str) -> tuple[str, str]:
    """Value and source of a setting."""
    row = await api.unix.ok(f"/v1/config/{name}")
    return row["value"], row["source"]


async def test_a_device_that_was_told_nothing_says_nothing_of_the_cloud(api: Served) -> None:
    assert (await api.unix.ok("/v1/config"))["cloud"] == []


async def test_a_value_from_the_cloud_is_shown_as_such_and_gives_way_to_a_local_one(
    api: Served,
) -> None:
    key = "settings.targetStatePollIntervalMs"
    await told(api, {"settings": {"targetStatePollIntervalMs": 5000}})
    assert await shown(api, POLL) == ("5000", "cloud")
    assert await outcomes(api) == {key: ("applied", None)}

    await api.unix.call("PATCH", "/v1/config", {"settings": {POLL: "7000"}})
    assert await shown(api, POLL) == ("7000", "local")
    assert await outcomes(api) == {key: ("rejected", "set-locally")}

    await api.unix.call("PATCH", "/v1/config", {"settings": {POLL: None}})
    assert await shown(api, POLL) == ("5000", "cloud")

    await told(api, {}, version=2)
    assert await shown(api, POLL) == ("60000", "default")
    assert await outcomes(api) == {}


async def test_a_bad_key_says_why_and_hinders_neither_the_others_nor_the_apps(
    api: Served,
) -> None:
    config = {
        "settings": {
            "metricsIntervalMs": "often",
            "deviceReportIntervalMs": 20000,
            "POLICY_ALLOW": "bind-mounts",
            "PROVISIONING_API_KEY": SECRET,
            "DEVICE_NAME": "gate",
        },
        "logging": {"level": "warn"},  # pinned on this device
        "sensors": [{"name": "boiler", "connection": {"password": SECRET}}],
        "featurs": {"enableDeviceJobs": True},
    }

    await told(api, config)

    assert await outcomes(api) == {
        "featurs": ("unknown", None),
        "logging.level": ("rejected", "pinned"),
        "sensors": ("unsupported", None),
        "settings.DEVICE_NAME": ("needs-restart", None),
        "settings.POLICY_ALLOW": ("rejected", "local-only"),
        "settings.PROVISIONING_API_KEY": ("rejected", "local-only"),
        "settings.deviceReportIntervalMs": ("applied", None),
        "settings.metricsIntervalMs": ("rejected", "invalid-field"),
    }
    found = await api.unix.ok("/v1/config")
    why = {one["key"]: one["message"] for one in found["cloud"]}
    assert why["settings.metricsIntervalMs"].startswith("expected a whole number")
    assert await shown(api, "REPORT_INTERVAL_MS") == ("20000", "cloud")
    assert SECRET not in str(
        (found, await api.unix.ok("/v1/state/current"), api.box.book.records())
    )


async def test_the_status_warns_of_what_is_not_in_force(api: Served) -> None:
    await told(api, {"settings": {"metricsIntervalMs": 5000, "targetStatePollIntervalMs": 1}})

    found = (await api.unix.ok("/v1/status"))["warnings"]

    (warning,) = [one for one in found if one["code"] == "config-not-in-force"]
    assert "settings.targetStatePollIntervalMs" in warning["message"]
    assert "metricsIntervalMs" not in warning["message"]

    await told(api, {}, version=2)
    assert "config-not-in-force" not in str(await api.unix.ok("/v1/status"))


async def test_the_report_tells_what_is_in_force_and_what_came_of_the_rest(api: Served) -> None:
    await told(api, {"settings": {"metricsIntervalMs": 5000, "targetStatePollIntervalMs": 1}})

    found = await api.unix.ok("/v1/state/current")

    assert found["config"] == {"settings": {"metricsIntervalMs": 5000}}
    assert found["config_outcomes"] == {
        "settings.metricsIntervalMs": {"outcome": "applied"},
        "settings.targetStatePollIntervalMs": {"outcome": "rejected", "reason": "invalid-field"},
    }
    (warning,) = found["warnings"]
    assert warning["path"] == "config.settings.targetStatePollIntervalMs"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "seldom"
    folder.mkdir(mode=0o700)
    return folder


async def test_another_reconciliation_interval_counts_at_once(state: Path) -> None:
    seldom = {"RECONCILIATION_INTERVAL_MS": "86400000"}
    async with device(state, environment=seldom) as box, serving(box) as api:
        await told(api, {"settings": {"reconciliationIntervalMs": 1000}})
        before = box.reconciler.snapshot().rounds

        await box.until(lambda: box.reconciler.snapshot().rounds > before + 40)

        assert box.agent.settings_changes == 1
