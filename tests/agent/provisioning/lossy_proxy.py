"""A way to a cloud that loses replies: what was asked arrives, what was answered does not."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_TIMEOUT_S = 30.0


class LossyProxy:
    """TCP between an agent and a cloud on this machine. `lose[path]` counts the replies to lose;
    with `hold` the connection then stays open, as in a network that swallows packets.
    """

    def __init__(self, target: str) -> None:
        where = urlsplit(target)
        self._target = (where.hostname or "", where.port or 80)
        self.lose: Counter[bytes] = Counter()
        self.hold = False
        self.lost = threading.Event()
        self.url = ""
        self._released = threading.Event()

    @contextmanager
    def serve(self) -> Iterator[LossyProxy]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.url = f"http://127.0.0.1:{server.getsockname()[1]}"
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()
            try:
                yield self
            finally:
                self._released.set()
                server.shutdown(socket.SHUT_RDWR)

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._target) as cloud:
            client.settimeout(_TIMEOUT_S)
            cloud.settimeout(_TIMEOUT_S)
            while request := client.recv(_CHUNK):
                path = request.split(b" ", 2)[1] if b" HTTP/1.1\r\n" in request else b""
                cloud.sendall(request)
                if not _whole(request):
                    cloud.sendall(client.recv(_CHUNK))
                reply = cloud.recv(_CHUNK)
                if self.lose[path] > 0:
                    self.lose[path] -= 1
                    self.lost.set()
                    if self.hold:
                        self._released.wait(_TIMEOUT_S)
                    return
                client.sendall(reply)
                while not _whole(reply):
                    more = cloud.recv(_CHUNK)
                    if not more:
                        return
                    reply += more
                    client.sendall(more)


def _whole(message: bytes) -> bool:
    """Whether this is all of a message, by its Content-Length; one without has no body."""
    head, end, body = message.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return True
