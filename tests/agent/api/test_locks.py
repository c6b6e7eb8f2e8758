"""Holding updates off, going on in spite of it, and trying a release again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from iotistic.planner.world import Lock, LockOwner, Rejection
from tests.agent.api.builders import SHOP, Served, device, service, serving, target

BODY = {"for": "2h", "reason": "milling", "holder": "anna"}


async def settled(api: Served) -> None:
    await api.box.given_target(target(service("web", "1")))


async def locked(api: Served, **changes: Any) -> Any:
    status, found = await api.unix.post(f"/v1/locks/{SHOP}", {**BODY, **changes})
    assert status == 200, found
    return found


async def events(api: Served) -> list[str]:
    return [entry.event.value for entry in await api.box.store.journal.of(SHOP)]


async def test_a_lock_is_shown_with_its_holder_and_the_time_that_is_left(api: Served) -> None:
    await settled(api)

    made = await locked(api)

    (found,) = (await api.unix.ok("/v1/locks"))["locks"]
    assert (found["owner"], found["holder"], found["reason"]) == ("person", "anna", "milling")
    assert 7_000_000 < found["remainingMs"] <= 7_200_000
    assert found["untilAt"] - found["at"] == pytest.approx(7_200_000, abs=2000)
    assert made["replaced"] is None
    assert (await api.unix.ok(f"/v1/locks/{SHOP}"))["locks"][0]["holder"] == "anna"


async def test_a_locked_app_is_not_updated_until_it_is_unlocked(api: Served) -> None:
    await settled(api)
    await locked(api)
    new = target(service("web", "1", image="web:2"), version=2)
    await api.box.given_target(new, settled=False)

    async def waits() -> bool:
        plan = await api.unix.ok("/v1/plan")
        return [wait["reason"] for wait in plan["waits"]] == ["locked"]

    await api.box.until_async(waits)
    (app,) = (await api.unix.ok("/v1/plan"))["apps"]
    assert app["verdict"] == "waiting"
    assert app["locks"][0]["holder"] == "anna"
    assert app["services"][0]["differences"][0]["field"] == "image"

    status, found = await api.unix.call("DELETE", f"/v1/locks/{SHOP}?holder=bert")

    assert (status, found["status"], found["was"]["holder"]) == (200, "unlocked", "anna")

    async def updated() -> bool:
        (web,) = (await api.unix.ok("/v1/services"))["services"]
        return (web["status"], web["settled"], web["imageName"]) == ("running", True, "web:2")

    await api.box.until_async(updated)
    told = await api.box.store.journal.of(SHOP)
    unlocked = next(e for e in told if e.event == "unlocked" and "by" in e.detail)
    assert unlocked.detail["by"] == "bert"
    assert "anna" in unlocked.reason


async def test_unlocking_what_is_not_locked_changes_nothing(api: Served) -> None:
    await settled(api)

    status, found = await api.unix.call("DELETE", f"/v1/locks/{SHOP}")

    assert (status, found["status"]) == (200, "not-locked")


async def test_an_app_that_is_being_updated_cannot_be_locked(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    async with device(folder, reconciling=False) as box, serving(box) as api:
        await box.given_target(target(service("web", "1")), settled=False)
        await box.store.locks.save(Lock(app_id=SHOP, owner=LockOwner.AGENT, holder="agent"))

        status, found = await api.unix.post(f"/v1/locks/{SHOP}", BODY)

        assert (status, found["code"]) == (409, "being-updated")
        assert found["details"]["remedy"]
        assert [lock.owner for lock in await box.store.locks.all()] == [LockOwner.AGENT]


async def test_an_update_that_begins_at_the_same_moment_wins(tmp_path: Path) -> None:
    """The agent takes its lock by a plan from before the person's was there."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    async with device(folder, reconciling=False) as box, serving(box) as api:
        await box.given_target(target(service("web", "1")), settled=False)
        asked = asyncio.create_task(api.unix.post(f"/v1/locks/{SHOP}", BODY))

        async def is_there() -> bool:
            return bool(await box.store.locks.all())

        await box.until_async(is_there)
        await box.store.locks.save(Lock(app_id=SHOP, owner=LockOwner.AGENT, holder="agent"))

        status, found = await asked
        assert (status, found["code"]) == (409, "being-updated")
        assert [lock.owner for lock in await box.store.locks.all()] == [LockOwner.AGENT]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "for"),
        ({"for": "2h", "until": 1_960_000_000_000}, "for"),
        ({"for": "soon"}, "for"),
        ({"for": "31d"}, "for"),
        ({"until": 5}, "until"),
        ({"until": 9_000_000_000_000}, "until"),
        ({"for": "2h", "holder": "x" * 101}, "holder"),
        ({"for": "2h", "reason": "x" * 501}, "reason"),
    ],
)
async def test_a_lock_has_to_end(api: Served, body: Any, path: str) -> None:
    await settled(api)

    status, found = await api.unix.post(f"/v1/locks/{SHOP}", body)

    assert (status, found["code"], found["details"]["path"]) == (400, "invalid-field", path)


async def test_an_unknown_app_cannot_be_locked(api: Served) -> None:
    status, found = await api.unix.post("/v1/locks/77", BODY)

    assert (status, found["code"]) == (404, "app-not-found")


@pytest.mark.parametrize("act", ["stop", "start", "restart", "purge"])
async def test_acts_on_an_app_that_somebody_else_locked_are_refused(api: Served, act: str) -> None:
    await settled(api)
    await locked(api)

    status, found = await api.unix.post(f"/v1/apps/{SHOP}/{act}", {"holder": "bert"})

    assert (status, found["code"]) == (409, "locked")
    assert "anna" in found["message"]
    assert "milling" in found["message"]
    assert "--force" in found["details"]["remedy"]
    assert found["details"]["remainingMs"] > 0


async def test_by_force_or_by_the_one_who_locked_it_an_act_is_done(api: Served) -> None:
    await settled(api)
    await locked(api)

    status, _ = await api.unix.post(f"/v1/apps/{SHOP}/stop", {"holder": "anna", "waitMs": 5000})
    assert status == 200
    status, _ = await api.unix.post(
        f"/v1/apps/{SHOP}/start", {"holder": "bert", "force": True, "waitMs": 5000}
    )
    assert status == 200

    told = [entry for entry in await api.box.store.journal.of(SHOP) if entry.detail.get("by")]
    assert [(e.event.value, e.detail["by"]) for e in reversed(told)] == [
        ("locked", "anna"),
        ("stopped-by-person", "anna"),
        ("started-by-person", "bert"),
    ]


async def test_older_clients_are_refused_as_well_and_may_force(api: Served) -> None:
    await settled(api)
    await locked(api)

    assert (await api.unix.post("/v1/restart", {"appId": SHOP}))[0] == 409
    assert (await api.unix.post("/v1/purge", {"appId": SHOP}))[0] == 409
    assert (await api.unix.post("/v1/restart", {"appId": SHOP, "force": True}))[0] == 200


async def test_a_release_that_was_taken_back_is_tried_again(api: Served) -> None:
    await settled(api)
    (app,) = api.box.reconciler.wanted.apps
    await api.box.store.releases.reject(
        Rejection(
            app_id=SHOP, release_hash=app.release_hash, release=app.release, reason="it broke"
        )
    )

    status, found = await api.unix.post(f"/v1/apps/{SHOP}/retry", {})

    assert (status, found["status"]) == (202, "retrying")
    assert (await api.box.store.releases.all()).rejected == ()
    assert "release-retry" in await events(api)
