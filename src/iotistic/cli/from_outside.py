"""What can be told of an agent that does not answer: by its files, its lock, its port, its engine.

Nothing here disturbs an agent that is just starting: its lock is not taken, only looked up, and its
database is read only while nobody holds the lock.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotistic.model.state_folder import (
    ACCESS_FILE,
    DATABASE_FILE,
    IDENTITY_FILE,
    KEY_FILE,
    LAST_TARGET_FILE,
    LOCK_SUFFIX,
    PORT_FILE,
    SOCKET_FILE,
)

START_IT = "sudo systemctl start iotistic-agent; in Docker: docker start its container"
_LOCKS = Path("/proc/locks")
_OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_READ_FOR_S = 5.0
_ENGINE_TIMEOUT_S = 2.0
Check = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """Where an agent should be: its folder, its database, its port, its engine."""

    folder: Path
    database: Path
    port: int
    docker_host: str

    @classmethod
    def of(cls, folder: Path, env: Mapping[str, str], port: int) -> Site:
        """The site that the environment of this shell describes; the agent's may differ."""
        given = env.get("DATABASE_PATH")
        return cls(
            folder=folder,
            database=Path(given) if given else folder / DATABASE_FILE,
            port=port,
            docker_host=env.get("DOCKER_HOST") or "unix:///var/run/docker.sock",
        )

    @property
    def lock(self) -> Path:
        """What an agent at work holds."""
        return self.database.with_name(self.database.name + LOCK_SUFFIX)


def examine(site: Site, said: str) -> dict[str, Any]:
    """All that can be checked, in the form in which the agent tells it. `said`: why it is so."""
    checks = [
        _check("agent", "the agent", lambda: _agent(site, said)),
        _check("state-folder", "the agent's folder", lambda: _folder(site)),
        _check("permissions", "rights of files", lambda: _permissions(site)),
        _check("database", "the agent's database", lambda: _database(site)),
        _check("port", "the Device API's port", lambda: _port(site)),
        _check("engine", "the container engine", lambda: _engine(site)),
    ]
    return {
        "healthy": False,
        "fromOutside": True,
        "checks": checks,
        "fixes": [
            {"id": fix_id, "title": title, "will": will}
            for fix_id, title, will in _fixes(site)
            if will
        ],
    }


def mend(site: Site, fix_id: str) -> list[str]:
    """Do one of the fixes; what was done."""
    found = next((will for known, _, will in _fixes(site) if known == fix_id), [])
    if fix_id == "permissions":
        for path, mode in _wide(site):
            path.chmod(mode)
    elif fix_id == "stale-endpoint":
        for path in _stale(site):
            path.unlink(missing_ok=True)
    return found


def holder_of(lock: Path) -> int | None:
    """The process that holds a lock file, without touching it; None when nobody does.

    0: somebody outside of this container. Source: proc_locks(5).
    """
    try:
        found = lock.stat()
        table = _LOCKS.read_text("ascii", "replace")
    except OSError:
        return None
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
            return max(0, int(fields[4]))
    return None


def _check(check_id: str, title: str, look: Callable[[], Check]) -> Check:
    started_s = time.monotonic()
    try:
        found = look()
    except OSError as error:
        found = _found("failed", f"{error.filename or check_id}: {error.strerror or error}")
    return {
        "id": check_id,
        "title": title,
        **found,
        "tookMs": round((time.monotonic() - started_s) * 1000),
    }


def _found(verdict: str, message: str, remedy: str | None = None, **evidence: Any) -> Check:
    return {"verdict": verdict, "message": message, "remedy": remedy, "evidence": evidence}


def _agent(site: Site, said: str) -> Check:
    holder = holder_of(site.lock)
    if holder is None:
        return _found("failed", f"it does not run: {said}", START_IT)
    who = f"process {holder}" if holder else "a process elsewhere"
    return _found(
        "failed",
        f"{who} holds {site.lock}, but does not answer: {said}",
        "see its log (journalctl -u iotistic-agent); if it stays so: systemctl restart"
        " iotistic-agent",
        pid=holder,
    )


def _folder(site: Site) -> Check:
    if not site.folder.is_dir():
        return _found(
            "failed",
            f"{site.folder} is not there",
            "name the agent's folder with --state-dir; a first start makes it",
        )
    found = site.folder.stat()
    free = os.statvfs(site.folder)
    facts: dict[str, Any] = {"free_bytes": free.f_bavail * free.f_frsize, "owner": found.st_uid}
    if not os.access(site.folder, os.R_OK | os.X_OK):
        return _found("failed", f"{site.folder} may not be read by this user", "use sudo", **facts)
    return _found("ok", f"{site.folder} is there", **facts)


