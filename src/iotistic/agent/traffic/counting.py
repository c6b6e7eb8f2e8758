"""class Traffic: what goes over the wire while it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

import aiohttp


@dataclass(slots=True)
class Traffic:
    """HTTP bytes both ways by purpose, since the start: headers and bodies as they are sent,
    without TLS and TCP.
    """

    sent: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)

    def count(self, purpose: str, *, sent: int = 0, received: int = 0) -> None:
        """Add what went over the wire for `purpose`."""
        self.sent[purpose] = self.sent.get(purpose, 0) + sent
        self.received[purpose] = self.received.get(purpose, 0) + received


def count_sent(traffic: Traffic) -> aiohttp.TraceConfig:
    """Counts what a session sends, answered or not. Each request's context is its purpose."""

    async def headers_sent(
        _: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        line = len(params.method) + len(params.url.raw_path_qs)
        traffic.count(context.trace_request_ctx, sent=line + head_bytes(params.headers))

    async def chunk_sent(
        _: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestChunkSentParams,
    ) -> None:
        traffic.count(context.trace_request_ctx, sent=len(params.chunk))

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(headers_sent)
    config.on_request_chunk_sent.append(chunk_sent)
    return config


def head_bytes(headers: Mapping[str, str]) -> int:
    """What they take: "name: value" and a line end each, the first line's fixed parts, and the
    empty line at the end.
    """
    return sum(len(name) + len(value) + 4 for name, value in headers.items()) + 16
