"""A way to a cloud on which everything goes wrong that can, by a seed.

It carries HTTP exchange by exchange. What it garbles is garbled so that it cannot be taken for
something else: on a real way TLS sees to that. And not one request after the other: a record that
is refused each time is one that is put aside.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from random import Random
from urllib.parse import urlsplit

_DELAY_S = 0.02
_PIECE_BYTES = 7
_PIECES = 40
_HEAD_END = b"\r\n\r\n"


class Fault(Enum):
    """What happens to one exchange."""

    NONE = auto()
    CUT_BEFORE = auto()
    """The request does not arrive."""
    CUT_IN_REQUEST = auto()
    """Half of it arrives."""
    LOSE_ANSWER = auto()
    """It arrives, and the answer does not."""
    RESET_IN_ANSWER = auto()
    """Half of the answer arrives, then the connection is reset."""
    DELAY = auto()
    DRIP = auto()
    """The answer comes in pieces of a few bytes."""
    DUPLICATE = auto()
    """The request arrives twice; the answer is the second one's."""
    GARBLE_REQUEST = auto()
    """Bytes of the body are others."""
    GARBLE_ANSWER = auto()
    """The body of the answer is noise."""


class FaultyProxy:
    """`share` of the exchanges has a fault; `met` counts what happened."""

    def __init__(self, target: str, rng: Random, share: float) -> None:
        where = urlsplit(target)
        self._target = (where.hostname or "", where.port or 80)
        self._rng = rng
        self.share = share
        self._garbled_last = False
        self.met: Counter[Fault] = Counter()
        self.url = ""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the agent's, until it ends or is cut."""
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is to be cut."""
        request = await _message(reader)
        fault = self._choose(request)
        self.met[fault] += 1
        if fault is Fault.CUT_BEFORE:
            return False
        if fault is Fault.DELAY:
            await asyncio.sleep(_DELAY_S)
        if fault is Fault.GARBLE_REQUEST:
            request = self._garbled(request)
        if fault is Fault.CUT_IN_REQUEST:
            await self._ask(request[: len(request) // 2], wait=False)
            return False
        if fault is Fault.DUPLICATE:
            await self._ask(request)
        answer = await self._ask(request)
        if fault is Fault.LOSE_ANSWER:
            return False
        if fault is Fault.GARBLE_ANSWER:
            head, end, body = answer.partition(_HEAD_END)
            answer = head + end + self._rng.randbytes(len(body))
        return await self._answer(answer, fault, writer)

    async def _answer(self, answer: bytes, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        if fault is Fault.RESET_IN_ANSWER:
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            writer.transport.abort()
            return False
        if fault is Fault.DRIP:
            for start in range(0, _PIECES * _PIECE_BYTES, _PIECE_BYTES):
                writer.write(answer[start : start + _PIECE_BYTES])
                await asyncio.sleep(0)
            answer = answer[_PIECES * _PIECE_BYTES :]
        writer.write(answer)
        await writer.drain()
        return True

    def _choose(self, request: bytes) -> Fault:
        if self._rng.random() >= self.share:
            return Fault.NONE
        fault = self._rng.choice(list(Fault))
        if fault is Fault.GARBLE_REQUEST:
            # Without a sum over it, other bytes may be another truth.
            may_be = b"\x1f\x8b" in request and not self._garbled_last
            self._garbled_last = may_be
            return fault if may_be else Fault.NONE
        if request.startswith(b"POST"):
            self._garbled_last = False
        return fault

    def _garbled(self, request: bytes) -> bytes:
        head, end, body = request.partition(_HEAD_END)
        garbled = bytearray(body)
        for _ in range(3):
            garbled[self._rng.randrange(len(garbled))] ^= 1 + self._rng.randrange(255)
        return head + end + bytes(garbled)

    async def _ask(self, request: bytes, *, wait: bool = True) -> bytes:
        reader, writer = await asyncio.open_connection(*self._target)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader) if wait else b""
        finally:
            writer.close()


@asynccontextmanager
async def faulty_proxy(target: str, rng: Random, share: float) -> AsyncIterator[FaultyProxy]:
    """One on loopback for the time of the block."""
    proxy = FaultyProxy(target, rng, share)
    carrying: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        carrying.add(task)
        try:
            await proxy.carry(reader, writer)
        finally:
            carrying.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer with its body, by its Content-Length; one without has no body."""
    head = await reader.readuntil(_HEAD_END)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head
