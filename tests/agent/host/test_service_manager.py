"""Telling the init system."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from iotistic.agent.host.service_manager import sd_notify


def test_the_state_arrives_at_the_managers_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        assert sd_notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"


def test_the_abstract_namespace_works_too() -> None:
    name = f"iotistic-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        assert sd_notify("STOPPING=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/notify"}]
)
def test_nobody_there_is_no_failure(environment: dict[str, str]) -> None:
    assert not sd_notify("READY=1", environment)
