"""An engine's socket that takes calls and never answers, or hangs up at once; it counts them."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class SilentEngine:
    """`asked` are the first lines of the requests; `refuses`: it hangs up instead of waiting."""

    def __init__(self, path: Path) -> None:
        self.host = f"unix://{path}"
        self.asked: list[str] = []
        self.refuses = False
        self.gone = threading.Event()


@contextmanager
def silent_engine(path: Path) -> Iterator[SilentEngine]:
    """Serve one at `path` for the time of the block."""
    found = SilentEngine(path)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                found.asked.append(self.rfile.readline(4096).decode("ascii", "replace").strip())
                if not found.refuses:
                    found.gone.wait()

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            found.gone.set()
            server.shutdown()
            thread.join()
