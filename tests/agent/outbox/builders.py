"""Short words for the outbox's nouns."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.logs import LogBook
from iotistic.agent.outbox import Outbox, Overflow, Quota, default_quotas
from iotistic.model.records import RecordClass
from tests.agent.virtual_clock import VirtualClock

EVERYTHING = frozenset(RecordClass)
DAY_S = 24 * 3600.0


def opened(
    folder: Path,
    clock: Clock | None = None,
    *,
    quotas: Mapping[RecordClass, Quota] | None = None,
    synced: bool = True,
) -> AbstractAsyncContextManager[Outbox]:
    """The outbox of a folder."""
    clock = clock or VirtualClock()
    return Outbox.open(
        folder / "outbox.sqlite",
        clock,
        LogBook(clock).logger(),
        quotas={**default_quotas(64), **(quotas or {})},
        clock_synced=lambda: synced,
    )


def only(kind: RecordClass, overflow: Overflow, bytes_max: int) -> dict[RecordClass, Quota]:
    """A quota that is soon used up."""
    return {kind: Quota(bytes_max=bytes_max, age_max_s=DAY_S, overflow=overflow)}


def only_for(kind: RecordClass, age_max_s: float) -> dict[RecordClass, Quota]:
    """A time that is soon over."""
    return {kind: Quota(bytes_max=10**6, age_max_s=age_max_s)}


async def all_waiting(outbox: Outbox, kind: RecordClass) -> list[Mapping[str, Any]]:
    """The data of everything that waits in a class, in order."""
    batch = await outbox.take({kind}, records_max=100_000, bytes_max=10**9)
    return [record.data for record in batch.records] if batch else []
