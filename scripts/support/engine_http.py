"""A Docker Engine's API for scripts: blocking, over its Unix socket or plain TCP, stdlib only."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

API_VERSION = "v1.41"


class EngineRefused(Exception):
    """The engine answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class EngineHttp:
    """One engine, given as `unix:///path` or `tcp://host:port`."""

    def __init__(self, host: str, *, timeout_s: float = 60.0) -> None:
        self.host = host
        self._timeout_s = timeout_s

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> Any:
        """Make one request; returns the decoded JSON, or the raw bytes of anything else."""
        query = urlencode(
            {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in params.items()
            }
        )
        url = f"/{API_VERSION}{quote(path, safe='/:@')}" + (f"?{query}" if query else "")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        connection = self._connect()
        try:
            connection.request(
                method, url, body=data, headers={"Content-Type": kind, **(headers or {})}
            )
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineRefused(response.status, content.decode("utf-8", "replace").strip())
        if response.headers.get_content_type() == "application/json" and content:
            return _decode(content)
        return content

    def answers(self) -> bool:
        """Whether an engine answers there."""
        try:
            self.call("GET", "/_ping")
        except (OSError, http.client.HTTPException, EngineRefused):
            return False
        return True

    def _connect(self) -> http.client.HTTPConnection:
        return engine_connection(self.host, timeout_s=self._timeout_s)


def engine_connection(host: str, *, timeout_s: float | None) -> http.client.HTTPConnection:
    """A connection to the engine at `unix:///path` or `tcp://host:port`."""
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path, timeout=timeout_s)
    if parts.scheme in ("tcp", "http") and parts.hostname:
        return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout_s)
    raise ValueError(f"expected unix:///path or tcp://host:port, found {host!r}")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, *, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError:
        return [json.loads(line) for line in content.splitlines() if line.strip()]
