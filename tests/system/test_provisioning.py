"""Joining a cloud while everything goes wrong: one device, one set of credentials that work."""

from __future__ import annotations

import time

import pytest

from scripts.support.programs import wait_for
from tests.system.conftest import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def _one_device_that_works(site: Site) -> None:
    assert site.made() == {site.uuid}
    site.deploy(site.service("web"))
    site.until_states(web="running")
    state = f"/api/v1/devices/{site.uuid}/current-state"
    wait_for("a report", lambda: site.cloud.call("GET", state)["apps"].get("1001"))


def test_killed_again_and_again_while_joining_it_is_one_device(site: Site) -> None:
    for moment in range(1, 13):
        site.agent.start()
        time.sleep(moment * 0.12)  # not luck: each kill falls into another moment of joining
        site.agent.kill()
    site.join()
    _one_device_that_works(site)


def test_a_cloud_that_fails_for_a_while_is_asked_again(site: Site) -> None:
    site.proxy.lie = (500, "text/html", b"<h1>Internal Server Error</h1>")
    site.agent.start()
    site.agent.ready()
    seen = site.proxy.seen
    wait_for("some tries", lambda: site.proxy.seen >= seen + 3 or None)
    status = site.agent.call("GET", "/v1/provision/status")
    assert status["error"]["code"]
    assert status["provisioned"] is False
    site.proxy.lie = None
    site.until_provisioned(timeout_s=120)
    _one_device_that_works(site)


def test_a_deleted_database_is_the_same_device_again(site: Site) -> None:
    site.join()
    before = site.uuid
    site.deploy(site.service("web"))
    site.until_states(web="running")
    running = site.outside.containers(site.uuid)
    site.agent.kill()
    for name in ("device.sqlite", "device.sqlite-wal", "device.sqlite-shm"):
        (site.agent.folder / name).unlink(missing_ok=True)
    site.agent.start()
    site.agent.ready()
    site.until_provisioned()
    assert site.uuid == before
    site.agent.until_settled()
    assert site.outside.containers(site.uuid) == running
    _one_device_that_works(site)


def test_a_corrupt_database_is_set_aside_and_nothing_is_asked_of_the_cloud(site: Site) -> None:
    site.join()
    site.deploy(site.service("web", environment={"TOKEN": "hunter2"}))
    site.until_states(web="running")
    running = site.outside.containers(site.uuid)
    site.agent.kill()
    site.proxy.lie = (503, "text/plain", b"closed")
    database = site.agent.folder / "device.sqlite"
    database.write_bytes(b"not a database" * 1000)
    for name in ("device.sqlite-wal", "device.sqlite-shm"):
        (site.agent.folder / name).unlink(missing_ok=True)

    site.agent.start()
    site.agent.ready()
    site.agent.until_settled()

    assert list(site.agent.folder.glob("device.sqlite.corrupt-*"))
    assert site.outside.containers(site.uuid) == running
    assert site.agent.call("GET", "/v1/provision/status")["phase"] == "provisioned"
    assert b"hunter2" not in database.read_bytes()


def test_leaving_keeps_the_services_and_the_uuid_and_joining_again_needs_a_person(
    site: Site,
) -> None:
    site.join()
    site.deploy(site.service("web"))
    site.until_states(web="running")
    running = site.outside.containers(site.uuid)

    assert site.agent.call("POST", "/v1/deprovision", {})["cloudTold"] is True
    site.restart()

    status = site.agent.call("GET", "/v1/provision/status")
    assert (status["phase"], status["uuid"]) == ("deprovisioned", site.uuid)
    assert site.outside.containers(site.uuid) == running


def test_a_factory_reset_leaves_nothing_and_makes_another_device(site: Site) -> None:
    site.join()
    old = site.uuid
    site.deploy(site.service("web", volumes=["data:/data"]))
    site.until_states(web="running")
    preview = site.agent.call("GET", "/v1/factory-reset")
    assert [c["serviceName"] for c in preview["containers"]] == ["web"]
    access = site.agent.folder / "api-token"
    assert str(access) in preview["files"]
    let_in = access.read_text()

    site.agent.call("POST", "/v1/factory-reset", {"confirm": old})

    def another() -> str | None:
        try:
            found = site.agent.call("GET", "/v1/device")["uuid"]
        except OSError:
            return None
        return found if found != old else None

    new = wait_for("a new identity", another, 60)
    assert site.outside.containers(old) == {}
    assert new != old
    wait_for("another token", lambda: (access.exists() and access.read_text() != let_in) or None)
