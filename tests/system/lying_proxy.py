"""Stands before a cloud and, when told to, answers in its place: nonsense, errors, nothing."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}


class LyingProxy:
    """`lie` is (status, content type, body), or None to let the cloud answer.

    `lose` drops that many answers after the cloud gave them; `seen` counts requests.
    """

    def __init__(self) -> None:
        self.behind = ""
        self.lie: tuple[int, str, bytes] | None = None
        self.lose = 0
        self.seen = 0
        self.url = ""

    def asked(self, handler: BaseHTTPRequestHandler) -> tuple[int, list[tuple[str, str]], bytes]:
        """What to answer to one request."""
        self.seen += 1
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if self.lie is not None:
            status, kind, content = self.lie
            return status, [("Content-Type", kind)], content
        where = urlsplit(self.behind)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() not in _HOP_BY_HOP}
            connection.request(handler.command, handler.path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
            kept = [(k, v) for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP]
            return response.status, kept, content
        finally:
            connection.close()


@contextmanager
def lying_proxy() -> Iterator[LyingProxy]:
    """A proxy on loopback for the time of the block; set `behind` before it is used."""
    proxy = LyingProxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            try:
                status, headers, content = proxy.asked(self)
            except OSError:
                self.close_connection = True
                return
            if proxy.lose > 0:
                proxy.lose -= 1
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if status not in (204, 304):
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815 - the base's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """An agent that was killed hangs up in the middle: that is what these tests do."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
