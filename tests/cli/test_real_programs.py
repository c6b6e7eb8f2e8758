"""A device's life through `iotctl` alone, against the real agent and the real cloud."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.support.programs import Agent, Cloud
from tests.cli.harness import Iotctl, Said

pytestmark = pytest.mark.system

PASSWORD = "a long password"
APPS = {
    "1001": {
        "appId": 1001,
        "appName": "shop",
        "services": [
            {
                "serviceId": "1",
                "serviceName": "web",
                "imageName": "web:1",
                "config": {"environment": {"MODE": "hidden-value"}, "volumes": ["data:/data"]},
            }
        ],
    }
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    found = Cloud(tmp_path / "cloud")
    found.start()
    try:
        yield found.ready()
    finally:
        found.stop()


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> Iterator[Agent]:
    found = Agent(
        tmp_path / "device",
        CONTAINER_ENGINE="simulated",
        POLL_INTERVAL_MS="1000",
        REPORT_INTERVAL_MS="1000",
    )
    monkeypatch.setenv("STATE_DIR", str(found.folder))
    found.start()
    try:
        yield found.ready()
    finally:
        found.stop()


def until(iotctl: Iotctl, *arguments: str, fits: Callable[[Said], bool]) -> Said:
    """Ask until the answer fits; the test's own time limit ends it otherwise."""
    while True:
        said = iotctl(*arguments)
        if fits(said):
            return said
        time.sleep(0.1)


def log_in(iotctl: Iotctl, cloud: Cloud) -> None:
    """As the first administrator, with the token that the cloud wrote for its owner."""
    first = cloud.folder / "cloud" / "first-login.json"
    while not first.exists():
        time.sleep(0.05)
    token = json.loads(first.read_text())["token"]
    said = iotctl(
        *("fleet", "login", cloud.url, "--user", "ada", "--setup", "-"),
        stdin=f"{token}\n{PASSWORD}\n",
    )
    assert said.code == 0, said.err


def join(iotctl: Iotctl, cloud: Cloud) -> str:
    """Make a key, join with it; the uuid."""
    made = iotctl("fleet", "keys", "create", "--devices", "1", "--json").document
    said = iotctl("provision", "--key-file", "-", "--api", cloud.url, stdin=made["key"])
    assert said.code == 0, said.err
    assert "phase       provisioned" in said.out
    return str(iotctl("identity", "--json").document["uuid"])


def deploy(iotctl: Iotctl, uuid: str, apps: dict[str, Any]) -> None:
    said = iotctl("fleet", "target", "set", uuid, "-", stdin=json.dumps({"apps": apps}))
    assert said.code == 0, said.err
    assert iotctl("sync").code == 0
    until(iotctl, "plan", fits=lambda said: said.code == 0)


def test_a_device_from_its_box_to_its_services(iotctl: Iotctl, cloud: Cloud, device: Agent) -> None:
    assert "not provisioned" in iotctl("status").out
    log_in(iotctl, cloud)
    uuid = join(iotctl, cloud)
    deploy(iotctl, uuid, APPS)

    status = iotctl("status")
    assert status.code == 0
    assert "1001  shop  settled  1 of 1" in status.out
    plan = iotctl("plan")
    assert "1001  web      -     as wanted" in plan.out
    assert "1 of 1 services settled with target version 1." in plan.out
    assert iotctl("apps", "list").out.splitlines()[1].startswith("1001  shop  settled")
    for name in ("1", "web", "web-1", f"shop_web_1-{uuid[:8]}"):
        shown = iotctl("services", "info", name)
        assert "service       web" in shown.out
        assert "hidden-value" not in shown.out
    assert iotctl("services", "info", "nope").code == 4
    assert iotctl("apps", "info", "7").code == 4
    assert iotctl("services", "stop", "web").out == "web: stopped\n"
    assert "stopped (until release)" in iotctl("services", "list").out
    assert iotctl("services", "start", "web").out == "web: started\n"
    assert iotctl("apps", "restart", "1001").out == "web: restarted\n"
    assert iotctl("apps", "purge", "1001", "--yes").out == "web: purged\n"
    assert "FOUND" in iotctl("doctor").out
    seen = until(
        iotctl, *("fleet", "devices", "list"), fits=lambda said: "online  1       1" in said.out
    )
    assert uuid in seen.out
    assert iotctl("fleet", "devices", "show", uuid[:8]).code == 0


