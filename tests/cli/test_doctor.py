"""What is wrong with this device, told by the agent, or from outside when it does not answer."""

from __future__ import annotations

import socket
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iotistic.cli.from_outside import holder_of
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, chunked


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


def check(check_id: str, verdict: str, message: str, remedy: str | None, took_ms: int) -> Any:
    return {
        "id": check_id,
        "title": check_id,
        "verdict": verdict,
        "message": message,
        "evidence": {},
        "remedy": remedy,
        "tookMs": took_ms,
    }


CHECKS: dict[str, Any] = {
    "healthy": False,
    "checks": [
        check("engine", "ok", "answers", None, 12),
        check("clock", "failed", "it is 1970", "start NTP", 0),
        check("disk", "warning", "4 %", None, 1),
    ],
    "fixes": [],
}
FIXES = [
    {"id": "permissions", "title": "take rights away", "will": ["chmod 0600 /x/identity.json"]},
    {"id": "runtime-dir", "title": "make the folder", "will": ["mkdir -m 0700 -p /run/iotistic/1"]},
]


@pytest.mark.parametrize("name", ["diagnostics", "doctor", "diag"])
def test_a_failed_check_is_7(iotctl: Iotctl, agent: Script, name: str) -> None:
    agent.on("GET", "/v1/diagnostics", CHECKS)

    said = iotctl(name)

    assert said.code == 7
    assert said.out == lines(
        "CHECK   RESULT   TOOK   FOUND",
        "engine  ok       12 ms  answers",
        "clock   failed   0 ms   it is 1970",
        "disk    warning  1 ms   4 %",
        "",
        "1 failed, 1 with a warning, of 3 checks",
        "next: start NTP",
    )


def test_all_well_is_0(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/diagnostics", {**CHECKS, "healthy": True, "checks": CHECKS["checks"][:1]})

    said = iotctl("doctor")

    assert said.code == 0
    assert said.out.endswith("all 1 checks are well\n")


def test_every_fix_is_shown_before_it_is_done(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/diagnostics", {**CHECKS, "fixes": FIXES}, CHECKS)
    agent.on(
        "POST",
        "/v1/diagnostics/fix",
        {"id": "permissions", "done": ["chmod 0600 /x/identity.json"]},
        {"id": "runtime-dir", "done": []},
    )

    said = iotctl("doctor", "--fix", "--yes")

    asked = [call.document for call in agent.asked if call.method == "POST"]
    assert asked == [{"id": "permissions"}, {"id": "runtime-dir"}]
    assert said.err.splitlines()[:3] == [
        "take rights away:",
        "  chmod 0600 /x/identity.json",
        "done: chmod 0600 /x/identity.json",
    ]
    assert "iotctl doctor --fix" not in said.out


def test_nothing_is_put_right_unless_somebody_agrees(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/diagnostics", {**CHECKS, "fixes": FIXES})

    said = iotctl("doctor", "--fix")  # nobody is at the terminal

    assert said.code == 2
    assert "--yes" in said.err
    assert not [call for call in agent.asked if call.method == "POST"]


def test_what_could_be_put_right_is_offered(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/diagnostics", {**CHECKS, "fixes": FIXES})

    assert "iotctl doctor --fix can put right: permissions, runtime-dir" in iotctl("doctor").out


# -- without an agent


@pytest.fixture
def left_alone(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an agent that was killed: its files are there, nobody answers."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{state_dir}/no-engine.sock")
    monkeypatch.setenv("DEVICE_API_PORT", "0")
    state_dir.chmod(0o700)
    database = state_dir / "device.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE device (uuid TEXT)")
    connection.close()
    database.chmod(0o600)
    (state_dir / "device.sqlite.lock").touch(mode=0o600)
    (state_dir / "identity.json").write_text("{}")
    (state_dir / "identity.json").chmod(0o644)
    (state_dir / "api.json").write_text('{"port": 1}')
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(state_dir / "agent.sock"))
    return state_dir


def verdicts(document: Any) -> dict[str, str]:
    return {check["id"]: check["verdict"] for check in document["checks"]}


def test_an_agent_that_does_not_run_is_checked_from_outside(
    iotctl: Iotctl, left_alone: Path
) -> None:
    before = sorted(left_alone.iterdir())
    said = iotctl("doctor", "--json")

    assert said.code == 7
    assert sorted(left_alone.iterdir()) == before, "looking leaves no trace"
    assert verdicts(said.document) == {
        "agent": "failed",
        "state-folder": "ok",
        "permissions": "failed",
        "database": "ok",
        "port": "skipped",
        "engine": "failed",
    }
    (agent,) = [check for check in said.document["checks"] if check["id"] == "agent"]
    assert "systemctl start iotistic-agent" in agent["remedy"]


def test_a_damaged_database_is_seen_from_outside(iotctl: Iotctl, left_alone: Path) -> None:
    database = left_alone / "device.sqlite"
    database.write_bytes(database.read_bytes()[:4096] + b"\xff" * 4096)

    assert verdicts(iotctl("doctor", "--json").document)["database"] == "failed"


def test_what_a_dead_agent_left_is_removed_when_asked(iotctl: Iotctl, left_alone: Path) -> None:
    said = iotctl("doctor", "--fix", "--yes", "--json")

    assert verdicts(said.document)["permissions"] == "ok"
    assert stat.S_IMODE((left_alone / "identity.json").stat().st_mode) == 0o600
    assert not (left_alone / "agent.sock").exists()
    assert not (left_alone / "api.json").exists()
    assert (left_alone / "device.sqlite.lock").exists()


def test_who_holds_the_lock_is_named_and_not_disturbed(iotctl: Iotctl, left_alone: Path) -> None:
    lock = left_alone / "device.sqlite.lock"
    holding = (
        "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", holding, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"

        document = iotctl("doctor", "--json").document

        assert holder_of(lock) == holder.pid
        assert verdicts(document)["database"] == "skipped"
        (agent,) = [check for check in document["checks"] if check["id"] == "agent"]
        assert str(holder.pid) in agent["message"]
        assert [fix["id"] for fix in document["fixes"]] == ["permissions"]
        holder.kill()
    assert holder_of(lock) is None


def test_a_support_bundle_is_a_file_for_its_owners_eyes(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    agent.on("GET", "/v1/support-bundle", Answer(body=b"\x1f\x8b packed"))
    file = tmp_path / "support.tar.gz"

    for name in ("support-bundle", "bundle"):
        said = iotctl(name, "-o", str(file))
        assert (said.code, said.out) == (0, f"{file}\n")
    assert file.read_bytes() == b"\x1f\x8b packed"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_bundle_that_breaks_off_leaves_nothing(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    agent.on("GET", "/v1/support-bundle", chunked(b"half", end=False))

    assert iotctl("support-bundle", "-o", str(tmp_path / "support.tar.gz")).code != 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
