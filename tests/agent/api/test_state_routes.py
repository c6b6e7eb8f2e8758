"""Plan, target, current state, figures, settings, provisioning, diagnostics."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from iotistic.agent.api.metrics import metrics_text
from iotistic.agent.telemetry import Readings
from iotistic.engines.simulated import Fault
from iotistic.model.errors import InvalidField
from tests.agent.api.builders import SECRET, SHOP, Served, service, target
from tests.agent.sync.builders import METRICS


async def test_the_plan_says_what_waits_and_why(api: Served) -> None:
    api.box.engine.faults.order(Fault(call="pull", code="image-not-found", times=None))
    await api.box.given_target(target(service("web", 1, image="gone:1")), settled=False)
    await api.box.until(lambda: bool(api.box.reconciler.snapshot().attempts))

    plan = await api.unix.ok("/v1/plan")

    assert plan["settled"] is False
    assert plan["targetVersion"] == 1
    assert plan["round"] > 0
    assert plan["decidedAt"] > 0
    (app,) = plan["apps"]
    (web,) = app["services"]
    assert (web["serviceId"], web["serviceName"], web["settled"]) == (1, "web", False)
    assert "gone:1" in web["why"]
    (found,) = plan["waits"] or plan["steps"]
    assert (found["appId"], found["serviceId"], found["serviceName"]) == (SHOP, 1, "web")
    assert found["subject"] == f"{SHOP}/service/1"


async def test_many_who_ask_for_the_plan_do_not_each_cost_a_look(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    before = api.box.engine.calls["containers"]
    await asyncio.gather(*(api.unix.ok("/v1/plan") for _ in range(30)))
    assert api.box.engine.calls["containers"] - before < 10


async def test_a_changed_variable_is_named_and_not_told(api: Served) -> None:
    await api.box.given_target(target(service("web", "1", environment={"MODE": "quiet-one"})))
    api.box.engine.faults.order(Fault(call="stop", times=None))
    changed = target(service("web", "1", environment={"MODE": SECRET}), version=2)
    await api.box.given_target(changed, settled=False)
    plans: list[str] = []

    async def the_plan_names_it() -> bool:
        plans.append(str(await api.unix.ok("/v1/plan")))
        return "'field': 'environment.MODE'" in plans[-1]

    await api.box.until_async(the_plan_names_it)
    assert not [plan for plan in plans if SECRET in plan or "quiet-one" in plan]


async def test_a_refused_target_shows_and_what_is_held_stays(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    bad = target(service("web", "1"), version=2)
    bad["apps"][str(SHOP)]["services"][0]["imageName"] = "NOT AN IMAGE"
    with pytest.raises(InvalidField):
        await api.box.reconciler.offer_target(bad, None)

    found = (await api.unix.ok("/v1/status"))["target"]

    assert (found["version"], found["offeredVersion"]) == (1, 2)
    assert found["refusal"]["code"] == "invalid-field"
    assert (await api.unix.ok("/v1/plan"))["settled"] is False


async def test_the_target_is_shown_with_its_environment_masked(api: Served) -> None:
    document = target(service("web", "1", environment={"MODE": SECRET, "EMPTY": ""}))
    document["config"] = {"logLevel": "debug", "nested": {"apiToken": SECRET}}
    await api.box.given_target(document)

    found = await api.unix.ok("/v1/state/target")

    (shown,) = found["apps"][str(SHOP)]["services"]
    assert shown["config"]["environment"] == {"MODE": "***", "EMPTY": "***"}
    assert found["config"] == {"logLevel": "debug", "nested": {"apiToken": "***"}}
    assert found["version"] == 1


async def test_metrics_are_prometheus_text(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    status, text = await api.tcp.get("/metrics")
    assert status == 200
    lines = text.splitlines()
    assert 'iotistic_agent_info{version="0.1.0"} 1' in lines
    assert 'iotistic_services{state="running"} 1' in lines
    assert "iotistic_engine_up 1" in lines
    assert "iotistic_cloud_up 0" in lines
    assert "# TYPE iotistic_reconcile_rounds_total counter" in lines


async def test_metrics_tell_what_host_and_services_use(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    rooms = api.box.rooms
    assert isinstance(rooms.readings, Readings)
    await rooms.readings.read_containers()

    lines = metrics_text(rooms, METRICS).splitlines()

    assert "# TYPE iotistic_host_cpu_usage_percent gauge" in lines
    assert f"iotistic_host_cpu_usage_percent {METRICS.cpu_percent}" in lines
    assert 'iotistic_service_pids{app="1001",service="web"} 1' in lines
    assert "iotistic_clock_synced 1" in lines
    assert len({line for line in lines if line.startswith("# TYPE")}) == sum(
        line.startswith("# TYPE") for line in lines
    ), "each family once"
    assert (await api.tcp.get("/metrics"))[0] == 200, "also where the host cannot be read"


async def test_a_setting_is_changed_and_taken_back(api: Served) -> None:
    status, body = await api.unix.call(
        "PATCH", "/v1/config", {"settings": {"POLL_INTERVAL_MS": "5000"}}
    )
    assert status == 200
    (row,) = body["settings"]
    assert (row["value"], row["source"], row["restart"]) == ("5000", "local", False)
    assert await api.box.store.settings() == {"POLL_INTERVAL_MS": "5000"}
    assert api.box.agent.settings_changes == 1

    await api.unix.call("PATCH", "/v1/config", {"settings": {"POLL_INTERVAL_MS": None}})
    assert (await api.unix.ok("/v1/config/POLL_INTERVAL_MS"))["source"] == "default"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"LOG_LEVEL": "info"}, 409, "pinned"),
        ({"DEVICE_API_PORT": "1"}, 409, "local-only"),
        ({"NO_SUCH": "1"}, 404, "setting-not-found"),
        ({"REPORT_INTERVAL_MS": "soon"}, 400, "invalid-field"),
        ({"REPORT_INTERVAL_MS": 5000}, 400, "invalid-field"),
        ({}, 400, "invalid-field"),
    ],
)
async def test_a_change_that_cannot_be_is_none_at_all(
    api: Served, changes: dict[str, Any], status: int, code: str
) -> None:
    both = {"POLL_INTERVAL_MS": "5000", **changes} if changes else {}
    found, body = await api.unix.call("PATCH", "/v1/config", {"settings": both})
    assert (found, body["code"]) == (status, code)
    assert await api.box.store.settings() == {}


async def test_the_settings_are_listed_without_secrets(api: Served) -> None:
    found = await api.unix.ok("/v1/config")
    names = [row["name"] for row in found["settings"]]
    assert names == sorted(names)
    key = next(row for row in found["settings"] if row["name"] == "PROVISIONING_API_KEY")
    assert (key["value"], key["secret"], key["localOnly"]) == ("***", True, True)
    assert found["apiEndpoint"] is None


async def test_a_wish_to_join_is_stored_and_answered_at_once(api: Served) -> None:
    key = "5e" * 32
    status, body = await api.unix.post(
        "/v1/provision",
        {"provisioningApiKey": key, "apiEndpoint": "http://127.0.0.1:9", "deviceName": "Pump 3"},
    )
    assert (status, body["hasKey"], body["provisioned"]) == (202, True, False)
    assert body["apiEndpoint"] == "http://127.0.0.1:9"
    assert key not in str(body)
    found = await api.unix.ok("/v1/provision/status")
    assert found["deviceName"] == "Pump 3"
    assert api.box.store.identity.provisioning_api_key is not None


@pytest.mark.parametrize(
    "more",
    [
        {"caPin": "sha256:abc"},
        {"apiEndpoint": "ftp://cloud"},
        {"apiEndpoint": "http://cloud.example"},
        {"caCert": "no certificate"},
        {"deviceName": 7},
    ],
)
async def test_a_wish_that_cannot_be_is_refused(api: Served, more: dict[str, Any]) -> None:
    wish = {"provisioningApiKey": "5e" * 32, "apiEndpoint": "https://cloud.example", **more}
    status, body = await api.unix.post("/v1/provision", wish)
    assert (status, body["code"]) == (400, "invalid-field")
    assert body["details"]["path"]


async def test_without_a_cloud_there_is_nothing_to_leave_or_ask(api: Served) -> None:
    for method, path, body in (
        ("POST", "/v1/deprovision", None),
        ("POST", "/v1/sync", None),
        ("PUT", "/v1/config/api-endpoint", {"apiEndpoint": "https://cloud.example"}),
    ):
        status, found = await api.unix.call(method, path, body)
        assert (status, found["code"]) == (409, "not-provisioned"), path


async def test_a_factory_reset_is_listed_and_needs_the_uuid(api: Served) -> None:
    await api.box.given_target(target(service("web", "1", volumes=["data:/data"])))
    found = await api.unix.ok("/v1/factory-reset")
    assert [c["serviceName"] for c in found["containers"]] == ["web"]
    assert len(found["volumes"]) == 1
    assert found["identity"] is True
    kept = await api.unix.ok("/v1/factory-reset?keepVolumes=true&keepIdentity=true")
    assert (kept["volumes"], kept["identity"]) == ([], False)

    status, body = await api.unix.post("/v1/factory-reset", {"confirm": "not-me"})
    assert (status, body["code"]) == (409, "confirm-mismatch")
    status, body = await api.unix.post("/v1/factory-reset", {"confirm": api.box.uuid})
    assert (status, body["status"]) == (202, "resetting")
    assert api.box.store.reset_pending is not None


async def test_an_identity_at_home_is_not_renewed(api: Served) -> None:
    found = await api.unix.ok("/v1/identity")
    assert (found["uuid"], found["machineMatches"]) == (api.box.uuid, True)
    status, body = await api.unix.post("/v1/identity/renew", {"confirm": api.box.uuid})
    assert (status, body["code"]) == (409, "identity-not-cloned")
    assert api.box.agent.restarts == 0


async def test_a_restart_of_the_agent_is_promised(api: Served) -> None:
    status, body = await api.unix.post("/v1/agent/restart")
    assert (status, body["pid"]) == (202, api.box.agent.pid)
    assert api.box.agent.restarts == 1


async def test_diagnostics_find_nothing_wrong_with_a_device_that_is_well(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    found = await api.unix.ok("/v1/diagnostics")
    failed = [c for c in found["checks"] if c["verdict"] == "failed"]
    assert failed == []
    assert found["healthy"] is True
    assert {"identity", "engine", "database", "disk", "clock", "permissions"} <= {
        c["id"] for c in found["checks"]
    }


async def test_diagnostics_name_what_is_wrong_and_what_to_do(api: Served) -> None:
    await api.box.engine.outside.go_down()
    (api.box.folder / "identity.json").chmod(0o644)
    api.box.folder.chmod(0o777)
    found = await api.unix.ok("/v1/diagnostics")
    by_name = {c["id"]: c for c in found["checks"]}
    assert found["healthy"] is False
    assert by_name["engine"]["verdict"] == "failed"
    assert by_name["permissions"]["verdict"] == "failed"
    assert by_name["permissions"]["remedy"].startswith("chmod ")


async def test_what_the_link_costs_is_told_by_purpose(api: Served) -> None:
    found = await api.unix.ok("/v1/traffic?days=2")

    assert found["today"] == {"bytes": 450, "purposes": {"poll": {"sent": 300, "received": 150}}}
    assert found["month"]["bytes"] == 450
    assert (found["stage"], found["budgetBytes"]) == ("free", None)
    assert len(found["days"]) == 1