def test_targets_are_staged_deployed_compared_and_rolled_back(
    iotctl: Iotctl, cloud: Cloud, device: Agent, tmp_path: Path
) -> None:
    log_in(iotctl, cloud)
    uuid = join(iotctl, cloud)
    deploy(iotctl, uuid, APPS)

    got = iotctl("fleet", "target", "get", uuid)
    file = tmp_path / "target.json"
    file.write_text(got.out.replace("web:1", "web:2"))
    staged = iotctl("fleet", "target", "set", uuid, str(file), "--stage", "-m", "newer")
    assert staged.out.startswith("version 2: saved")
    assert "staged; deployed is 1" in iotctl("fleet", "target", "get", uuid).err
    assert iotctl("fleet", "target", "set", uuid, str(file)).code == 5
    assert iotctl("fleet", "target", "deploy", uuid).out == "version 2: deployed\n"
    assert iotctl("fleet", "target", "rollback", uuid, "1").out.startswith("version 3: ")
    history = iotctl("fleet", "target", "history", uuid).out.splitlines()
    assert [line.split()[0] for line in history] == ["VERSION", "3", "2", "1"]
    assert "newer" in history[2]
    bad = json.dumps({"apps": {"1": {"appName": "a", "services": [{"serviceId": 1}]}}})
    refused = iotctl("fleet", "target", "set", uuid, "-", "--dry-run", stdin=bad)
    assert refused.code == 2
    assert "apps.1.services[0]." in refused.err


def test_settings_backup_restart_and_leaving(
    iotctl: Iotctl, cloud: Cloud, device: Agent, tmp_path: Path
) -> None:
    log_in(iotctl, cloud)
    uuid = join(iotctl, cloud)
    assert iotctl("config", "set", "LOG_LEVEL", "debug").code == 0
    assert iotctl("config", "get", "LOG_LEVEL").out == "debug\n"
    assert iotctl("config", "set", "LOG_LEVEL", "loud").code == 2
    assert iotctl("config", "get", "NOPE").code == 4
    assert iotctl("config", "reset", "LOG_LEVEL").code == 0
    assert cloud.url in iotctl("config", "get-api").out
    assert "LOG_LEVEL" in iotctl("config", "show").out
    assert iotctl("logs", "-n", "3").out.count("\n") == 3
    assert iotctl("restart").code == 0

    copy = tmp_path / "copy.sqlite"
    assert iotctl("db", "backup", str(copy)).code == 0
    assert copy.read_bytes().startswith(b"SQLite format 3\0")
    other = tmp_path / "other"
    other.write_bytes(b"no database")
    assert iotctl("db", "restore", str(other), "-y").code == 5
    assert iotctl("db", "restore", str(copy), "-y").code == 0

    assert iotctl("provision", "5e" * 32).code == 5
    assert iotctl("deprovision", "--yes").code == 0
    assert iotctl("provision", "status", "--json").document["phase"] == "deprovisioned"
    assert iotctl("sync").code == 5
    assert iotctl("identity", "--json").document["uuid"] == uuid
    reset = iotctl("factory-reset", "--yes")
    assert reset.code == 0
    assert uuid in reset.err
    fresh = iotctl("identity", "--json").document
    assert fresh["uuid"] != uuid
    assert fresh["phase"] == "new"


def test_a_compose_file_becomes_an_app_and_an_app_a_compose_file(
    iotctl: Iotctl, cloud: Cloud, device: Agent, tmp_path: Path
) -> None:
    log_in(iotctl, cloud)
    uuid = join(iotctl, cloud)
    deploy(iotctl, uuid, APPS)
    file = tmp_path / "compose.yaml"
    file.write_text(
        "name: till\n"
        "services:\n"
        "  door:\n"
        "    image: door:${TAG}\n"
        "    environment: {CODE: 'hidden-value'}\n"
        "    restart: no\n"
    )

    saved = iotctl("fleet", "target", "set", uuid, str(file), "--env", "TAG=2", "--json")

    assert saved.document["appId"] == 1002
    assert "hidden-value" not in saved.out
    assert iotctl("sync").code == 0
    until(iotctl, "plan", fits=lambda said: said.code == 0)
    assert "door:2" in iotctl("services", "list").out
    container = iotctl("services", "info", "door", "--json").document["containerId"]
    exported = iotctl("compose", "export", "1002")
    assert "image: door:2\n" in exported.out
    assert "CODE: ${CODE}\n" in exported.out
    # The same app again, and the whole target with its masks: no reason to touch a container.
    again = tmp_path / "exported.yaml"
    again.write_text(exported.out)
    for step in (
        ("fleet", "target", "set", uuid, str(again), "--env", "CODE=hidden-value"),
        ("fleet", "target", "set", uuid, "-"),
    ):
        masked = iotctl("fleet", "target", "get", uuid).out
        assert iotctl(*step, stdin=masked).code == 0
        assert iotctl("sync").code == 0
        until(iotctl, "plan", fits=lambda said: said.code == 0)
    service = iotctl("services", "info", "door", "--json").document
    assert (service["containerId"], service["settled"]) == (container, True)
    seen = until(
        iotctl,
        *("fleet", "devices", "show", uuid),
        fits=lambda said: said.out.count("done") == 2,
    )
    assert "RELEASE" in seen.out
