"""A device's sync room against a scripted cloud, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from iotistic.agent.config import Judgement
from iotistic.agent.http import CloudHttp
from iotistic.agent.logs import LogBook, LogLevel
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.store.records import CloudLink, Identity, StoredTarget
from iotistic.agent.sync import CloudSync, CourierPace, CurrentState, SyncIntervals, SyncStatus
from iotistic.agent.sync.courier import Outbox
from iotistic.model.errors import InvalidField, IotisticError, Refused
from iotistic.model.secret import Secret
from iotistic.model.target import parse_target
from iotistic.model.words import ConnectionState, Dialect
from tests.agent.sync.builders import HOST, FixedMetrics, NoRecords
from tests.agent.sync.scripted_cloud import UUID, ScriptedCloud
from tests.agent.virtual_clock import VirtualClock

KEY = "device-key-0123456789"


@dataclass
class Device:
    """What the rest of the agent is to the sync room: store, reconciler, host."""

    clock: VirtualClock
    link: CloudLink | None
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(rounds=1))
    intervals: SyncIntervals = field(default_factory=SyncIntervals)
    metrics: FixedMetrics = field(default_factory=FixedMetrics)
    config: Judgement = field(default_factory=Judgement)
    outbox: Outbox = field(default_factory=NoRecords)
    pace: CourierPace = field(default_factory=CourierPace)
    uuid: str = UUID
    stored: StoredTarget | None = None
    offered: list[Any] = field(default_factory=list)
    trouble: IotisticError | None = None

    def __post_init__(self) -> None:
        self.identity = Identity(
            uuid=self.uuid,
            creation_id="c",
            private_key_pem=Secret("-"),
            hash_key=Secret("-"),
            created_at_ms=0,
        )
        self.book = LogBook(self.clock, level=LogLevel.DEBUG)
        self.current = CurrentState(
            snapshot=lambda: self.snapshot,
            config=lambda: self.config,
            metrics=self.metrics,
            intervals=lambda: self.intervals,
            clock=self.clock,
            log=self.book.logger(),
            agent_version="0.1.0",
            machine_hash="m1",
            read_host=lambda: HOST,
        )
        self.sync = CloudSync(
            store=self,
            link=lambda: self.link,
            connect=lambda link: CloudHttp(link.endpoint, clock=self.clock),
            offer=self._offer,
            snapshot=lambda: self.snapshot,
            current=self.current,
            outbox=self.outbox,
            intervals=lambda: self.intervals,
            pace=lambda: self.pace,
            clock=self.clock,
            rng=Random(7),
            log=self.book.logger(),
        )

    async def target(self) -> StoredTarget | None:
        return self.stored

    async def _offer(self, document: Any, etag: str | None) -> None:
        self.offered.append(document)
        if self.trouble is not None:
            raise self.trouble
        try:
            state = parse_target(document)
        except (InvalidField, Refused) as error:
            self.snapshot = replace(
                self.snapshot, refusal=error, offered_version=document.get("version")
            )
            raise
        self.stored = held(document, etag)
        self.snapshot = replace(
            self.snapshot, target=state, refusal=None, offered_version=state.version
        )
        self.sync.snapshot_changed()

    def knows(self, **fields: Any) -> None:
        """The reconciler learned something."""
        self.snapshot = replace(self.snapshot, **fields)
        self.sync.snapshot_changed()

    def relink(self, link: CloudLink | None) -> None:
        """The device was provisioned, or deprovisioned."""
        self.link = link
        self.clock.sleepers = 0 if link is None else 2
        self.sync.link_changed()

    @property
    def status(self) -> SyncStatus:
        status = self.sync.status()
        assert status is not None
        return status

    @property
    def state(self) -> ConnectionState:
        return self.status.state

    def said(self, level: str = "info") -> list[str]:
        """What was logged, from this level on."""
        rank = LogLevel(level).rank
        return [r["message"] for r in self.book.records() if LogLevel(r["level"]).rank >= rank]

    async def passes(self, span_s: float) -> None:
        """Let time pass."""
        await self.clock.advance(span_s)


def held(document: Mapping[str, Any], etag: str | None) -> StoredTarget:
    """A target as the store keeps it."""
    return StoredTarget(
        apps=document.get("apps", {}),
        config=document.get("config", {}),
        version=document.get("version"),
        epoch=None,
        etag=etag,
        state_hash="h",
        received_at_ms=0,
    )


def link_to(cloud: ScriptedCloud, *, dialect: Dialect = Dialect.V2, key: str = KEY) -> CloudLink:
    """The way to a cloud."""
    return CloudLink(endpoint=cloud.url, dialect=dialect, device_id="17", api_key=Secret(key))


@asynccontextmanager
async def running(device: Device) -> AsyncIterator[Device]:
    """The device's sync room at work, its first poll and report done."""
    task = asyncio.ensure_future(device.sync.run())
    try:
        await device.clock.settled()
        yield device
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            raise AssertionError("the sync room fell over") from task.exception()