def _permissions(site: Site) -> Check:
    wide = [f"{path} has mode {stat.S_IMODE(path.stat().st_mode):04o}" for path, _ in _wide(site)]
    if wide:
        return _found("failed", wide[0], "iotctl doctor --fix", wrong=wide)
    return _found("ok", "what is secret is readable by its owner only")


def _wide(site: Site) -> list[tuple[Path, int]]:
    """Files of this user with rights that are too wide, and those that they should have."""
    names = (ACCESS_FILE, SOCKET_FILE, IDENTITY_FILE, KEY_FILE, LAST_TARGET_FILE)
    databases = [site.database.with_name(site.database.name + end) for end in ("", "-wal", "-shm")]
    found = []
    for path in [site.folder, *databases, *(site.folder / name for name in names)]:
        try:
            mode, owner = path.lstat().st_mode, path.lstat().st_uid
        except OSError:
            continue
        wrong = mode & (_OTHERS_MAY_WRITE if path == site.folder else _OTHERS_MAY)
        if wrong and not stat.S_ISLNK(mode) and os.geteuid() in (0, owner):
            found.append((path, stat.S_IMODE(mode) & ~wrong))
    return found


def _database(site: Site) -> Check:
    if not site.database.exists():
        return _found("warning", f"{site.database} is not there", "a start makes it anew")
    if holder_of(site.lock) is not None:
        return _found("skipped", "it is in use, and its holder is not disturbed")
    try:
        with contextlib.closing(_connect(site.database)) as connection:
            told = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        return _found(
            "failed",
            f"{site.database} cannot be read: {error}",
            "start the agent: it sets a broken one aside and builds it anew",
        )
    if told != "ok":
        return _found(
            "failed",
            f"{site.database} is damaged",
            "start the agent: it sets a broken one aside and builds it anew",
        )
    return _found("ok", f"{site.database} is sound", schema=version)


def _connect(database: Path) -> sqlite3.Connection:
    # Without a log beside it the file is all there is; opened as usual, it would get a new log.
    has_log = database.with_name(f"{database.name}-wal").exists()
    mode = "mode=ro" if has_log else "immutable=1"
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?{mode}", uri=True, timeout=1.0)
    until_s = time.monotonic() + _READ_FOR_S
    connection.set_progress_handler(lambda: time.monotonic() > until_s, 10_000)
    return connection


def _port(site: Site) -> Check:
    if site.port == 0:
        return _found("skipped", "the system chooses one at each start")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(("127.0.0.1", site.port))
        except OSError:
            return _found("ok", f"{site.port} is free", port=site.port)
    return _found(
        "warning",
        f"somebody answers at 127.0.0.1:{site.port}: the agent could use its socket only",
        f"see who it is: ss -ltnp sport = :{site.port}; or set DEVICE_API_PORT",
        port=site.port,
    )


def _engine(site: Site) -> Check:
    scheme, _, path = site.docker_host.partition("://")
    if scheme != "unix":
        return _found("skipped", "DOCKER_HOST is on another machine, the agent will ask it")
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/_ping")
        answer = connection.getresponse()
    except PermissionError:
        return _found("skipped", f"{path} may not be opened by this user", "use sudo")
    except (OSError, http.client.HTTPException) as error:
        return _found(
            "failed",
            f"nobody answers at {path}: {getattr(error, 'strerror', None) or error}",
            "sudo systemctl start docker",
        )
    finally:
        connection.close()
    return _found("ok", f"it answers at {path}", status=answer.status)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ENGINE_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_ENGINE_TIMEOUT_S)
        self.sock.connect(self._path)


def _fixes(site: Site) -> Iterator[tuple[str, str, list[str]]]:
    yield (
        "permissions",
        "take rights away that others have on the agent's files",
        [f"chmod {mode:04o} {path}" for path, mode in _wide(site)],
    )
    yield (
        "stale-endpoint",
        "remove the socket and the port file of an agent that is gone",
        [f"remove {path}" for path in _stale(site)],
    )


def _stale(site: Site) -> list[Path]:
    """What tells clients of an agent, while nobody holds its lock."""
    if holder_of(site.lock) is not None:
        return []
    found = []
    with contextlib.suppress(OSError):
        path = site.folder / SOCKET_FILE
        if stat.S_ISSOCK(path.lstat().st_mode) and not _answers(path):
            found.append(path)
    with contextlib.suppress(OSError):
        path = site.folder / PORT_FILE
        if stat.S_ISREG(path.lstat().st_mode):
            found.append(path)
    return found


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # not known, so left alone
    return True
