"""Stands between an agent and its engine, and holds a chosen call so that the agent dies at it."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from scripts.support.engine_http import engine_connection

_KINDS = (
    ("pull", "POST /images/create"),
    ("remove-image", "DELETE /images/[^/]+"),
    ("create-network", "POST /networks/create"),
    ("remove-network", "DELETE /networks/[^/]+"),
    ("join-network", "POST /networks/[^/]+/connect"),
    ("create-volume", "POST /volumes/create"),
    ("create-container", "POST /containers/create"),
    ("start", "POST /containers/[^/]+/start"),
    ("stop", "POST /containers/[^/]+/stop"),
    ("pause", "POST /containers/[^/]+/pause"),
    ("unpause", "POST /containers/[^/]+/unpause"),
    ("rename", "POST /containers/[^/]+/rename"),
    ("remove", "DELETE /containers/[^/]+"),
)
"""The calls that change something, by what they are called in these tests."""
CHANGES = frozenset(kind for kind, _ in _KINDS)


def kind_of(method: str, path: str) -> str | None:
    """Which kind of change a request is; None for one that only looks."""
    bare = re.sub(r"^/v[0-9.]+", "", urlsplit(path).path)
    return next((kind for kind, form in _KINDS if re.fullmatch(form, f"{method} {bare}")), None)


@dataclass(frozen=True, slots=True)
class Moment:
    """The call to hold: the n-th from now on of these kinds, or of all that change something.

    `after`: the engine has done it then, and its answer is what does not arrive.
    """

    after: bool
    kinds: frozenset[str] = CHANGES
    number: int = 1


class HoldingProxy:
    """Holds one call at a time; from then on no other change gets through either."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.host = ""
        self._guard = threading.Lock()
        self._moment: Moment | None = None
        self._left = 0
        self._is_met = False
        self._held: str | None = None
        self._let_go = threading.Event()

    @property
    def moment(self) -> Moment | None:
        """The moment that is waited for, or has come."""
        return self._moment

    @property
    def held(self) -> str | None:
        """The kind of the call that is held now."""
        return self._held

    def hold(self, moment: Moment | None) -> None:
        """Hold such a call. What was held until now is dropped: who made it is dead."""
        with self._guard:
            self._let_go.set()
            self._let_go = threading.Event()
            self._held, self._moment, self._is_met = None, moment, False
            self._left = moment.number if moment else 0

    def meets(self, kind: str | None) -> tuple[threading.Event, Moment | None]:
        """What is to be done with a call: the moment, if it is to be held until the event."""
        with self._guard:
            if kind is None or self._moment is None:
                return self._let_go, None
            if self._is_met:
                return self._let_go, Moment(after=False)
            self._left -= kind in self._moment.kinds
            if self._left > 0 or kind not in self._moment.kinds:
                return self._let_go, None
            self._is_met = True
            return self._let_go, self._moment

    def reached(self, kind: str | None, let_go: threading.Event) -> None:
        """The call is where it is to be held."""
        with self._guard:
            if let_go is self._let_go and self._held is None:
                self._held = kind


@contextmanager
def holding_proxy(engine: str) -> Iterator[HoldingProxy]:
    """A proxy on loopback before the engine at `engine`, for the time of the block."""
    proxy = HoldingProxy(engine)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            self.close_connection = True  # one call each: none has to wait behind one that is held
            with suppress(OSError, http.client.HTTPException):
                self._answer()

        def _answer(self) -> None:
            kind = kind_of(self.command, self.path)
            let_go, moment = proxy.meets(kind)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if moment is not None and not moment.after:
                if moment is proxy.moment:
                    proxy.reached(kind, let_go)
                let_go.wait()
                return
            connection = engine_connection(proxy.engine, timeout_s=None)
            try:
                headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
                connection.request(self.command, self.path, body or None, headers)
                response = connection.getresponse()
                if moment is not None:
                    response.read()
                    proxy.reached(kind, let_go)
                    let_go.wait()
                    return
                self.send_response(response.status)
                self.send_header("Content-Type", response.headers.get("Content-Type", "text/plain"))
                self.send_header("Connection", "close")
                self.end_headers()
                while part := response.read1(65536):
                    self.wfile.write(part)
                    self.wfile.flush()
            finally:
                connection.close()

        do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = _pass_on  # noqa: N815 - the base's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """An agent that was killed hangs up in the middle: that is what these tests do."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.host = f"tcp://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.hold(None)
        server.shutdown()
        server.server_close()
        thread.join()
