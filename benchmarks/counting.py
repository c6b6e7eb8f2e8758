"""A way to the engine that counts the requests which pass through it."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"(?:^|\r\n\r\n)(GET|POST|DELETE|HEAD|PUT) /(?:v[0-9.]+/)?([^ ?]+)")


class Counting:
    """`host` is for DOCKER_HOST; `seen` counts by method and path, versions left out."""

    def __init__(self, path: Path, upstream: str) -> None:
        self.host = f"unix://{path}"
        self.seen: Counter[str] = Counter()
        self._upstream = upstream
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)

    def accept(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those there are end with their two sides."""
        # Shutting down wakes the thread that accepts, closing alone does not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _carry(self, near: socket.socket) -> None:
        """One connection, both ways, until both sides have ended."""
        with near, _connect(self._upstream) as far:
            back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
            back.start()
            _pass_on(near, far, self._count)
            back.join()

    def _count(self, data: bytes) -> None:
        # A client sends a request's head in one piece, and the bodies here are small.
        self.seen.update(
            f"{method.decode()} {path.decode('ascii', 'replace')}"
            for method, path in _REQUEST.findall(data)
        )


@contextmanager
def counting(folder: Path, upstream: str) -> Iterator[Counting]:
    """Stand between a client and the engine at `upstream` for the time of the block."""
    between = Counting(folder / "counting.sock", upstream)
    threading.Thread(target=between.accept, daemon=True).start()
    try:
        yield between
    finally:
        between.close()


def _pass_on(
    source: socket.socket, sink: socket.socket, look: Callable[[bytes], None] = lambda _: None
) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            look(data)
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _connect(host: str) -> socket.socket:
    parts = urlsplit(host)
    if parts.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(parts.path)
        return connection
    return socket.create_connection((parts.hostname or "", parts.port or 2375))
