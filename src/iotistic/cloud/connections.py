"""HTTP connections of callers who never finish: bounded in time and size.

What comes before a handler is uvicorn's, and uvicorn waits without end for a request's head,
whatever its length, and keeps as many pipelined requests as somebody sends.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from iotistic.model.canonical import canonical_json

TIMEOUT_S = 30.0
HEAD_BYTES_MAX = 64 * 1024
PIPELINE_MAX = 16


class BoundedHttp(HttpToolsProtocol):
    """One connection. Who is too slow, sends too much of a head, or does not wait for answers is
    cut off; it costs nobody else anything.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_is_open = False
        self._head_bytes = 0
        self._body_is_open = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is due from now on."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head that does not end, and what is asked before an answer."""
        was_open = self._head_is_open
        super().data_received(data)
        if was_open and self._head_is_open:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"the request's head has more than {HEAD_BYTES_MAX} bytes",
                )
        if len(self.pipeline) > PIPELINE_MAX:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        self._head_is_open, self._head_bytes = True, 0
        if self._timer is None:
            self._start_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there; for the body others watch the clock."""
        self._head_is_open, self._body_is_open = False, True
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of a request is there."""
        self._body_is_open = False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """What is left of a body that was refused may still come, but not for ever."""
        if self._body_is_open and self._timer is None:
            self._start_timer()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets an answer in the same form as everything else."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        body = canonical_json(
            {
                "error": status.phrase,
                "message": message,
                "code": status.phrase.lower().replace(" ", "-"),
                "requestId": secrets.token_hex(8),
            }
        )
        head = (
            b"content-type: application/json\r\n"
            b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        )
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[status] + head + body)
            self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(TIMEOUT_S, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        self.transport.abort()
