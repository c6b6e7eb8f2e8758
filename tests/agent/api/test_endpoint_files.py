"""Token, port file and socket: for the agent's user alone, and whatever a dead agent left."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotistic.agent.api import DeviceAPI
from iotistic.agent.api.endpoint_files import load_token
from tests.agent.api.builders import Box, device, running, serving, unix_client


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.usefixtures("open_umask")
async def test_every_file_is_for_its_owner_whatever_the_umask(box: Box) -> None:
    async with serving(box):
        for name in ("agent.sock", "api-token", "api.json"):
            assert mode(box.folder / name) == 0o600, name


async def test_the_token_is_256_bits_and_the_same_after_a_restart(box: Box) -> None:
    async with serving(box) as first:
        assert len(bytes.fromhex(first.token)) == 32
    async with serving(box) as second:
        assert second.token == first.token


async def test_the_port_file_says_where_and_goes_at_a_clean_end(box: Box) -> None:
    async with serving(box) as api:
        found = json.loads((box.folder / "api.json").read_text())
        assert found == {"host": "127.0.0.1", "port": api.port, "pid": os.getpid()}
    assert not (box.folder / "api.json").exists()
    assert not (box.folder / "agent.sock").exists()


def test_a_token_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    token = load_token(tmp_path)
    assert load_token(tmp_path) == token
    (tmp_path / "api-token").chmod(0o644)
    assert load_token(tmp_path) != token
    assert mode(tmp_path / "api-token") == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"a" * 1_000_000])
def test_half_a_token_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "api-token").write_bytes(content)
    (tmp_path / "api-token").chmod(0o600)
    assert len(bytes.fromhex(load_token(tmp_path).reveal())) == 32


def test_a_link_that_somebody_laid_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("cd" * 32)
    elsewhere.chmod(0o600)
    (tmp_path / "api-token").symlink_to(elsewhere)
    assert load_token(tmp_path).reveal() != "cd" * 32
    assert elsewhere.read_text() == "cd" * 32


async def test_a_socket_that_a_killed_agent_left_is_replaced(box: Box) -> None:
    program = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); "
        "s.listen(); os.kill(os.getpid(), 9)"
    )
    path = box.folder / "agent.sock"
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path))
    assert await killed.wait() == -9
    assert path.is_socket()

    async with serving(box) as api:
        assert (await api.unix.get("/ping"))[0] == 200


async def test_a_socket_at_which_somebody_answers_is_left_alone(box: Box) -> None:
    path = box.folder / "agent.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        inode = path.stat().st_ino
        async with serving(box) as api:
            warnings = (await api.tcp.ok("/v1/status"))["warnings"]
            assert [w["code"] for w in warnings] == ["socket-in-use"]
        assert path.stat().st_ino == inode


async def test_a_folder_with_a_very_long_name_has_a_socket_as_well(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    async with device(folder, reconciling=False) as box, serving(box) as api:
        assert (await api.unix.get("/ping"))[0] == 200


async def test_a_taken_port_is_told_and_the_socket_goes_on(box: Box) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with running(DeviceAPI(box.rooms, port=port).run()):
            await box.until(lambda: "tcp" in box.rooms.listening.problems)
            await box.until((box.folder / "agent.sock").exists)
            async with unix_client(box) as unix:
                found = await unix.ok("/v1/status")
                assert found["agent"]["port"] is None
                (warning,) = found["warnings"]
                assert warning["code"] == "port-in-use"
                assert "DEVICE_API_PORT" in warning["remedy"]
                assert not (box.folder / "api.json").exists()

                other.close()  # and once it is free, it is taken up
                await box.until(lambda: box.rooms.listening.port == port)
                assert (await unix.ok("/v1/status"))["warnings"] == []
    said = [r for r in box.book.records() if r["message"] == "way in not available"]
    assert len(said) == 1
