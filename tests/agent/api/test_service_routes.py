"""Apps and services: what is shown, and what is asked of them, over the real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from iotistic.engines.simulated import Fault
from iotistic.model.words import ContainerState
from iotistic.planner.world import IntentKind
from tests.agent.api.builders import SECRET, SHOP, Served, service, target

OTHER = 1002


async def test_a_service_is_shown_without_what_is_secret(api: Served) -> None:
    await api.box.given_target(
        target(
            service(
                "web",
                "1",
                image="web:2",
                ports=["127.0.0.1:8080:80", "53/udp"],
                volumes=["data:/data:ro"],
                environment={"MODE": SECRET},
                restart="on-failure:3",
            )
        )
    )

    found = await api.unix.ok("/v1/services/web")

    assert found["config"] == {
        "image": "web:2",
        "ports": ["53/udp", "127.0.0.1:8080:80/tcp"],
        "volumes": ["data:/data:ro"],
        "networks": ["default"],
        "networkMode": None,
        "restart": "on-failure:3",
        "environment": ["MODE"],
        "labels": {},
    }
    assert found["status"] == "running"
    assert found["serviceStatus"] == "running"
    assert (found["settled"], found["next"], found["why"]) == (True, None, "as wanted")
    assert found["serviceId"] == "1"
    assert found["containerName"] == f"shop_web_1-{api.box.uuid[:8]}"
    for path in ("/v1/apps", f"/v1/apps/{SHOP}", "/v1/services", "/v1/plan", "/v1/state/target",
                 "/v1/state/current", "/v1/status", "/v1/config", "/metrics"):  # fmt: skip
        status, body = await api.unix.get(path)
        assert status == 200, path
        assert SECRET not in str(body), path
    assert SECRET not in str(api.box.book.records())


async def test_the_type_of_an_id_is_kept(api: Served) -> None:
    await api.box.given_target(target(service("web", 7), service("db", "8")))
    rows = (await api.unix.ok("/v1/services"))["services"]
    assert [row["serviceId"] for row in rows] == [7, "8"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        pytest.param("1", "web", id="by id"),
        pytest.param("db", "db", id="by name"),
        pytest.param("db-2", "db", id="by name and id"),
        pytest.param("shop_web_1-{uuid8}", "web", id="by container"),
    ],
)
async def test_a_service_is_found_by_what_people_call_it(api: Served, word: str, name: str) -> None:
    await api.box.given_target(target(service("web", "1"), service("db", "2")))
    word = word.replace("{uuid8}", api.box.uuid[:8])
    assert (await api.unix.ok(f"/v1/services/{word}"))["serviceName"] == name


async def test_a_word_that_fits_two_services_lists_both(api: Served) -> None:
    await api.box.given_target(
        target(service("web", "1"), more={OTHER: [service("web", "2", image="web:3")]})
    )

    status, body = await api.unix.post("/v1/services/web/stop")

    assert (status, body["code"]) == (409, "ambiguous-service")
    assert [(c["appId"], c["serviceId"]) for c in body["details"]["candidates"]] == [
        (SHOP, "1"),
        (OTHER, "2"),
    ]
    assert (await api.unix.ok(f"/v1/services/web?appId={OTHER}"))["serviceId"] == "2"


async def test_unknown_ones_are_told_as_such(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    assert (await api.unix.get("/v1/services/nobody"))[1]["code"] == "service-not-found"
    assert (await api.unix.get("/v1/apps/9"))[1]["code"] == "app-not-found"
    assert (await api.unix.get("/v1/services?appId=9"))[1]["code"] == "app-not-found"
    assert (await api.unix.post("/v1/apps/9/purge"))[1]["code"] == "app-not-found"
    assert (await api.unix.post("/v1/apps/nobody/stop"))[1]["code"] == "app-not-found"


async def test_an_app_is_named_by_its_id_or_its_name(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    name = (await api.unix.ok(f"/v1/apps/{SHOP}"))["appName"]

    assert (await api.unix.ok(f"/v1/apps/{name}"))["appId"] == SHOP
    assert (await api.unix.post(f"/v1/apps/{name}/stop"))[1]["appId"] == SHOP


async def container_of(api: Served, name: str) -> Any:
    return next(c for c in await api.box.engine.containers() if c.service_name == name)


async def test_a_stop_lasts_until_the_target_wants_another_version(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))

    status, body = await api.unix.post("/v1/services/web/stop")

    assert (status, body["status"]) == (200, "stopped")
    assert (await container_of(api, "web")).state is ContainerState.EXITED
    found = await api.unix.ok("/v1/services/web")
    assert found["override"]["kind"] == "stop"
    assert found["override"]["until"] == "release"
    assert found["why"] == "stopped by hand"
    assert found["serviceStatus"] == "stopped"

    await api.box.given_target(target(service("web", "1", image="web:2"), version=2))
    assert await _runs(api, "web")
    assert (await api.unix.ok("/v1/services/web"))["override"] is None


async def _runs(api: Served, name: str) -> bool:
    return any(
        c.service_name == name and c.state is ContainerState.RUNNING
        for c in await api.box.engine.containers()
    )


async def test_a_stop_for_ever_outlasts_a_release_and_ends_with_a_start(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    await api.unix.post("/v1/services/web/stop", {"until": "forever"})
    await api.box.given_target(target(service("web", "1", image="web:2"), version=2))
    (held,) = await api.box.store.intents()
    assert held.until_release is False
    assert not await _runs(api, "web")

    status, body = await api.unix.post("/v1/services/web/start")

    assert (status, body["status"]) == (200, "started")
    assert await _runs(api, "web")
    assert await api.box.store.intents() == ()


async def test_a_restart_is_done_once(api: Served) -> None:
    await api.box.given_target(target(service("web", "1"), service("db", "2")))
    before = await container_of(api, "web")
    started = await api.box.engine.started_at(before.id)
    bystander = await container_of(api, "db")
    bystander_started = await api.box.engine.started_at(bystander.id)

    status, body = await api.unix.post("/v1/services/web/restart")

    assert (status, body["status"]) == (200, "restarted")
    assert await api.box.engine.started_at(before.id) != started
    assert await api.box.engine.started_at(bystander.id) == bystander_started
    assert api.box.engine.calls["restart"] == 1
    assert await api.box.store.intents() == ()


async def test_a_restart_starts_what_was_stopped_by_hand(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    await api.unix.post("/v1/services/web/stop")
    status, body = await api.unix.post("/v1/services/web/restart")
    assert (status, body["status"]) == (200, "restarted")
    assert await _runs(api, "web")


async def test_an_app_is_stopped_and_started_with_all_its_services(api: Served) -> None:
    await api.box.given_target(target(service("web", "1"), service("db", "2")))
    status, body = await api.tcp.post(f"/v1/apps/{SHOP}/stop")
    assert status == 200
    assert [s["serviceName"] for s in body["services"]] == ["web", "db"]
    assert {s["status"] for s in body["services"]} == {"stopped"}
    assert body["containerId"] == body["services"][0]["containerId"]

    status, body = await api.tcp.post(f"/v1/apps/{SHOP}/start", {"serviceName": "db"})
    assert [s["serviceName"] for s in body["services"]] == ["db"]
    assert await _runs(api, "db")
    assert not await _runs(api, "web")


async def test_what_the_target_wants_stopped_is_not_started_by_hand(api: Served) -> None:
    await api.box.given_target(
        target(service("web", "1", state="stopped"), service("db", "2", state="paused"))
    )
    for name in ("web", "db"):
        for act in ("start", "restart"):
            status, body = await api.unix.post(f"/v1/services/{name}/{act}")
            assert (status, body["code"]) == (409, "target-says-stopped")


async def test_a_purge_takes_the_volumes_and_makes_all_anew(api: Served) -> None:
    await api.box.given_target(target(service("web", "1", volumes=["data:/data"])))
    before = await container_of(api, "web")

    status, body = await api.unix.post(f"/v1/apps/{SHOP}/purge")

    assert (status, body["status"]) == (200, "purged")
    assert api.box.engine.calls["remove_volume"] == 1
    after = await container_of(api, "web")
    assert after.id != before.id
    assert after.state is ContainerState.RUNNING
    assert (await api.unix.post(f"/v1/apps/{SHOP}/purge", {"serviceName": "web"}))[0] == 400


async def test_older_clients_get_their_ok(api: Served) -> None:
    await api.box.given_target(target(service("web", "1", volumes=["data:/data"])))
    assert await api.tcp.post("/v1/restart", {"appId": SHOP}) == (200, "OK")
    assert await api.tcp.post("/v1/purge", {"appId": str(SHOP), "force": True}) == (200, "OK")
    assert (await api.tcp.post("/v1/restart", {}))[0] == 400


async def test_a_deed_that_takes_long_is_promised(api: Served) -> None:
    """The wish is stored; what comes of it the client can ask later."""
    await api.box.given_target(target(service("web", "1")))
    api.box.engine.faults.order(Fault(call="stop", times=None))

    status, body = await api.unix.post("/v1/services/web/stop", {"waitMs": 0})

    assert (status, body["status"]) == (202, "stopping")
    (wish,) = await api.box.store.intents()
    assert wish.kind is IntentKind.STOP
    api.box.engine.faults.clear()
    await api.box.until_async(lambda: _is_exited(api))


async def _is_exited(api: Served) -> bool:
    return (await container_of(api, "web")).state is ContainerState.EXITED


async def test_a_restart_without_an_engine_stores_nothing(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    await api.box.engine.outside.go_down()
    status, body = await api.unix.post("/v1/services/web/restart")
    assert (status, body["code"]) == (503, "engine-unavailable")
    assert await api.box.store.intents() == ()


async def test_a_start_tries_again_at_once_what_had_failed(api: Served) -> None:
    api.box.engine.faults.order(Fault(call="start", code="start-failed", times=None))
    await api.box.given_target(target(service("web", "1")), settled=False)
    await api.box.until_async(lambda: _fails(api))
    found = await api.unix.ok("/v1/services/web")
    assert found["error"]["type"] == "StartFailure"
    assert found["error"]["code"] == "start-failed"
    assert found["error"]["retryCount"] >= 1
    assert found["serviceStatus"] == "error"

    api.box.engine.faults.clear()
    status, body = await api.unix.post("/v1/services/web/start", {"waitMs": 60000})

    assert (status, body["status"]) == (200, "started")
    assert (await api.unix.ok("/v1/services/web"))["error"] is None


async def _fails(api: Served) -> bool:
    found = await api.unix.ok("/v1/services/web")
    return found["error"] is not None and found["next"] == "wait"


async def test_an_image_that_cannot_be_had_is_named(api: Served) -> None:
    api.box.engine.faults.order(Fault(call="pull", code="registry-denied", times=None))
    await api.box.given_target(target(service("web", "1", image="gone:1")), settled=False)
    await api.box.until_async(lambda: _fails(api))
    error = (await api.unix.ok("/v1/services/web"))["error"]
    assert error["type"] in ("ErrImagePull", "ImagePullBackOff")
    assert error["code"] == "registry-denied"


async def test_a_container_that_the_target_lost_is_listed_and_not_acted_upon(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    await api.box.engine.outside.go_down()
    document = target(version=2)
    await api.box.reconciler.offer_target(document, None)
    found = await api.unix.ok("/v1/services/web")
    assert found["state"] is None
    assert found["config"]["image"] == "web:1"
    status, body = await api.unix.post("/v1/services/web/stop")
    assert (status, body["code"]) == (409, "conflict")


async def test_answers_come_while_the_engine_is_away(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    await api.box.engine.outside.go_down()
    async with asyncio.timeout(5):
        plan = await api.unix.ok("/v1/plan")
        await api.box.until(lambda: api.box.reconciler.snapshot().engine_error is not None)
        plan = await api.unix.ok("/v1/plan")
        status = await api.unix.ok("/v1/status")
    assert plan["settled"] is False
    assert plan["engineError"]["code"] == "engine-unavailable"
    assert status["engine"]["available"] is False
    assert status["settled"] is False


async def test_an_act_on_an_app_that_is_not_allowed_says_so_at_once(api: Served) -> None:
    await api.box.given_target(target(service("web", "1", volumes=["/etc:/etc"])), settled=False)

    for path in (
        "/v1/services/web/restart",
        f"/v1/apps/{SHOP}/stop",
        f"/v1/apps/{SHOP}/purge",
    ):
        status, body = await api.unix.post(path)
        assert (status, body["code"]) == (409, "app-rejected")
        assert "bind mount" in body["message"]
    assert await api.box.store.intents() == ()


async def test_what_a_service_wrote_before_it_ended_is_shown_with_it(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    (first,) = await api.box.engine.containers()
    await api.box.engine.outside.say(first.id, "cannot open /dev/pump")

    await api.box.engine.outside.kill(first.id)
    await api.box.until(lambda: api.box.engine.calls["start"] >= 2)

    assert "cannot open /dev/pump" in (await api.unix.ok("/v1/services/web"))["lastWords"]
