"""The real programs as processes, for demo, benchmarks and system tests: start, ask, kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
_BIN = Path(sys.executable).parent
_POLL_S = 0.02


class ProgramFailed(Exception):
    """A program ended, answered or stayed silent in a way it should not."""


def wait_for(
    what: str, look: Callable[[], T | None], timeout_s: float = 30.0, *, every_s: float = _POLL_S
) -> T:
    """Ask again and again until there is an answer; raises ProgramFailed at the deadline."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        if (found := look()) is not None:
            return found
        if time.monotonic() >= deadline_s:
            raise ProgramFailed(f"{what}: not within {timeout_s:g} s")
        time.sleep(every_s)


@dataclass(slots=True)
class Program:
    """One of our programs as a process, its output in `log`."""

    name: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where it writes what it says."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The process id of a program that runs."""
        if self.process is None:
            raise ProgramFailed(f"{self.name} does not run")
        return self.process.pid

    def start(self) -> None:
        """Start it; returns at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(_BIN / self.name), *self.arguments],
                cwd=self.folder,
                env={**_clean_environment(), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def check_alive(self) -> None:
        """Raise ProgramFailed, with its last words, if it has ended."""
        if self.process is not None and (code := self.process.poll()) is not None:
            raise ProgramFailed(f"{self.name} ended with {code}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its output."""
        return self.log.read_text("utf-8", "replace")[-2000:] if self.log.exists() else ""

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self, timeout_s: float = 15.0) -> float:
        """SIGTERM; returns the seconds it took. Killed when it does not end."""
        return self._end(signal.SIGTERM, timeout_s)

    def _end(self, number: int, timeout_s: float = 15.0) -> float:
        process, self.process = self.process, None
        if process is None:
            return 0.0
        started_s = time.monotonic()
        process.send_signal(number)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ProgramFailed(f"{self.name} did not end within {timeout_s:g} s") from None
        return time.monotonic() - started_s


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _clean_environment() -> dict[str, str]:
    """Ours without what would configure the programs from outside."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "COVERAGE_PROCESS_START")
    return {name: os.environ[name] for name in kept if name in os.environ}


class Agent(Program):
    """`iotistic-agent` with a state folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__(
            "iotistic-agent",
            folder,
            {"DATABASE_PATH": str(folder / "device.sqlite"), "DEVICE_API_PORT": "0"} | environment,
        )

    def call(self, method: str, path: str, body: Any = None, timeout_s: float = 70.0) -> Any:
        """Ask the Device API over its socket; the decoded JSON, or the text."""
        connection = _UnixConnection(str(self.folder / "agent.sock"), timeout_s)
        return _call(connection, method, path, body, {})

    def ready(self, timeout_s: float = 30.0) -> Agent:
        """Wait until the Device API answers."""

        def ping() -> bool | None:
            self.check_alive()
            try:
                return self.call("GET", "/ping") == "OK" or None
            except (OSError, http.client.HTTPException):
                return None

        wait_for("the Device API", ping, timeout_s)
        return self

    def failures(self) -> list[str]:
        """What failed among the agent's own services in all its lives, as its log has it.

        The supervisor starts such a service anew, so it is easily overlooked.
        """
        if not self.log.exists():
            return []
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [line[:2000] for line in lines if '"message":"service failed"' in line]

    def until_settled(self, version: int | None = None, timeout_s: float = 60.0) -> None:
        """Wait until the target held (of `version`, if given) has been reached."""

        def settled() -> bool | None:
            self.check_alive()
            status = self.call("GET", "/v1/status")
            target = status["target"]
            if target is None or target["appliedAt"] is None:
                return None
            if version is not None and target["version"] != version:
                return None
            return True if status["settled"] else None

        wait_for("the target", settled, timeout_s)


class Cloud(Program):
    """`iotistic-cloud` on a port that the system chose, with a folder of its own."""

    USER = "admin"
    PASSWORD = "a demonstration only"  # noqa: S105 - of a cloud that lives for minutes on loopback

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        super().__init__(
            "iotistic-cloud",
            folder,
            arguments=("serve", "--port", str(port), "--data", str(folder / "cloud")),
        )
        self.url = ""
        self.token = ""

    @contextmanager
    def serving(self) -> Iterator[Cloud]:
        """Run it for the time of the block, an operator logged in."""
        self.start()
        try:
            self.ready().log_in()
            yield self
        finally:
            self.stop()

    def ready(self, timeout_s: float = 60.0) -> Cloud:
        """Wait until it answers; it can take keys and devices then."""

        def answer() -> bool | None:
            self.check_alive()
            try:
                found = json.loads((self.folder / "cloud" / "cloud.json").read_text())
                self.url = found["url"]
                if found["pid"] != self.pid:
                    return None
                return True if self.call("GET", "/ready") is not None else None
            except (OSError, ValueError, http.client.HTTPException, ProgramFailed):
                return None

        wait_for("the cloud", answer, timeout_s)
        return self

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Ask its API as the operator who is logged in."""
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return _call(connection, method, path, body, {**token, **(headers or {})})

    def log_in(self) -> None:
        """Become the first administrator with the one-time token of the first start."""
        first = self.folder / "cloud" / "first-login.json"
        token = wait_for("the one-time login", lambda: _read_json(first))["token"]
        session = self.call(
            "POST",
            "/api/v1/auth/setup",
            {"token": token, "username": self.USER, "password": self.PASSWORD},
        )
        self.token = session["token"]

    def new_key(self, **limits: Any) -> str:
        """A provisioning key."""
        reply = self.call("POST", "/api/v1/provisioning-keys", {"fleetId": "default"} | limits)
        return str(reply["key"])

    def set_target(self, uuid: str, apps: Mapping[str, Any]) -> int:
        """Save and deploy a target; its version."""
        reply = self.call(
            "PUT", f"/api/v1/devices/{uuid}/target-state", {"apps": apps, "config": {}}
        )
        return int(reply["version"])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _call(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any,
    headers: Mapping[str, str],
) -> Any:
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(
            method, path, body=data, headers={"Content-Type": "application/json", **headers}
        )
        response = connection.getresponse()
        content = response.read().decode()
    finally:
        connection.close()
    if response.status >= 400:
        raise ProgramFailed(f"{method} {path}: {response.status} {content[:500]}")
    is_json = response.headers.get_content_type() == "application/json"
    return json.loads(content) if is_json and content else content
