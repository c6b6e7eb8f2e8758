"""`GET /containers/ID/stats` -> what a container used."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from iotistic.engines.docker.connection import Connection, decode
from iotistic.engines.docker.deadlines import STATS_S
from iotistic.engines.docker.errors import EngineAnswer, general
from iotistic.engines.protocol import ContainerStats

_NEVER = "0001-01-01"
"""When a container was read that does not run."""
_CACHE = ("total_inactive_file", "inactive_file")
"""Page cache that could be let go, in the first and the second version of control groups."""
_UNLIMITED = 1 << 62
"""What the kernel says where there is no limit is about 2^63."""


class _CpuUsage(msgspec.Struct):
    total_usage: int | None = None


class _Cpu(msgspec.Struct):
    cpu_usage: _CpuUsage = msgspec.field(default_factory=_CpuUsage)


class _Memory(msgspec.Struct):
    usage: int | None = None
    limit: int | None = None
    stats: dict[str, int] | None = None


class _Network(msgspec.Struct):
    rx_bytes: int = 0
    tx_bytes: int = 0


class _BlockIo(msgspec.Struct):
    op: str = ""
    value: int = 0


class _Block(msgspec.Struct):
    io_service_bytes_recursive: list[_BlockIo] | None = None


class _Pids(msgspec.Struct):
    current: int | None = None


class _Stats(msgspec.Struct):
    read: str = _NEVER
    cpu_stats: _Cpu = msgspec.field(default_factory=_Cpu)
    memory_stats: _Memory = msgspec.field(default_factory=_Memory)
    networks: dict[str, _Network] | None = None
    blkio_stats: _Block = msgspec.field(default_factory=_Block)
    pids_stats: _Pids = msgspec.field(default_factory=_Pids)


async def read_stats(connection: Connection, container_id: str) -> ContainerStats | None:
    """Ask for one reading; None when the container is not there or does not run."""
    try:
        content = await connection.fetch(
            "GET",
            f"containers/{container_id}/stats",
            # One shot: else the engine waits for a second reading, for its percent. Even so the
            # answer comes with its next tick, up to a second later.
            params={"stream": "false", "one-shot": "true"},
            within_s=STATS_S,
        )
    except EngineAnswer as answer:
        if answer.status == 404:
            return None
        raise general(answer, f"ask what container {container_id[:12]} uses") from answer
    return parse_stats(content)


def parse_stats(content: bytes) -> ContainerStats | None:
    """Read the engine's answer; raises EngineUnavailable for what is none."""
    found = decode(content, _Stats, what="what a container uses")
    if found.read.startswith(_NEVER):
        return None
    memory, networks = found.memory_stats, found.networks
    block = found.blkio_stats.io_service_bytes_recursive
    limit = memory.limit
    return ContainerStats(
        cpu_ns=found.cpu_stats.cpu_usage.total_usage,
        memory_bytes=_memory(memory),
        memory_limit_bytes=limit if limit is not None and limit < _UNLIMITED else None,
        rx_bytes=None if networks is None else sum(n.rx_bytes for n in networks.values()),
        tx_bytes=None if networks is None else sum(n.tx_bytes for n in networks.values()),
        read_bytes=None if block is None else _moved(block, "read"),
        written_bytes=None if block is None else _moved(block, "write"),
        pids=found.pids_stats.current,
    )


def _memory(memory: _Memory) -> int | None:
    if memory.usage is None:
        return None
    stats = memory.stats or {}
    cache = next((stats[name] for name in _CACHE if name in stats), 0)
    return max(0, memory.usage - cache)


def _moved(entries: Iterable[_BlockIo], operation: str) -> int:
    # "Read" in the first version of control groups, "read" in the second.
    return sum(entry.value for entry in entries if entry.op.lower() == operation)
