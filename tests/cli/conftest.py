from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script, unix_server

_ENVIRONMENT = (
    "STATE_DIR",
    "CONFIG_DIR",
    "DATABASE_PATH",
    "DEVICE_API_URL",
    "DEVICE_API_PORT",
    "DEVICE_API_TOKEN",
    "IOTISTIC_CLOUD_URL",
    "IOTISTIC_CLOUD_TOKEN",
    "IOTCTL_DEBUG",
    "NO_COLOR",
)


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agent's folder, named by the environment as on a device; nothing else of this machine."""
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("STATE_DIR", str(folder))
    monkeypatch.setenv("SUDO_USER", "anna")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def iotctl(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Iotctl:
    return Iotctl(capsys)


@pytest.fixture
def agent(state_dir: Path) -> Iterator[Script]:
    """A scripted agent on its socket."""
    script = Script()
    with unix_server(state_dir / "agent.sock", script):
        yield script
