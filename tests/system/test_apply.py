"""An update on a real Docker Engine while the agent is killed, again and again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from scripts.support.programs import wait_for
from tests.system.conftest import Site

pytestmark = [pytest.mark.system, pytest.mark.docker, pytest.mark.timeout(240)]


def test_killed_again_and_again_in_an_update_it_gets_there_and_touches_nothing_else(
    docker_site: Site,
) -> None:
    site = docker_site
    site.join()
    site.deploy(site.service("keeps", volumes=["data:/data"]), site.service("changes"))
    site.until_states(keeps="running", changes="running")
    site.agent.until_settled()
    kept = site.outside.containers(site.uuid)["keeps"]

    for moment in range(1, 11):
        site.deploy(
            site.service("keeps", volumes=["data:/data"]),
            site.service("changes", environment={"MESSAGE": f"{moment}"}),
            site.service("comes", networks=["more"]),
        )
        time.sleep(0.9 + moment * 0.12)  # each kill falls into another moment of the update
        site.agent.kill()
        site.agent.start()
        site.agent.ready()

    version = site.cloud.call("GET", f"/api/v1/devices/{site.uuid}/target-state")["version"]
    site.agent.until_settled(version, timeout_s=90)
    assert site.states() == {"keeps": "running", "changes": "running", "comes": "running"}
    assert site.outside.containers(site.uuid)["keeps"] == kept


def test_iotctl_sees_and_steers_what_runs(docker_site: Site) -> None:
    site = docker_site
    site.join()
    site.deploy(site.service("web", environment={"MESSAGE": "hello"}), site.service("db"))
    site.until_states(web="running", db="running")
    before = site.outside.containers(site.uuid)

    stopped = site.agent.call("POST", "/v1/services/web/stop", {"until": "forever"})
    assert stopped["status"] == "stopped"
    site.restart()
    site.agent.until_settled()
    assert site.states() == {"web": "exited", "db": "running"}

    site.agent.call("POST", "/v1/services/web/start", {})
    site.until_states(web="running", db="running")
    restarted = site.agent.call("POST", "/v1/services/db/restart", {})
    assert restarted["status"] == "restarted"
    after = site.outside.containers(site.uuid)
    assert after["db"].started_at != before["db"].started_at
    log = wait_for(
        "its output",
        lambda: "hello" in str(site.agent.call("GET", "/v1/services/web/logs")) or None,
    )
    assert log


def test_a_service_that_cannot_start_is_explained_and_holds_up_nobody(docker_site: Site) -> None:
    site = docker_site
    site.join()
    site.deploy(site.service("one", ports=["127.0.0.1:18473:8080"]), site.service("db"))
    site.until_states(one="running", db="running")
    site.deploy(
        site.service("one", ports=["127.0.0.1:18473:8080"]),
        site.service("two", ports=["127.0.0.1:18473:8080"]),
        site.service("db", environment={"MESSAGE": "new"}),
    )

    def explained() -> str | None:
        services = site.agent.call("GET", "/v1/services")["services"]
        return next((s["why"] for s in services if s["serviceName"] == "two" and s["error"]), None)

    why = wait_for("an explanation", explained, 60)
    assert "18473" in why
    state = f"/api/v1/devices/{site.uuid}/current-state"

    def reported() -> Any:
        services = site.cloud.call("GET", state)["apps"]["1001"]["services"]
        (two,) = [s for s in services if s["serviceName"] == "two"] or [{}]
        return two.get("error")

    assert wait_for("the error in the cloud", reported, 60)["message"]
    assert site.states()["db"] == "running"
