"""The cloud is gone or talks nonsense: it costs freshness, and nothing that runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.support.programs import wait_for
from tests.system.conftest import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture
def running(site: Site) -> Site:
    site.join()
    site.deploy(site.service("web"))
    site.until_states(web="running")
    site.agent.until_settled()
    return site


def _asked_often(site: Site, times: int) -> None:
    seen = site.proxy.seen
    wait_for("some requests", lambda: site.proxy.seen >= seen + times or None, 90)


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param((200, "text/html", b"<html>Login to the hotel's network</html>"), id="html"),
        pytest.param((200, "application/json", b'{"apps": {"1001": '), id="half a JSON"),
        pytest.param((200, "application/json", b"[" + b"1," * 5_500_000 + b"1]"), id="11 MB"),
        pytest.param((200, "application/json", b"[" * 500_000), id="deep"),
        pytest.param((200, "application/json", b'{"apps": 7, "config": []}'), id="wrong types"),
        pytest.param((404, "application/json", b'{"error": "Not Found"}'), id="not found"),
        pytest.param((401, "application/json", b'{"error": "Unauthorized"}'), id="unauthorized"),
        pytest.param((503, "text/plain", b"busy"), id="busy"),
    ],
)
def test_nonsense_from_the_cloud_changes_nothing(
    running: Site, lie: tuple[int, str, bytes]
) -> None:
    before = running.outside.containers(running.uuid)
    running.proxy.lie = lie
    _asked_often(running, 1)

    running.restart()
    _asked_often(running, 1)

    def told() -> Any:
        status = running.agent.call("GET", "/v1/status")
        return status["cloud"]["error"] or status["target"]["refusal"]

    assert wait_for("why", told)["message"]

    assert running.outside.containers(running.uuid) == before


def test_a_bad_target_is_refused_whole_and_the_cloud_is_told_why(running: Site) -> None:
    bad = {
        running.uuid: {
            "apps": {"1001": {"appId": 1001, "appName": "x", "services": [{"serviceId": 1}]}},
            "config": {},
            "version": 99,
        }
    }
    running.proxy.lie = (200, "application/json", json.dumps(bad).encode())

    def refused() -> str | None:
        refusal = running.agent.call("GET", "/v1/status")["target"]["refusal"]
        return str(refusal["message"]) if refusal else None

    assert "apps.1001.services[0]" in wait_for("a refusal", refused, 30)
    running.proxy.lie = None
    state = f"/api/v1/devices/{running.uuid}/current-state"
    assert running.states() == {"web": "running"}
    assert wait_for("a report", lambda: running.cloud.call("GET", state)["apps"] or None, 30)


def test_offline_it_says_so_and_comes_back_by_itself(running: Site) -> None:
    # It keeps the address it has, so that it can come back.
    port = running.cloud.url.rpartition(":")[2].strip("/")
    running.cloud.arguments = tuple(
        port if before == "--port" else word
        for before, word in zip(
            ("", *running.cloud.arguments), running.cloud.arguments, strict=False
        )
    )
    running.cloud.stop()
    wait_for(
        "offline",
        lambda: running.agent.call("GET", "/v1/status")["cloud"]["state"] == "offline" or None,
        60,
    )
    running.restart()
    running.agent.until_settled()
    assert running.states() == {"web": "running"}

    running.cloud.start()
    running.cloud.ready()
    wait_for(
        "online",
        lambda: running.agent.call("GET", "/v1/status")["cloud"]["state"] == "online" or None,
        120,
    )
