"""Gathers what the report says."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.config import Judgement
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync import cadence
from iotistic.agent.sync.cadence import SyncIntervals
from iotistic.agent.sync.metric_fields import (
    FIELDS,
    detail_fields,
    metric_fields,
    rate_fields,
)
from iotistic.agent.sync.report import ReportFacts, build_report, steady_boot_wall_ms, without_nulls
from iotistic.agent.sync.steady import RECENT_LOOKS, moved, without_trembling
from iotistic.agent.telemetry.host import HostFacts, read_host_facts
from iotistic.agent.telemetry.metrics import Details, Metrics
from iotistic.model.errors import IotisticError
from iotistic.model.words import Dialect

_BESIDE = ("outbox",)


class MetricsReader(Protocol):
    """Reads the host's figures; OSError when that fails altogether."""

    async def read(self) -> Metrics:
        """The cheap ones."""
        ...

    async def read_details(self) -> Details:
        """Processes and interfaces."""
        ...


class CurrentState:
    """How things are, as a document: from the reconciler, the host and its metrics."""

    def __init__(
        self,
        *,
        snapshot: Callable[[], Snapshot],
        config: Callable[[], Judgement],
        metrics: MetricsReader,
        intervals: Callable[[], SyncIntervals],
        clock: Clock,
        log: AgentLogger,
        agent_version: str,
        machine_hash: str,
        read_host: Callable[[], HostFacts] = read_host_facts,
        warnings: Callable[[], Sequence[IotisticError]] = tuple,
        clock_synced: Callable[[], bool] = lambda: False,
        latency_ms: Callable[[], float | None] = lambda: None,
        outbox: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._snapshot = snapshot
        self._config = config
        self._metrics = metrics
        self._intervals = intervals
        self._clock = clock
        self._log = log
        self._agent_version = agent_version
        self._machine_hash = machine_hash
        self._read_host = read_host
        self._warnings = warnings
        self._clock_synced = clock_synced
        self._latency_ms = latency_ms
        self._outbox = outbox
        self._host = HostFacts(os_version="", architecture="")
        self._boot_wall_ms: int | None = None
        self._fresh: dict[str, Any] = {}
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_LOOKS - 1)
        self._details: dict[str, Any] = {}
        self._rates: dict[str, Any] = {}
        self._details_due_s = 0.0

    async def gather(
        self,
        accepted: Mapping[str, Any] | None,
        *,
        dialect: Dialect = Dialect.V2,
        dropped_reports: int = 0,
    ) -> dict[str, Any]:
        """The document now. Metrics that hardly moved are as in `accepted`, the last one told."""
        is_due = self._clock.now_s() >= self._details_due_s
        in_detail = self._intervals().in_detail
        try:
            await self._read(is_due=is_due, in_detail=in_detail)
        except OSError as error:
            # A report without fresh figures is better than none.
            self._log.warning("metrics cannot be read", error=str(error))
        document = self._document(dialect, dropped_reports)
        if accepted is None or (is_due and not in_detail):
            return document
        if not in_detail or not moved(accepted, self._fresh, self._recent):
            document = _as_told(document, accepted, FIELDS)
        document = without_trembling(accepted, document)
        # What waits changes by itself, and by sending it: told beside other news, never as such.
        quiet = _as_told(document, accepted, _BESIDE)
        return quiet if quiet == accepted else document

    @property
    def is_known(self) -> bool:
        """Whether somebody has looked yet: the engine was asked, with or without success."""
        snapshot = self._snapshot()
        errors = (snapshot.engine_error, snapshot.look_error)
        return snapshot.rounds > 0 or any(error is not None for error in errors)

    async def _read(self, *, is_due: bool, in_detail: bool) -> None:
        if not in_detail:
            self._details, self._rates = {}, {}
        if is_due:
            # Set first: what cannot be read is not tried again at every look.
            self._details_due_s = self._clock.now_s() + self._intervals().metrics_s
            self._host = await asyncio.to_thread(self._read_host)
        if is_due and in_detail:
            details = await self._metrics.read_details()
            self._details, self._rates = detail_fields(details), rate_fields(details)
            # Here and not each time: sending what waits would else be news to be sent.
            self._rates["outbox"] = without_nulls(self._outbox())
        self._recent.append(self._fresh)
        self._fresh = metric_fields(await self._metrics.read(), self._latency_ms())

    def _document(self, dialect: Dialect, dropped_reports: int) -> dict[str, Any]:
        now_s = self._clock.now_s()
        measured_ms = self._clock.wall_ms() - int(now_s * 1000)
        self._boot_wall_ms = steady_boot_wall_ms(self._boot_wall_ms, measured_ms)
        facts = ReportFacts(
            host=self._host,
            agent_version=self._agent_version,
            boot_id=self._clock.boot_id,
            machine_hash=self._machine_hash,
            next_report_within_ms=int(cadence.promise_s(self._intervals()) * 1000),
            now_s=now_s,
            boot_wall_ms=self._boot_wall_ms,
            config=self._config(),
            warnings=self._warnings(),
            dialect=dialect,
            dropped_reports=dropped_reports,
            clock_synced=self._clock_synced(),
        )
        document = build_report(self._snapshot(), facts) | self._fresh | self._details
        return document | self._rates if dialect is Dialect.V2 else document


def _as_told(
    document: Mapping[str, Any], told: Mapping[str, Any], names: Iterable[str]
) -> dict[str, Any]:
    names = frozenset(names)
    kept = {name: value for name, value in document.items() if name not in names}
    return kept | {name: told[name] for name in names if name in told}
