"""`iotistic-cloud` as a process, and what a test asks of it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cloud.running import PASSWORD

PROGRAM = Path(sys.executable).with_name("iotistic-cloud")
START_S = 30.0


@dataclass
class Process:
    """A cloud that runs as a process, and where it listens."""

    process: subprocess.Popen[str]
    data: Path
    url: str
    context: ssl.SSLContext | None = None

    def ask(
        self, method: str, path: str, body: Any = None, token: str = "", **more: str
    ) -> tuple[int, Any]:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        connection = (
            http.client.HTTPConnection(host, port, timeout=20)
            if self.context is None
            else http.client.HTTPSConnection(host, port, timeout=20, context=self.context)
        )
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        sent = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, body=sent, headers=headers)
            reply = connection.getresponse()
            raw = reply.read()
            return reply.status, json.loads(raw) if raw else None
        finally:
            connection.close()

    def set_up(self) -> str:
        """Use the first login as a script would; gives the session's token."""
        first = json.loads((self.data / "first-login.json").read_text())
        path = urlsplit(first["url"]).path
        body = {"token": first["token"], "username": "admin", "password": PASSWORD}
        status, reply = self.ask("POST", path, body)
        assert status == 200, reply
        return str(reply["token"])


def clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("IOTISTIC_")}


@contextmanager
def cloud(data: Path, *options: str, context: ssl.SSLContext | None = None) -> Iterator[Process]:
    (data / "cloud.json").unlink(missing_ok=True)
    log = data.with_name(f"{data.name}.log")
    with log.open("a") as output:
        process = subprocess.Popen(
            [PROGRAM, "serve", "--port", "0", "--data", str(data), *options],
            stdout=output,
            stderr=output,
            env=clean_environment(),
            text=True,
        )
    try:
        yield Process(process, data, address_of(process, data, log), context)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def address_of(process: subprocess.Popen[str], data: Path, log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"ended with {process.returncode}: {log.read_text()}")
        if (data / "cloud.json").exists():
            found = json.loads((data / "cloud.json").read_text())
            if found["pid"] == process.pid:
                return str(found["url"])
        time.sleep(0.02)
    pytest.fail(f"not listening: {log.read_text()}")


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        input=text,
        capture_output=True,
        env=clean_environment(),
        text=True,
        timeout=30,
        check=False,
    )
