"""Somebody or something spoils the state folder under a real agent: it goes on, and says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.support.programs import wait_for
from tests.system.conftest import Site

pytestmark = pytest.mark.system


def codes(site: Site) -> set[str]:
    return {warning["code"] for warning in site.agent.call("GET", "/v1/status")["warnings"]}


def iotctl(site: Site, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "iotctl"), *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(site.agent.folder),
             "STATE_DIR": str(site.agent.folder), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def lock(site: Site, reason: str) -> None:
    site.agent.call("POST", "/v1/locks/1001", {"reason": reason, "for": "2h"})


def reason_of_lock(site: Site) -> str:
    (held,) = site.agent.call("GET", "/v1/locks/1001")["locks"]
    return str(held["reason"])


def test_deleted_and_damaged_under_the_agent_and_damaged_before_its_start(site: Site) -> None:
    database = site.agent.folder / "device.sqlite"
    site.join()
    site.deploy(site.service("web"))
    site.until_states(web="running")
    site.agent.until_settled()
    pid, before = site.agent.pid, site.outside.containers(site.uuid)
    lock(site, "acknowledged before")

    # Deleted: what is acknowledged after it is in the folder as well.
    for path in site.agent.folder.glob("device.sqlite*"):
        path.unlink()
    lock(site, "acknowledged after")
    assert "database-put-back" in codes(site)
    assert "deleted" in iotctl(site, "status")
    assert database.exists()

    # Damaged: found by the next one who needs a page, and mended.
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 60_000)
    wal = database.with_name("device.sqlite-wal")
    with wal.open("r+b") as file:
        file.truncate(0)
    lock(site, "acknowledged later")
    wait_for("the finding", lambda: "database-corrupt" in codes(site) or None)
    assert reason_of_lock(site) == "acknowledged later"
    assert site.agent.pid == pid
    assert site.outside.containers(site.uuid) == before

    # Damaged while the agent is away.
    site.agent.kill()
    with database.open("r+b") as file:
        file.write(b"\xa5" * 8192)
    site.agent.start()
    site.agent.ready()
    assert site.agent.call("GET", "/v1/device")["uuid"] == site.uuid
    site.agent.until_settled()
    assert site.outside.containers(site.uuid) == before
    assert "Traceback" not in site.agent.log.read_text() + iotctl(site, "status")
