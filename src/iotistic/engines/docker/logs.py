"""A container's output, from the engine's frames to lines with a time.

Without a terminal the engine sends frames: one byte for the stream (1 stdout, 2 stderr), three of
padding, four of length, then one message; with a terminal, plain bytes. Asked for times, it puts
one before each message. A message longer than 16 KiB comes in several frames, each with a time of
its own and only the last with a line end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from iotistic.engines.docker.connection import Connection, decode
from iotistic.engines.docker.deadlines import LIST_S
from iotistic.engines.docker.errors import EngineAnswer, general
from iotistic.engines.protocol import ContainerLogLine
from iotistic.model.errors import EngineUnavailable, Refused

LINE_BYTES_MAX = 64 * 1024
_HEADER_BYTES = 8
_FRAME_BYTES_MAX = 1024 * 1024
_STDERR = 2
_NOT_IMPLEMENTED = 501


class _Config(msgspec.Struct):
    Tty: bool = False


class _Inspected(msgspec.Struct):
    Config: _Config


async def follow_logs(
    connection: Connection,
    container_id: str,
    *,
    tail: int | None,
    follow: bool,
    since_s: float | None,
) -> AsyncGenerator[ContainerLogLine, None]:
    """The last `tail` lines, then, with `follow`, what comes until the container ends."""
    path = f"containers/{container_id}"
    params = {
        "stdout": "1",
        "stderr": "1",
        "timestamps": "1",
        "tail": "all" if tail is None else str(tail),
    }
    params |= {"follow": "1"} if follow else {}
    params |= {} if since_s is None else {"since": f"{since_s:.9f}"}
    try:
        content = await connection.fetch("GET", f"{path}/json", within_s=LIST_S)
        terminal = decode(content, _Inspected, what="a container").Config.Tty
        decoder = LogDecoder(terminal=terminal)
        async with connection.stream(
            "GET", f"{path}/logs", params=params, within_s=LIST_S
        ) as response:
            async for data in response.content.iter_any():
                for line in decoder.feed(data):
                    yield line
            for line in decoder.end():
                yield line
    except EngineAnswer as answer:
        if answer.status == _NOT_IMPLEMENTED:
            raise Refused(
                f"logs of container {container_id[:12]}: {answer.text}",
                code="logs-not-readable",
                remedy="give the service a logging driver that can be read, such as local",
            ) from answer
        raise general(answer, f"logs of container {container_id[:12]}") from answer


class LogDecoder:
    """Takes bytes as they come, gives lines; a longer one is given in pieces of 64 KiB."""

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal
        self._bytes = bytearray()
        self._begun: dict[bool, _Begun] = {}

    def feed(self, data: bytes) -> Iterator[ContainerLogLine]:
        """The lines that these bytes complete; raises EngineUnavailable for a broken frame."""
        self._bytes += data
        if self._terminal:
            yield from self._terminal_lines()
            return
        while (frame := self._next_frame()) is not None:
            yield from self._message(*frame)

    def end(self) -> Iterator[ContainerLogLine]:
        """What is left without a line end."""
        if self._terminal and self._bytes:
            yield from self._message(False, bytes(self._bytes) + b"\n")
            self._bytes.clear()
        for stderr, begun in self._begun.items():
            yield _line(begun.text, stderr, begun.time_ns, rest=begun.rest)
        self._begun.clear()

    def _next_frame(self) -> tuple[bool, bytes] | None:
        if len(self._bytes) < _HEADER_BYTES:
            return None
        size = int.from_bytes(self._bytes[4:_HEADER_BYTES], "big")
        if self._bytes[0] > _STDERR or size > _FRAME_BYTES_MAX:
            raise EngineUnavailable("the engine's log stream cannot be read")
        if len(self._bytes) < _HEADER_BYTES + size:
            return None
        stderr = self._bytes[0] == _STDERR
        message = bytes(self._bytes[_HEADER_BYTES : _HEADER_BYTES + size])
        del self._bytes[: _HEADER_BYTES + size]
        return stderr, message

    def _terminal_lines(self) -> Iterator[ContainerLogLine]:
        while (end := self._bytes.find(b"\n")) >= 0 or len(self._bytes) > LINE_BYTES_MAX:
            size = end + 1 if end >= 0 else LINE_BYTES_MAX
            message = bytes(self._bytes[:size])
            del self._bytes[:size]
            yield from self._message(False, message)

    def _message(self, stderr: bool, message: bytes) -> Iterator[ContainerLogLine]:
        time_ns, text = _split_time(message)
        begun = self._begun.pop(stderr, None)
        rest = False
        if begun is not None:  # the rest of a long message: the line keeps its first time
            time_ns, text, rest = begun.time_ns, begun.text + text, begun.rest
        ended = text.endswith(b"\n")
        text = text.rstrip(b"\r\n") if ended else text
        while len(text) > LINE_BYTES_MAX:
            yield _line(text[:LINE_BYTES_MAX], stderr, time_ns, rest=rest)
            text, rest = text[LINE_BYTES_MAX:], True
        if ended:
            yield _line(text, stderr, time_ns, rest=rest)
        else:
            self._begun[stderr] = _Begun(time_ns, text, rest)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A line whose end has not come yet; `rest`: pieces of it were given already."""

    time_ns: int
    text: bytes
    rest: bool


def _line(text: bytes, stderr: bool, time_ns: int, *, rest: bool) -> ContainerLogLine:
    return ContainerLogLine(
        text=text.decode("utf-8", "replace"), stderr=stderr, time_ns=time_ns, rest=rest
    )


def _split_time(message: bytes) -> tuple[int, bytes]:
    """(Unix nanoseconds, rest); 0 and all of it when there is no time in front."""
    stamp, space, rest = message.partition(b" ")
    if not space or len(stamp) > 40 or not stamp[:1].isdigit():
        return 0, message
    try:
        seconds, _, fraction = stamp.decode("ascii").removesuffix("Z").partition(".")
        whole_s = datetime.fromisoformat(f"{seconds}+00:00").timestamp()
        return int(whole_s) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9]), rest
    except ValueError:
        return 0, message
