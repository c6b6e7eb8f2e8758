"""What services say, from a container on a real Docker Engine to the cloud."""

from __future__ import annotations

import time
from typing import Any

import pytest

from scripts.support.programs import wait_for
from tests.system.conftest import Site

pytestmark = [pytest.mark.system, pytest.mark.docker]

LINES = 200
CANARY = "canary-in-a-line-0123"
COUNTING = f"""
trap 'exit 0' TERM
n=0; while [ $n -lt {LINES} ]; do echo "number $n"; n=$((n+1)); sleep 0.01; done
echo "token is $API_TOKEN"; echo "[error] the end"
while :; do sleep 3600 & wait $!; done
"""


def lines_in_the_cloud(site: Site, service: str) -> list[dict[str, Any]]:
    path = f"/api/v1/devices/{site.uuid}/logs?service={service}&limit=1000"
    found: list[dict[str, Any]] = site.cloud.call("GET", path)["logs"]
    return found


def test_an_agent_killed_in_the_middle_of_a_stream_loses_no_line_and_sends_none_twice(
    docker_site: Site,
) -> None:
    site = docker_site
    site.agent.environment = {**site.agent.environment, "CLOUD_LOG_UPLOAD_INTERVAL": "1000"}
    site.join()
    counter = site.service(
        "counter",
        command=["sh", "-c", COUNTING],
        environment={"API_TOKEN": CANARY},
    )
    site.deploy(counter)
    site.until_states(counter="running")
    for _ in range(2):
        time.sleep(0.7)  # long enough for a part of the stream, wherever that is cut
        site.restart()

    def all_of_it() -> list[dict[str, Any]] | None:
        found = lines_in_the_cloud(site, "counter")
        return found if found and "the end" in found[-1]["message"] else None

    lines = wait_for("the last line in the cloud", all_of_it, timeout_s=30, every_s=0.2)

    messages = [line["message"] for line in lines]
    assert [m for m in messages if m.startswith("number ")] == [f"number {n}" for n in range(LINES)]
    assert messages[-2] == "token is ***"
    assert lines[-1]["level"] == "error"
    kept = b"".join(path.read_bytes() for path in site.agent.folder.glob("outbox*"))
    assert CANARY.encode() not in kept
