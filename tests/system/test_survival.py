"""The agent's own faults: a crash loop, an engine that hangs, a loop that hangs, a slow end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from scripts.support.programs import Agent, wait_for
from tests.system.conftest import Site
from tests.system.silent_engine import SilentEngine, silent_engine

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
END_WITHIN_S = 10.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SilentEngine]:
    with silent_engine(tmp_path / "engine.sock") as found:
        yield found


def lone_agent(folder: Path, **environment: str) -> Agent:
    """An agent without a cloud."""
    agent = Agent(folder, RECONCILIATION_INTERVAL_MS="1000", **environment)
    agent.start()
    return agent.ready()


def crash(agent: Agent) -> None:
    """As a fault of the agent itself would end it, soon after its start."""
    agent.start()
    agent.ready()
    assert agent.process is not None
    agent.process.send_signal(signal.SIGSEGV)
    agent.process.wait(15)


def is_normal(agent: Agent) -> bool | None:
    """Whether it applies targets; None while it does not, or starts anew."""
    try:
        return True if agent.call("GET", "/v1/status")["safeMode"]["active"] is False else None
    except (OSError, HTTPException):
        return None


def iotctl(agent: Agent, *words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "iotctl"
    return subprocess.run(
        [program, "--state-dir", str(agent.folder), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_three_crashes_lead_to_safe_mode_and_a_new_target_out_of_it(site: Site) -> None:
    site.join()
    site.deploy(site.service("web"))
    site.until_states(web="running")
    before = site.outside.containers(site.uuid)["web"]
    site.agent.kill()

    for _ in range(3):
        crash(site.agent)
    site.agent.start()
    site.agent.ready()

    status: dict[str, Any] = site.agent.call("GET", "/v1/status")
    assert status["safeMode"]["active"] is True
    assert status["warnings"][0]["code"] == "safe-mode"
    assert "safe mode" in iotctl(site.agent, "status").stdout
    assert iotctl(site.agent, "safe-mode", "show").returncode == 7
    assert "safe mode" in iotctl(site.agent, "services", "stop", "web").stderr

    def reported() -> bool | None:
        path = f"/api/v1/devices/{site.uuid}/current-state"
        warnings = site.cloud.call("GET", path)["system_info"].get("warnings") or []
        return any(warning["code"] == "safe-mode" for warning in warnings) or None

    wait_for("the safe mode in the cloud", reported)
    site.outside.kill(site.uuid, "web")  # which nobody heals now
    version = site.deploy(site.service("web", environment={"CAUSE": "gone"}))
    wait_for("the end of safe mode", lambda: is_normal(site.agent))
    site.agent.until_settled(version)

    after = site.outside.containers(site.uuid)["web"]
    assert after.id != before.id


def test_a_person_takes_the_agent_out_of_safe_mode(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "device", CONTAINER_ENGINE="simulated")
    for _ in range(3):
        crash(agent)
    agent.start()
    agent.ready()
    try:
        assert iotctl(agent, "safe-mode", "leave").returncode == 0
        assert agent.call("GET", "/v1/status")["safeMode"]["active"] is False
        assert iotctl(agent, "restart", "--normal").returncode == 0
    finally:
        agent.kill()


def test_kills_in_a_row_are_no_crashes(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "device", CONTAINER_ENGINE="simulated")
    for _ in range(4):
        agent.start()
        agent.ready()
        agent.kill()
    agent.start()
    agent.ready()
    try:
        assert agent.call("GET", "/v1/status")["safeMode"]["active"] is False
    finally:
        agent.kill()


def test_an_engine_that_hangs_delays_no_end_and_is_left_in_peace(
    tmp_path: Path, engine: SilentEngine
) -> None:
    agent = lone_agent(tmp_path / "device", DOCKER_HOST=engine.host)
    try:
        wait_for("a call under way", lambda: engine.asked or None)
        assert agent.call("GET", "/ping") == "OK"
        assert agent.stop() < END_WITHIN_S
    finally:
        agent.kill()
    assert len(engine.asked) < 10


def test_an_engine_that_is_gone_gets_few_requests(tmp_path: Path, engine: SilentEngine) -> None:
    engine.refuses = True
    agent = lone_agent(tmp_path / "device", DOCKER_HOST=engine.host)
    try:

        def code() -> str | None:
            error = agent.call("GET", "/v1/status")["engine"]["error"]
            return str(error["code"]) if error else None

        assert wait_for("the engine missed", code) == "engine-unavailable"
        wait_for("several probes", lambda: len(engine.asked) >= 6 or None)
        for _ in range(50):  # somebody impatient
            agent.call("POST", "/v1/reconcile", {})
        assert len(engine.asked) < 15
        assert agent.failures() == []
    finally:
        agent.kill()


def test_the_service_manager_hears_of_a_whole_agent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        agent = lone_agent(
            tmp_path / "device",
            CONTAINER_ENGINE="simulated",
            NOTIFY_SOCKET=str(tmp_path / "notify"),
            WATCHDOG_USEC="1000000",
        )
        try:
            heard = ""
            while not all(w in heard for w in ("READY=1", "STATUS=", "WATCHDOG=1")):
                heard += manager.recv(1000).decode() + "\n"
            assert agent.process is not None
            agent.process.send_signal(signal.SIGSTOP)  # hangs, for whoever looks from outside
            manager.settimeout(1.5)
            with pytest.raises(TimeoutError):
                _drain(manager)
            agent.process.send_signal(signal.SIGCONT)
            manager.settimeout(20)
            assert b"WATCHDOG=1" in manager.recv(1000)
            agent.stop()
            assert "STOPPING=1" in _rest(manager)
        finally:
            agent.kill()


def _drain(manager: socket.socket) -> None:
    while True:
        manager.recv(1000)


def _rest(manager: socket.socket) -> str:
    manager.settimeout(0.2)
    found = ""
    try:
        while True:
            found += manager.recv(1000).decode()
    except TimeoutError:
        return found
