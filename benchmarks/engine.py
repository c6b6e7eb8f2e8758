"""The engine as somebody else uses it: another program, or a person at a shell."""

from __future__ import annotations

import http.client
import json
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from scripts.support import images
from scripts.support.engine_http import API_VERSION, EngineHttp, EngineRefused
from scripts.support.private_docker import private_docker
from scripts.support.programs import ProgramFailed

IMAGE = images.SLEEPER
LABEL = "iotistic.benchmark"
_DEFAULT_HOST = "unix:///var/run/docker.sock"

# What a person would type. The network is part of it, as the agent makes one as well.
_LOOP = """
set -eu
docker network create --label "$LABEL" "$NAME" >/dev/null
i=0
while [ "$i" -lt "$COUNT" ]; do
    docker run -d --name "$NAME-$i" --label "$LABEL" --network "$NAME" \
        --restart unless-stopped -e "MESSAGE=$MESSAGE" "$IMAGE" >/dev/null
    i=$((i + 1))
done
"""
_LOOP_TIMEOUT_S = 300.0


@contextmanager
def bench_engine() -> Iterator[BenchEngine]:
    """The machine's engine (DOCKER_HOST honored), or one of our own; the image is in it."""
    host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    if EngineHttp(host, timeout_s=5.0).answers():
        images.load(host, IMAGE)
        yield BenchEngine(host)
        return
    with private_docker() as own:
        images.load(own.host, IMAGE)
        yield BenchEngine(own.host)


class BenchEngine:
    """One engine, from outside of the agent."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.http = EngineHttp(host, timeout_s=120.0)
        self.has_cli = shutil.which("docker") is not None

    def run_loop(self, count: int, message: str) -> float:
        """Start `count` services one after the other, as a shell would; seconds to the last start.

        With the `docker` program where there is one, else with the same calls that it makes.
        """
        label = f"{LABEL}={os.getpid()}"
        with self.watch(label) as starts:
            began_s = time.time()
            if self.has_cli:
                self._shell_loop(count, message, label)
            else:
                self._call_loop(count, message, label)
            return starts.time_of_last(count) - began_s

    def clear_loop(self) -> None:
        """Remove what `run_loop` has made."""
        self.clean(f"{LABEL}={os.getpid()}")

    def start_alone_s(self, message: str) -> float:
        """How long the engine takes to start one made container when nothing else is going on."""
        label = f"{LABEL}={os.getpid()}"
        container_id = self._create(f"iotistic-bench-{os.getpid()}-alone", message, label, None)
        try:
            with self.watch(label) as starts:
                began_s = time.time()
                self.http.call("POST", f"/containers/{container_id}/start")
                return starts.time_of_last(1) - began_s
        finally:
            self.http.call("DELETE", f"/containers/{container_id}", force="1")

    def running(self, label: str) -> list[dict[str, Any]]:
        """The running containers with the label."""
        found: list[dict[str, Any]] = self.http.call(
            "GET", "/containers/json", filters={"label": [label]}
        )
        return found

    def clean(self, label: str) -> None:
        """Remove containers, networks and volumes with the label."""
        filters = {"label": [label]}
        for listed in self.http.call("GET", "/containers/json", all="1", filters=filters):
            with suppress(EngineRefused):
                self.http.call("DELETE", f"/containers/{listed['Id']}", force="1", v="1")
        for listed in self.http.call("GET", "/networks", filters=filters):
            with suppress(EngineRefused):
                self.http.call("DELETE", f"/networks/{listed['Id']}")
        for listed in self.http.call("GET", "/volumes", filters=filters)["Volumes"] or ():
            with suppress(EngineRefused):
                self.http.call("DELETE", f"/volumes/{listed['Name']}")

    @contextmanager
    def watch(self, label: str) -> Iterator[Starts]:
        """The starts of containers with the label, as the engine tells of them."""
        starts = Starts(self.host, label)
        try:
            yield starts
        finally:
            starts.close()

    def _shell_loop(self, count: int, message: str, label: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", _LOOP],
            env={
                **os.environ,
                "DOCKER_HOST": self.host,
                "NAME": f"iotistic-bench-{os.getpid()}",
                "LABEL": label,
                "COUNT": str(count),
                "MESSAGE": message,
                "IMAGE": IMAGE.reference,
            },
            capture_output=True,
            text=True,
            timeout=_LOOP_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise ProgramFailed(f"docker run: {done.stderr.strip()[-500:]}")

    def _call_loop(self, count: int, message: str, label: str) -> None:
        name = f"iotistic-bench-{os.getpid()}"
        key, _, value = label.partition("=")
        network = {"Name": name, "Labels": {key: value}, "CheckDuplicate": True}
        self.http.call("POST", "/networks/create", body=network)
        for number in range(count):
            container_id = self._create(f"{name}-{number}", message, label, name)
            self.http.call("POST", f"/containers/{container_id}/start")

    def _create(self, name: str, message: str, label: str, network: str | None) -> str:
        key, _, value = label.partition("=")
        host_config: dict[str, Any] = {"RestartPolicy": {"Name": "unless-stopped"}}
        if network:
            host_config["NetworkMode"] = network
        body = {
            "Image": IMAGE.reference,
            "Env": [f"MESSAGE={message}"],
            "Labels": {key: value},
            "HostConfig": host_config,
        }
        return str(self.http.call("POST", "/containers/create", body=body, name=name)["Id"])


class Starts:
    """A stream of the engine's start events, open from the moment it is made."""

    def __init__(self, host: str, label: str) -> None:
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._connection = _StreamConnection(host)
        filters = json.dumps({"type": ["container"], "event": ["start"], "label": [label]})
        query = urlencode({"filters": filters})
        self._connection.request("GET", f"/{API_VERSION}/events?{query}")
        self._response = self._connection.getresponse()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def next(self, timeout_s: float = 120.0) -> dict[str, Any]:
        """The next start."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            raise ProgramFailed(f"no container started within {timeout_s:g} s") from None

    def time_of_last(self, count: int) -> float:
        """Wait for `count` starts of different containers; when the last was, in Unix seconds."""
        last_s, seen = 0.0, set[str]()
        while len(seen) < count:
            event = self.next()
            seen.add(event["Actor"]["ID"])
            last_s = event["timeNano"] / 1e9
        return last_s

    def close(self) -> None:
        """Hang up."""
        if self._connection.sock is not None:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._response.close()
        self._connection.close()

    def _read(self) -> None:
        with suppress(OSError, ValueError, http.client.HTTPException):
            while line := self._response.readline():
                self._events.put(json.loads(line))


class _StreamConnection(http.client.HTTPConnection):
    def __init__(self, host: str) -> None:
        parts = urlsplit(host)
        super().__init__(parts.hostname or "localhost", parts.port or 2375)
        self._path = parts.path if parts.scheme == "unix" else None

    def connect(self) -> None:
        if self._path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)
