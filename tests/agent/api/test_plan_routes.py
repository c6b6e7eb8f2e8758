"""What would happen, and why an app is as it is: asked of a device that runs."""

from __future__ import annotations

from typing import Any

from iotistic.engines.simulated import Fault
from tests.agent.api.builders import SECRET, SHOP, Served, service, target


async def what_if(api: Served, document: Any) -> Any:
    status, found = await api.unix.post("/v1/plan", document)
    assert status == 200, found
    return found


def kinds(found: Any) -> list[str]:
    return [step["kind"] for steps in found["rounds"] for step in steps]


async def test_a_target_that_is_not_applied_is_told_step_by_step(api: Served) -> None:
    await api.box.given_target(target(service("web", "1"), service("db", "2", image="db:1")))
    before = await api.unix.ok("/v1/services")
    new = target(service("web", "1", image="web:2"), service("db", "2", image="db:1"), version=2)

    found = await what_if(api, new)

    assert found["targetVersion"] == 2
    assert found["isHeld"] is False
    assert found["settles"] is True
    done = [kind for kind in kinds(found) if kind not in ("verify", "take-locks", "release-locks")]
    assert done == ["pull", "stop", "remove", "create-container", "start", "commit"]
    (interrupted,) = found["interruptions"]
    assert (interrupted["serviceName"], interrupted["times"]) == ("web", 1)
    assert interrupted["lastsMs"] > 10_000  # its grace of 10 s, and the steps to the start
    assert interrupted["measured"] is False
    assert [image["image"] for image in found["pull"]["images"]] == ["web:2"]
    # Nothing of it has happened.
    assert await api.unix.ok("/v1/services") == before
    held = await api.box.store.target()
    assert held is not None
    assert held.version == 1


async def test_a_target_without_a_version_would_be_the_next_one(api: Served) -> None:
    await api.box.given_target(target(service("web", "1"), service("db", "2"), version=4))
    document = target(service("web", "1"))
    del document["version"]

    found = await what_if(api, document)

    assert found["targetVersion"] == 5
    (gone,) = found["interruptions"]
    assert (gone["serviceName"], gone["forGood"], gone["lastsMs"]) == ("db", True, None)
    assert [risk["code"] for risk in found["risks"]].count("services-removed") == 1


async def test_an_app_alone_can_be_asked_about_beside_the_others(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    lab = target(more={7: [service("lab", "1")]})
    del lab["apps"][str(SHOP)]

    found = await what_if(api, {**lab, "version": None, "keepOthers": True})

    assert found["interruptions"] == []
    assert [(app["appId"], app["goes"]) for app in found["apps"]] == [(7, False), (SHOP, False)]


async def test_an_older_version_is_told_to_be_refused(api: Served) -> None:
    await api.box.given_target(target(service("web", "1"), version=4))

    found = await what_if(api, target(service("web", "1"), version=3))

    assert found["refusal"]["code"] == "target-went-back"


async def test_a_field_that_cannot_be_is_an_error_with_its_path(api: Served) -> None:
    document = target(service("web", "1", ports=["not a port"]))

    status, found = await api.unix.post("/v1/plan", document)

    assert (status, found["code"]) == (400, "invalid-field")
    assert "ports" in found["details"]["path"]


async def test_what_is_not_allowed_here_is_named(api: Served) -> None:
    found = await what_if(api, target(service("web", "1", network_mode="host")))

    (rejection,) = found["rejections"]
    assert rejection["appId"] == SHOP
    assert rejection["code"] == "denied-by-policy"
    assert rejection["remedy"]
    assert kinds(found) == []


async def test_no_value_of_a_variable_is_told(api: Served) -> None:
    await api.box.given_target(target(service("web", "1", environment={"MODE": "quiet-one"})))

    status, text = await api.unix.post(
        "/v1/plan", target(service("web", "1", environment={"MODE": SECRET}), version=2)
    )

    assert status == 200
    assert "environment.MODE" in str(text)
    assert SECRET not in str(text)
    assert "quiet-one" not in str(text)


async def test_without_a_target_there_is_nothing_to_foresee(api: Served) -> None:
    status, found = await api.unix.post("/v1/plan", {})

    assert (status, found["code"]) == (404, "not-found")


async def test_an_engine_that_is_away_is_told_as_that(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))
    api.box.engine.faults.order(Fault(call="containers", times=None))

    status, found = await api.unix.post("/v1/plan", target(service("web", "1"), version=2))

    assert (status, found["code"]) == (503, "engine-unavailable")


async def test_an_app_is_explained_by_its_name(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))

    found = await api.unix.ok("/v1/explain/shop")

    assert found["appId"] == SHOP
    assert found["verdict"] == "settled"
    assert found["meaning"] == "everything is as the target wants it"
    assert found["releases"]["good"]["id"] == found["release"]
    (web,) = found["services"]
    assert (web["serviceName"], web["differences"], web["crashLoop"]) == ("web", [], None)
    steps = [entry["step"] for entry in found["journal"] if entry["event"] == "step-done"]
    assert {"pull", "create-container", "start"} <= set(steps)
    assert [e["event"] for e in found["journal"]].count("release-good") == 1


async def test_a_service_that_cannot_start_is_explained_with_its_failures(api: Served) -> None:
    api.box.engine.faults.order(Fault(call="start", code="port-allocated", times=None))
    document = target(service("web", "1", ports=["8080:80"]), service("db", "2", image="db:1"))
    await api.box.given_target(document, settled=False)
    await api.box.until(lambda: bool(api.box.reconciler.snapshot().attempts))

    found = await api.unix.ok(f"/v1/explain/{SHOP}/web")

    (web,) = found["services"]
    assert web["serviceName"] == "web"
    (failure,) = web["failures"]
    assert (failure["step"], failure["code"]) == ("start", "port-allocated")
    assert failure["count"] >= 1
    assert failure["failedAt"] > 0
    assert web["portOwner"]["ports"] == ["8080:80/tcp"]
    assert {entry["serviceName"] for entry in found["journal"]} <= {"web", None}
    assert any(entry["event"] == "step-failed" and entry["why"] for entry in found["journal"])


async def test_a_word_that_no_app_is_called_by_lists_those_there_are(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))

    status, found = await api.unix.get("/v1/explain/shopp")

    assert (status, found["code"]) == (404, "app-not-found")
    assert f"{SHOP} shop" in found["details"]["remedy"]


async def test_a_name_that_two_apps_have_is_ambiguous(api: Served) -> None:
    document = target(service("web", "1"), more={7: [service("web", "1")]})
    document["apps"]["7"]["appName"] = "shop"
    await api.box.given_target(document)

    status, found = await api.unix.get("/v1/explain/shop")

    assert (status, found["code"]) == (409, "ambiguous-app")
    assert "7" in found["details"]["remedy"]


async def test_the_release_that_was_well_is_a_way_back(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))

    found = await what_if(api, target(service("web", "1", image="web:2"), version=2))

    assert "no-way-back" not in {risk["code"] for risk in found["risks"]}
