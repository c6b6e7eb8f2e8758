"""A small real HTTP server on a Unix socket or a port, which answers as a test says."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request that came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Answer:
    """A status and a body; or raw bytes, which are all that is sent before the line is cut.

    `hold` keeps the connection open without a further byte until the server ends.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hold: bool = False

    @property
    def data(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def refused(status: int, code: str, message: str, **details: Any) -> Answer:
    body = {
        "error": "…",
        "message": message,
        "details": details,
        "code": code,
        "requestId": "r1",
    }
    return Answer(status, body)


def chunked(*pieces: bytes, end: bool = True) -> Answer:
    """A stream in chunks; without its `end` it was cut off."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
    )
    return Answer(raw=head + b"\r\n" + body + (b"0\r\n\r\n" if end else b""))


class Script:
    """What is answered to what; the last answer of a list stays."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self.asked: list[Asked] = []
        self.ended = threading.Event()
        self.url = ""

    def on(self, method: str, path: str, *answers: Answer | dict[str, Any]) -> None:
        found = [one if isinstance(one, Answer) else Answer(body=one) for one in answers]
        self._answers[method, path] = found

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        answers = self._answers.get((asked.method, asked.path))
        if not answers:
            return refused(404, "not-found", f"there is no {asked.path}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    @property
    def last(self) -> Asked:
        return self.asked[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        answer = self.script.answer(
            Asked(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
        )
        self.close_connection = True
        if answer.raw is not None:
            self.wfile.write(answer.raw)
        else:
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)
        if answer.hold:
            self.wfile.flush()
            self.script.ended.wait(30)

    def log_message(self, *_: Any, **__: Any) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return "local"


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler._serve)


class _Threads(socketserver.ThreadingMixIn):
    # Threads are joined at the end, so that none outlives its test.
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is part of the tests."""


class _TcpServer(_Threads, socketserver.TCPServer):
    """One connection, one thread."""


class _UnixServer(_Threads, socketserver.UnixStreamServer):
    """The same on a socket file."""


@contextmanager
def _running(server: socketserver.BaseServer, script: Script) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        script.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def unix_server(path: Path, script: Script) -> Iterator[None]:
    handler = type("Handler", (_Handler,), {"script": script})
    with _running(_UnixServer(str(path), handler), script):
        yield


@contextmanager
def tcp_server(script: Script) -> Iterator[int]:
    handler = type("Handler", (_Handler,), {"script": script})
    server = _TcpServer(("127.0.0.1", 0), handler)
    with _running(server, script):
        yield server.server_address[1]
