"""Alive, who, how it stands: over the real server, with real rooms."""

from __future__ import annotations

from tests.agent.api.builders import SHOP, Served, service, target


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
    assert found["apps"] == [
        {
            "appId": SHOP,
            "appName": "shop",
            "verdict": "settled",
            "reason": "",
            "servicesSettled": 1,
            "servicesTotal": 1,
        }
    ]
    assert found["warnings"] == []


async def test_a_device_without_a_target_says_so(api: Served) -> None:
    found = await api.unix.ok("/v1/status")
    assert found["target"] is None
    assert (await api.unix.get("/v1/state/target"))[0] == 404
