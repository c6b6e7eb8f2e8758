"""Alive, who, how it stands: over the real server, with real rooms."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iotistic.model.errors import EngineUnavailable
from tests.agent.api.builders import SHOP, Served, device, service, serving, target


async def test_ping_answers(api: Served) -> None:
    assert await api.unix.get("/ping") == (200, "OK")
    assert await api.tcp.get("/ping") == (200, "OK")


async def test_status_tells_all_of_one_screen(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))

    found = await api.unix.ok("/v1/status")

    assert found["device"]["uuid"] == api.box.uuid
    assert found["device"]["status"] == "unprovisioned"
    assert found["device"]["apps"] == 1
    assert found["agent"]["port"] == api.port
    assert found["agent"]["stateDir"] == str(api.box.folder)
    assert found["cloud"] is None
    assert found["engine"] == {
        "kind": "simulated",
        "available": True,
        "version": "1",
        "error": None,
    }
    assert found["target"]["version"] == 1
    assert found["settled"] is True
    release = found["apps"][0]["release"]
    assert release
    assert found["apps"] == [
        {
            "appId": SHOP,
            "appName": "shop",
            "verdict": "settled",
            "meaning": "everything is as the target wants it",
            "reason": "",
            "remedy": None,
            "release": release,
            "phase": "done",
            "servicesSettled": 1,
            "servicesTotal": 1,
        }
    ]
    assert found["warnings"] == []


async def test_a_device_without_a_target_says_so(api: Served) -> None:
    found = await api.unix.ok("/v1/status")
    assert found["target"] is None
    assert (await api.unix.get("/v1/state/target"))[0] == 404


async def test_a_service_of_the_agent_that_backs_off_makes_it_unhealthy(api: Served) -> None:
    register = api.box.supervision
    register.started("cloud-sync", 1_760_000_000_000)
    assert await api.tcp.get("/v1/healthy") == (200, "OK")

    register.failed("cloud-sync", EngineUnavailable("gone", remedy="wait"))

    assert await api.tcp.get("/v1/healthy") == (500, "Unhealthy")
    found = await api.tcp.ok("/v1/health")
    assert found["healthy"] is False
    assert found["services"] == [
        {
            "name": "cloud-sync",
            "state": "backing-off",
            "restarts": 1,
            "startedAt": 1_760_000_000_000,
            "error": {"code": "engine-unavailable", "message": "gone", "remedy": "wait"},
        }
    ]


async def test_a_clock_that_was_never_set_is_warned_of(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.box.rooms.clock, "wall_ms", lambda: 1000)
    (warning,) = (await api.unix.ok("/v1/status"))["warnings"]
    assert warning["code"] == "clock-implausible"
    checks = {c["id"]: c for c in (await api.unix.ok("/v1/diagnostics"))["checks"]}
    assert checks["clock"]["verdict"] == "failed"


async def test_the_answer_to_a_restart_comes_before_the_end(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.box.agent, "restart", api.task.cancel)
    status, body = await api.unix.post("/v1/agent/restart")
    assert (status, body["status"]) == (202, "restarting")
    await asyncio.wait({api.task})


async def test_the_api_answers_before_engine_and_cloud(tmp_path: Path) -> None:
    async with device(tmp_path, reconciling=False) as box:
        await box.engine.outside.go_down()
        async with asyncio.timeout(1), serving(box) as api:
            found = await api.unix.ok("/v1/status")
            assert (found["engine"]["available"], found["settled"]) == (False, False)
