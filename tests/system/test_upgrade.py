"""A device whose agent is replaced by this one: what runs is not touched."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.support.images import ONESHOT
from scripts.support.programs import Cloud, ProgramFailed
from tests.system.home import Home, home_at
from tests.system.lying_proxy import LyingProxy

pytestmark = [pytest.mark.system, pytest.mark.docker, pytest.mark.timeout(120)]

ROOT = Path(__file__).parent.parent.parent
BEFORE_RELEASES = "c81c839"
"""The last agent that knew nothing of releases, locks and drift."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The sources of that agent."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "archive", BEFORE_RELEASES, "src"],
        capture_output=True,
        check=False,
    )
    if found.returncode != 0:
        pytest.skip(f"commit {BEFORE_RELEASES} is not in this copy")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "src"


@pytest.fixture
def home(
    tmp_path: Path, older: Path, cloud: Cloud, proxy: LyingProxy, docker_host: str
) -> Iterator[Home]:
    with home_at(tmp_path / "home", cloud, proxy, docker_host, PYTHONPATH=str(older)) as found:
        yield found


def test_what_an_older_agent_made_keeps_running_when_the_new_one_takes_over(home: Home) -> None:
    app = home.new_app()
    services = (
        app.service(
            "web",
            environment={"A": "1", "B": "two"},
            labels={"x": "y"},
            ports=["127.0.0.1::8080"],
            volumes=["data:/data:ro"],
            networks={"front": {"aliases": ["www"]}, "default": None},
        ),
        app.service("db", restart="always", hostname="db", working_dir="/", user="0:0"),
        app.service("job", ONESHOT.reference, restart="no"),
        app.service("still", state="paused"),
    )
    for service in services:
        del service["config"]["pull_policy"]  # it did not know that word
    fields: dict[str, Any] = {"networks": [], "volumes": []}
    app.deploy("r1", *services, **fields)
    home.agent.until_settled()
    before = app.containers()
    assert {name: seen.state for name, seen in before.items()} == {
        "web": "running",
        "db": "running",
        "job": "exited",
        "still": "paused",
    }
    with pytest.raises(ProgramFailed, match="404"):
        home.agent.call("GET", "/v1/locks")

    home.agent.kill()
    home.agent.environment = {k: v for k, v in home.agent.environment.items() if k != "PYTHONPATH"}
    home.agent.start()
    home.agent.ready()
    app.until_done("r1")
    assert home.agent.call("GET", "/v1/locks") == {"locks": []}
    assert app.containers() == before

    for service in services:
        service["config"]["pull_policy"] = "never"
    services[1]["config"]["hostname"] = "other"
    after = app.settle("r2", *services, **fields)
    assert {name for name in after if after[name] != before[name]} == {"db"}
