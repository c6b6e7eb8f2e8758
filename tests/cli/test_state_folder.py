"""Where the agent is looked for, and whose folder is never trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iotistic.cli.state_folder import StateFolder, find_state_folder
from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script, tcp_server, unix_server


@pytest.fixture
def default(tmp_path: Path) -> Path:
    return tmp_path / "var-lib"


def look(
    tmp_path: Path, default: Path, given: str | None = None, **environment: str
) -> StateFolder:
    return find_state_folder(given, environment, cwd=tmp_path, default=default)


def with_agent(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir()
    (folder / "api.json").write_text("{}")
    folder.chmod(mode)
    return folder


def test_the_order(tmp_path: Path, default: Path) -> None:
    environment: dict[str, str] = {}
    local = with_agent(tmp_path / "data")
    assert look(tmp_path, default).path == local
    with_agent(default)
    assert look(tmp_path, default).path == default
    for name, value, folder in [
        ("DATABASE_PATH", "/d/device.sqlite", "/d"),
        ("CONFIG_DIR", "/c", "/c"),
        ("STATE_DIR", "/s", "/s"),
    ]:
        environment[name] = value
        assert look(tmp_path, default, **environment).path == Path(folder)
    assert look(tmp_path, default, "/flag", **environment).path == Path("/flag")


def test_a_folder_that_was_named_is_used_even_without_an_agent(
    tmp_path: Path, default: Path
) -> None:
    with_agent(tmp_path / "data")
    with_agent(default)

    assert look(tmp_path, default, STATE_DIR="/nowhere").path == Path("/nowhere")


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o757])
def test_data_where_others_may_write_is_not_used(tmp_path: Path, default: Path, mode: int) -> None:
    with_agent(tmp_path / "data", mode)

    found = look(tmp_path, default)

    assert found.path == default
    assert "others may write" in found.note


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_data_of_a_stranger_is_not_used(tmp_path: Path, default: Path) -> None:
    folder = with_agent(tmp_path / "data")
    os.chown(folder, 12345, 12345)

    found = look(tmp_path, default)

    assert found.path == default
    assert "belongs to somebody else" in found.note


def test_the_socket_comes_before_the_port(iotctl: Iotctl, agent: Script, state_dir: Path) -> None:
    agent.on("GET", "/v1/status", answers.status())
    (state_dir / "api.json").write_text('{"port": 1, "host": "127.0.0.1", "pid": 1}')

    assert iotctl("status").code == 0


def test_a_socket_far_down_in_the_tree_is_reached(iotctl: Iotctl, tmp_path: Path) -> None:
    """The address of a Unix socket has room for 108 bytes only."""
    script = Script()
    script.on("GET", "/v1/status", answers.status())
    near = tmp_path / "n"
    near.mkdir()
    far = tmp_path / ("d" * 100)
    with unix_server(near / "agent.sock", script):
        near.rename(far)

        assert iotctl("status", "--state-dir", str(far)).code == 0


def test_the_port_and_the_token_are_found_in_the_folder(iotctl: Iotctl, state_dir: Path) -> None:
    script = Script()
    script.on("GET", "/v1/status", answers.status())
    with tcp_server(script) as port:
        (state_dir / "api.json").write_text(f'{{"port": {port}}}')
        (state_dir / "api-token").write_text("abc\n")

        assert iotctl("status").code == 0

    assert script.last.headers["authorization"] == "Bearer abc"


def test_the_token_never_travels_readable_to_another_machine(
    iotctl: Iotctl, state_dir: Path
) -> None:
    (state_dir / "api-token").write_text("abc\n")

    said = iotctl("status", "--api-url", "http://192.0.2.1:48484")

    assert said.code == 2
    assert "ssh -L" in said.err


@pytest.mark.parametrize(
    "url", ["ftp://localhost", "http://", "http://a:b@localhost", "http://localhost:x", "::"]
)
def test_an_address_that_is_none(iotctl: Iotctl, state_dir: Path, url: str) -> None:
    assert iotctl("status", "--api-url", url).code == 2


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "", "é"])
def test_a_damaged_token_is_no_header(iotctl: Iotctl, state_dir: Path, token: str) -> None:
    script = Script()
    script.on("GET", "/v1/status", answers.status())
    (state_dir / "api-token").write_text(token)
    with tcp_server(script) as port:
        iotctl("status", "--api-url", f"127.0.0.1:{port}")

    assert "authorization" not in script.last.headers
    assert "x-evil" not in script.last.headers
