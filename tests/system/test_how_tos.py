"""The how-tos for when something is wrong, done as they are written, on a device that has it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.support.programs import wait_for
from tests.system.conftest import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

ROOT = Path(__file__).parent.parent.parent
OK, UNREACHABLE, DIFFERS = 0, 3, 7


class Technician:
    """Somebody at the device who follows a page, line by line."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        folder.mkdir()

    def follow(self, page: str, *, leave_out: tuple[str, ...] = ()) -> dict[str, int]:
        """Do each command of the page; the exit code by command, as the page has it."""
        text = (ROOT / "docs" / "how-to" / page).read_text()
        lines = [
            line
            for block in re.findall(r"```\n(.*?)```", text, flags=re.DOTALL)
            for line in block.splitlines()
            if line.startswith(("iotctl ", "sqlite3 ")) and line not in leave_out
        ]
        assert lines
        return {line: self._run(line).returncode for line in lines}

    def iotctl(self, *arguments: str) -> Any:
        """What a command tells a program."""
        done = self._run(" ".join(["iotctl --json", *arguments]))
        return json.loads(done.stdout or done.stderr)

    def _run(self, line: str) -> subprocess.CompletedProcess[str]:
        site = self.site
        for written, meant in (
            ("iotctl ", f"{Path(sys.executable).parent}/iotctl --yes "),
            ("/var/lib/iotistic", str(site.agent.folder)),
            ("https://cloud.example.com", site.proxy.url),
            ("https://new.example.com", site.cloud.url),
        ):
            line = line.replace(written, meant)
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "STATE_DIR": str(site.agent.folder),
                "IOTISTIC_CLOUD_URL": site.cloud.url,
                "IOTISTIC_CLOUD_TOKEN": site.cloud.token,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def technician(site: Site, tmp_path: Path) -> Technician:
    return Technician(site, tmp_path / "desk")


@pytest.fixture
def running(site: Site) -> Site:
    site.join()
    site.deploy(site.service("web"))
    site.until_states(web="running")
    site.agent.until_settled()
    return site


def test_provisioning_that_failed_tells_why_and_works_with_a_new_key(
    site: Site, technician: Technician
) -> None:
    site.agent.environment = {**site.agent.environment, "PROVISIONING_API_KEY": "0" * 64}
    site.agent.start()
    site.agent.ready()
    failed = wait_for("the failure", lambda: _error(technician), 60)
    (technician.folder / "new-key.txt").write_text(site.cloud.new_key(maxDevices=1))

    done = technician.follow("provisioning-fails.md")

    assert failed["code"] == "invalid-provisioning-key"
    assert {code for line, code in done.items() if "diagnostics" not in line} == {OK}
    assert technician.iotctl("provision", "status")["phase"] == "provisioned"


def _error(technician: Technician) -> Any:
    return technician.iotctl("provision", "status")["error"]


def test_a_corrupted_database_is_rebuilt_and_a_backup_brought_back(
    running: Site, technician: Technician
) -> None:
    before = running.outside.containers(running.uuid)
    running.agent.kill()
    database = running.agent.folder / "device.sqlite"
    database.write_bytes(b"\0garbage" * 4096)
    running.agent.start()
    running.agent.ready()

    done = technician.follow("database-corrupted.md")

    assert set(done.values()) == {OK}
    assert list(running.agent.folder.glob("device.sqlite.corrupt-*"))
    running.agent.ready()
    assert technician.iotctl("identity")["uuid"] == running.uuid
    assert running.outside.containers(running.uuid) == before


def test_a_deleted_database_registers_again_as_the_same_device(
    running: Site, technician: Technician
) -> None:
    before = running.outside.containers(running.uuid)
    running.agent.stop()
    (running.agent.folder / "device.sqlite").unlink()
    running.agent.start()
    running.agent.ready()

    running.until_provisioned()

    assert technician.iotctl("identity")["uuid"] == running.uuid
    assert running.outside.containers(running.uuid) == before
    assert running.made() == {running.uuid}


def test_a_container_that_does_not_start_says_what_it_waits_for(
    running: Site, technician: Technician
) -> None:
    bad = running.deploy(running.service("web"), running.service("db", volumes=["/etc:/host"]))
    assert technician.iotctl("sync")["version"] == bad
    rejected = wait_for("the verdict", lambda: _rejection(technician), 60)

    done = technician.follow("container-not-starting.md", leave_out=(DOCKER_PS, RESTART))
    good = running.deploy(running.service("web"))
    assert technician.iotctl("sync")["version"] == good
    running.agent.until_settled()
    corrected = technician.follow("container-not-starting.md", leave_out=(DOCKER_PS,))

    assert "POLICY_ALLOW" in rejected
    assert "/etc" in rejected
    assert done.pop("iotctl plan") == DIFFERS
    assert done.pop("iotctl diagnostics") == DIFFERS
    assert set(done.values()) == {OK}
    assert set(corrected.values()) == {OK}
    assert running.states() == {"web": "running"}


RESTART = "iotctl apps restart 1001"
DOCKER_PS = "docker ps --all --filter label=iotistic.managed=true"


def _rejection(technician: Technician) -> str | None:
    (app,) = technician.iotctl("plan")["apps"]
    return str(app["reason"]) if app["verdict"] == "rejected" else None


def test_a_device_that_is_offline_says_why_and_comes_back(
    running: Site, technician: Technician
) -> None:
    running.proxy.lie = (503, "text/plain", b"busy")

    offline = wait_for("offline", lambda: _link(technician, "offline"), 90)
    unreached = technician.follow(
        "cloud-sync-offline.md", leave_out=("iotctl config set-api https://new.example.com",)
    )
    running.proxy.lie = None
    moved = technician.follow("cloud-sync-offline.md")

    assert offline["error"]["message"]
    assert unreached["iotctl sync"] == UNREACHABLE
    assert set(moved.values()) == {OK}
    assert wait_for("online", lambda: _link(technician, "online"), 90)
    assert technician.iotctl("config", "get-api")["apiEndpoint"] == running.cloud.url


def _link(technician: Technician, state: str) -> Any:
    cloud = technician.iotctl("status")["cloud"]
    return cloud if cloud["state"] == state else None
