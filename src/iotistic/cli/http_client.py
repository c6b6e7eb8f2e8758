"""One HTTP request with a deadline and limits. Whatever can go wrong becomes a `Failure`."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from iotistic.cli.failure import ExitCode, Failure, refusal
from iotistic.model.errors import InvalidField
from iotistic.model.reader import decode_json

BODY_BYTES_MAX = 32 * 1024 * 1024
LINE_BYTES_MAX = 1024 * 1024
_ERROR_BYTES_MAX = 256 * 1024
_CHUNK = 64 * 1024


class Deadline:
    """A point on the monotonic clock; `None` seconds is never."""

    def __init__(self, span_s: float | None) -> None:
        self._span_s = span_s
        self.renew()

    def renew(self) -> None:
        """Start the same span again from now."""
        self._at_s = None if self._span_s is None else time.monotonic() + self._span_s

    def remaining_s(self) -> float | None:
        """Seconds left; raises TimeoutError when there are none."""
        if self._at_s is None:
            return None
        left_s = self._at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


Connect = Callable[[Deadline], socket.socket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom to talk to. `what` and `start_it` are for messages; `headers` carry the credential.

    `prefix` stands before every path.
    """

    what: str
    connect: Connect
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    start_it: str = ""
    remedies: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, which `HttpClient.json` has checked to be JSON. Raises Failure for a list."""
        found = json.loads(self.body)
        if not isinstance(found, dict):
            raise unknown_form()
        return found


def unknown_form() -> Failure:
    """An answer that is JSON, but not as this version knows it."""
    return Failure(
        "the answer has not the form this version knows",
        code="unknown-form",
        remedy="iotctl version shows both versions; --json shows the answer as it is",
    )


class HttpClient:
    """Requests to one peer, one connection each; `timeout_s` bounds a whole exchange."""

    def __init__(self, peer: Peer, *, timeout_s: float) -> None:
        self._peer = peer
        self._timeout_s = timeout_s

    def json(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send JSON, if any, and return a reply that holds JSON. Raises Failure."""
        sent = None if body is None else json.dumps(body).encode()
        extra = {"Content-Type": "application/json; charset=utf-8"} if sent is not None else {}
        deadline = Deadline(timeout_s or self._timeout_s)
        with self._exchange(method, path, sent, {**extra, **(headers or {})}, deadline) as found:
            reply = Reply(found.status, _lower(found), self._read(found, BODY_BYTES_MAX))
        if reply.status != 204:
            self._decode(reply.body, found)
        return reply

    def lines(self, path: str, *, idle_s: float | None) -> Iterator[bytes]:
        """The lines of a stream that says something at least every `idle_s` (None: need not)."""
        deadline = Deadline(idle_s)
        headers = {"Accept": "application/x-ndjson"}
        with self._exchange("GET", path, None, headers, deadline) as found:
            rest = b""
            # Not readline(), which takes a connection that broke for the end of the stream.
            while piece := found.read1(_CHUNK):
                deadline.renew()
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > LINE_BYTES_MAX:
                    raise Failure(f"{self._peer.what} sent a line of more than 1 MiB")
                yield from filter(None, map(bytes.strip, lines))
            if rest or found.length:
                raise self._cut_off()

    def download(self, path: str, write: Callable[[bytes], object]) -> Mapping[str, str]:
        """Pass a file on piece by piece and return the headers."""
        deadline = Deadline(self._timeout_s)
        with self._exchange("GET", path, None, {}, deadline) as found:
            while piece := found.read(_CHUNK):
                deadline.renew()
                write(piece)
            if found.length:
                raise self._cut_off()
            return _lower(found)

    def upload(self, path: str, file: io.BufferedReader, headers: Mapping[str, str]) -> Reply:
        """POST a file. Its length is among `headers`."""
        deadline = Deadline(self._timeout_s)
        with self._exchange("POST", path, _Renewing(file, deadline), headers, deadline) as found:
            body = self._read(found, BODY_BYTES_MAX)
            self._decode(body, found)
            return Reply(found.status, _lower(found), body)

    @contextmanager
    def _exchange(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], deadline: Deadline
    ) -> Iterator[http.client.HTTPResponse]:
        what = self._peer.what
        connection = _Connection(self._peer, deadline)
        try:
            sent = {"Accept": "application/json", **self._peer.headers, **headers}
            connection.request(method, self._peer.prefix + path, body=body, headers=sent)
            found = connection.getresponse()
            if found.status >= 300:
                raise self._refused(found)
            yield found
        except TimeoutError as error:
            raise Failure(
                f"no complete answer from {what} in time",
                ExitCode.TIMEOUT,
                remedy="try again, or allow more with --timeout",
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise Failure(
                f"the certificate of {what} is not trusted: {error.verify_message}",
                ExitCode.REFUSED,
                code="certificate-untrusted",
                remedy="for a private authority give its certificate with --ca FILE",
            ) from error
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            raise Failure(
                f"{what} closed the connection without an answer",
                ExitCode.UNREACHABLE,
                remedy=self._peer.start_it or None,
            ) from error
        except http.client.IncompleteRead as error:
            raise self._cut_off() from error
        except http.client.HTTPException as error:
            raise Failure(f"{what} did not answer in HTTP") from error
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Failure(
                f"no connection to {what}: {reason}",
                ExitCode.UNREACHABLE,
                remedy=self._peer.start_it or None,
            ) from error
        finally:
            connection.close()

    def _refused(self, found: http.client.HTTPResponse) -> Failure:
        body = self._decode(self._read(found, _ERROR_BYTES_MAX), found)
        if not isinstance(body, dict) or not ("error" in body or "message" in body):
            return self._not_ours(found)
        return refusal(found.status, body, remedies=self._peer.remedies)

    def _read(self, found: http.client.HTTPResponse, bytes_max: int) -> bytes:
        body = found.read(bytes_max + 1)
        if len(body) > bytes_max:
            raise Failure(f"the answer of {self._peer.what} is larger than {bytes_max} bytes")
        if found.length:
            # read(n) of the standard library does not mind an end before Content-Length.
            raise self._cut_off()
        return body

    def _decode(self, body: bytes, found: http.client.HTTPResponse) -> Any:
        try:
            return decode_json(body, bytes_max=BODY_BYTES_MAX)
        except InvalidField as error:
            raise self._not_ours(found) from error

    def _not_ours(self, found: http.client.HTTPResponse) -> Failure:
        kind = (found.headers.get("Content-Type") or "nothing known").split(";")[0][:60]
        return Failure(
            f"what answers at {self._peer.what} is something else: {found.status}, {kind}",
            code="not-our-api",
            remedy="check the address, and what stands in between (a proxy?)",
        )

    def _cut_off(self) -> Failure:
        return Failure(
            f"the answer of {self._peer.what} was cut off",
            code="answer-cut-off",
            remedy="try again; the far side may have just restarted",
        )


class _Connection(http.client.HTTPConnection):
    """HTTP over whatever the peer's `connect` opens."""

    def __init__(self, peer: Peer, deadline: Deadline) -> None:
        super().__init__(peer.host)
        self._peer = peer
        self._deadline = deadline

    def connect(self) -> None:
        self.sock = _TimedSocket(self._peer.connect(self._deadline), self._deadline)


class _TimedSocket:
    """As much of a socket as `http.client` uses, with one deadline over all of it.

    A socket's own timeout starts anew with every byte: a peer that drips would hold us for ever.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.remaining_s())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))

    def close(self) -> None:
        self._sock.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.remaining_s())
        return self._sock.recv_into(buffer)


class _Renewing:
    """A file being sent: as long as pieces go out the exchange is alive."""

    def __init__(self, file: io.BufferedReader, deadline: Deadline) -> None:
        self._file = file
        self._deadline = deadline

    def read(self, size: int = -1) -> bytes:
        self._deadline.renew()
        return self._file.read(size)


def _lower(found: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in found.getheaders()}
