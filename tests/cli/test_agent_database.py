from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, refused

COPY = b"SQLite format 3\0" + bytes(range(256)) * 1000


def test_sync_says_what_came(iotctl: Iotctl, agent: Script) -> None:
    synced = {"changed": True, "version": 8, "state": "online", "refusal": None}
    agent.on("POST", "/v1/sync", synced)

    assert iotctl("sync").out == "online: a new target (version 8)\n"


def test_sync_is_5_when_the_newest_target_was_not_taken(iotctl: Iotctl, agent: Script) -> None:
    refusal = {"code": "disk-full", "message": "no space is left", "remedy": None}
    synced = {"changed": False, "version": 7, "state": "online", "refusal": refusal}
    agent.on("POST", "/v1/sync", synced)

    said = iotctl("sync")

    assert said.code == 5
    assert "not taken: no space is left" in said.err


def test_sync_without_a_cloud_is_5_and_with_a_silent_one_3(iotctl: Iotctl, agent: Script) -> None:
    agent.on(
        "POST",
        "/v1/sync",
        refused(409, "not-provisioned", "it has no cloud"),
        refused(503, "cloud-unavailable", "no answer"),
    )

    assert iotctl("sync").code == 5
    assert iotctl("sync").code == 3


def restarted(pid: int) -> dict[str, Any]:
    found = answers.status()
    return {**found, "agent": {**found["agent"], "pid": pid}}


def test_restart_waits_for_another_process(
    iotctl: Iotctl, agent: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iotistic.cli.commands.agent._LOOK_AGAIN_S", 0.0)
    gone = {"status": "restarting", "pid": 4711, "startedAt": 1760000000000}
    agent.on("POST", "/v1/agent/restart", Answer(202, gone))
    agent.on(
        "GET",
        "/v1/status",
        restarted(4711),
        Answer(raw=b""),
        refused(503, "starting", "not yet"),
        restarted(4712),
    )

    said = iotctl("restart")

    assert (said.code, said.out) == (0, "restarting\n")
    assert said.err == "the agent is back (pid 4712)\n"


def test_an_agent_that_does_not_come_back_is_6(iotctl: Iotctl, agent: Script) -> None:
    gone = {"status": "restarting", "pid": 4711, "startedAt": 1760000000000}
    agent.on("POST", "/v1/agent/restart", Answer(202, gone))
    agent.on("GET", "/v1/status", restarted(4711))

    assert iotctl("restart", "--timeout", "0.5").code == 6
    assert iotctl("restart", "--no-wait").code == 0


def backup_answer(body: bytes, announced: bytes | None = None) -> Answer:
    digest = hashlib.sha256(announced or body).hexdigest()
    return Answer(
        200, body, {"Content-Type": "application/vnd.sqlite3", "X-Content-SHA256": digest}
    )


def test_a_backup_is_whole_and_for_its_owner_only(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    agent.on("GET", "/v1/db/backup", backup_answer(COPY))
    file = tmp_path / "copy.sqlite"
    before = os.umask(0)
    try:
        said = iotctl("db", "backup", str(file))
    finally:
        os.umask(before)

    assert said.code == 0
    assert file.read_bytes() == COPY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(backup_answer(COPY, b"other"), id="not what was announced"),
        pytest.param(
            Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nSQLite"), id="cut off"
        ),
        pytest.param(refused(500, "internal", "no"), id="refused"),
    ],
)
def test_a_backup_that_fails_leaves_the_former_one(
    iotctl: Iotctl, agent: Script, tmp_path: Path, answer: Answer
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "copy.sqlite").write_text("former")
    agent.on("GET", "/v1/db/backup", answer)

    assert iotctl("db", "backup", str(folder / "copy.sqlite")).code == 1
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [
        ("copy.sqlite", "former")
    ]


def test_a_backup_where_none_can_be_written_is_2(iotctl: Iotctl, agent: Script) -> None:
    assert iotctl("db", "backup", "/nowhere/copy.sqlite").code == 2
    assert agent.asked == []


def test_a_backup_is_handed_over_with_its_hash(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    file = tmp_path / "copy.sqlite"
    file.write_bytes(COPY)
    agent.on("GET", "/v1/status", restarted(4711), restarted(4712))
    agent.on(
        "POST", "/v1/db/restore", Answer(202, {"status": "restarting", "quarantined": "/x/old"})
    )

    assert iotctl("db", "restore", str(file)).code == 2
    said = iotctl("db", "restore", str(file), "--yes")

    assert (said.code, said.out) == (0, "restored; the former one is /x/old\n")
    assert said.err == "the agent is back (pid 4712)\n"
    (sent,) = [asked for asked in agent.asked if asked.method == "POST"]
    assert sent.body == COPY
    assert sent.headers["x-content-sha256"] == hashlib.sha256(COPY).hexdigest()


def test_a_copy_of_another_device_is_5(iotctl: Iotctl, agent: Script, tmp_path: Path) -> None:
    file = tmp_path / "copy.sqlite"
    file.write_bytes(COPY)
    agent.on("GET", "/v1/status", answers.status())
    agent.on("POST", "/v1/db/restore", refused(409, "database-unusable", "of another device"))

    assert iotctl("db", "restore", str(file), "-y").code == 5


def test_a_copy_that_is_refused_before_it_was_read_is_told_as_refused(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    """A server may answer and close while the file is still on its way."""
    file = tmp_path / "copy.sqlite"
    file.write_bytes(COPY)
    agent.on("GET", "/v1/status", answers.status())
    agent.on("POST", "/v1/db/restore", refused(413, "too-large", "at most 256 MiB"))

    assert iotctl("db", "restore", str(file), "-y").code == 2
