"""The link to the cloud, kept for as long as there is one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.http import CloudHttp
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.store.records import CloudLink, Identity, StoredTarget
from iotistic.agent.sync import cadence
from iotistic.agent.sync.cadence import SyncIntervals
from iotistic.agent.sync.channel import Channel
from iotistic.agent.sync.clock_skew import skew_s, skew_warning
from iotistic.agent.sync.courier import Courier, Outbox
from iotistic.agent.sync.current_state import CurrentState
from iotistic.agent.sync.poller import Offer, Poller
from iotistic.agent.sync.reporter import Reporter
from iotistic.agent.sync.rounds import Rounds
from iotistic.agent.sync.status import ChannelStatus, SyncOutcome, SyncStatus
from iotistic.agent.sync.turns import CourierPace
from iotistic.model.errors import InvalidField, IotisticError, Refused
from iotistic.model.words import ConnectionState, LogComponent


class HeldTarget(Protocol):
    """What is asked of the store."""

    @property
    def identity(self) -> Identity:
        """Who this device is."""
        ...

    async def target(self) -> StoredTarget | None:
        """The accepted target."""
        ...


class CloudSync:
    """Polls for the target, reports the current state and hands over records, for the link that is
    in force.

    `link()` is asked again after `link_changed()`; None: there is no cloud now. `connect(link)`
    opens the way to it. `offer` takes a target.
    """

    def __init__(
        self,
        *,
        store: HeldTarget,
        link: Callable[[], CloudLink | None],
        connect: Callable[[CloudLink], CloudHttp],
        offer: Offer,
        snapshot: Callable[[], Snapshot],
        current: CurrentState,
        outbox: Outbox,
        intervals: Callable[[], SyncIntervals],
        pace: Callable[[], CourierPace] = CourierPace,
        clock: Clock,
        rng: Random,
        log: AgentLogger,
    ) -> None:
        self._store = store
        self._link = link
        self._connect = connect
        self._offer = offer
        self._snapshot = snapshot
        self._current = current
        self._outbox = outbox
        self._intervals = intervals
        self._pace = pace
        self._clock = clock
        self._rng = rng
        self._log = log.bind(component=LogComponent.CLOUD_SYNC)
        self._relinked = asyncio.Event()
        self._opened = asyncio.Event()
        self._session: _Session | None = None
        self._unusable: IotisticError | None = None

    async def run(self) -> None:
        """Keep in touch until cancelled. The cloud being away costs nothing but freshness."""
        while True:
            self._relinked.clear()
            self._opened.clear()
            self._unusable = None
            link = self._link()
            if link is None:
                await self._relinked.wait()
                continue
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(self._serve(link), name="cloud-link")
                while self._link() == link:
                    await self._relinked.wait()
                    self._relinked.clear()
                serving.cancel()

    def link_changed(self) -> None:
        """The device was provisioned, deprovisioned, or given another endpoint or key."""
        self._relinked.set()

    def snapshot_changed(self) -> None:
        """The reconciler knows something new."""
        if self._session is not None:
            self._session.reporter.changed()

    def intervals_changed(self) -> None:
        """The settings may say other intervals now."""
        if self._session is not None:
            self._session.poller.rounds.ring()
            self._session.reporter.rounds.ring()
            self._session.courier.rounds.ring()

    def error_logged(self) -> None:
        """An error is among the log lines that wait: they go soon."""
        if self._session is not None:
            self._session.courier.error_logged()

    def poll_hint(self) -> None:
        """The cloud says that it has another target: poll soon, with jitter."""
        if self._session is not None:
            self._session.poller.hint()

    async def sync_now(self) -> SyncOutcome:
        """Poll, report and hand over what waits because a person asks; at most every 5 s, later
        ones wait. Returns without waiting for the records.

        Raises Refused (`not-provisioned`) without a cloud, and what came of it when the cloud
        does not answer. Has no deadline of its own.
        """
        if self._session is None and self._unusable is None and self._link() is not None:
            await self._opened.wait()  # just joined: the link is stored, and about to be opened
        session = self._session
        if session is None:
            raise self._unusable or Refused(
                "this device has no cloud",
                code="not-provisioned",
                remedy="provision it first: iotctl provision --api URL",
            )
        changes = session.poller.changes
        polled = session.poller.channel.expect()
        session.poller.ask()
        await polled
        reported = session.reporter.channel.expect()
        session.reporter.ask()
        session.courier.ask()
        await reported
        target = self._snapshot().target
        return SyncOutcome(
            changed=session.poller.changes > changes,
            version=target.version if target is not None else None,
            state=session.status().state,
            refusal=self._snapshot().refusal,
        )

    def status(self) -> SyncStatus | None:
        """How the link stands; None without a cloud."""
        if self._session is not None:
            return self._session.status()
        if self._unusable is None:
            return None
        return SyncStatus(
            state=ConnectionState.OFFLINE,
            since_ms=None,
            last_contact_ms=None,
            error=self._unusable,
        )

    def warnings(self) -> tuple[IotisticError, ...]:
        """What somebody should know of what the cloud's answers tell."""
        if (session := self._session) is None:
            return ()
        told_s = session.clock_skew_s()
        found = [skew_warning(told_s)] if told_s is not None else []
        if session.courier.is_refused:
            found.append(
                IotisticError(
                    "this cloud takes no records, or no log lines; they wait here",
                    code="records-refused",
                    remedy="a newer cloud takes them; it is asked again once an hour",
                )
            )
        return tuple(found)

    @property
    def latency_ms(self) -> float | None:
        """How long the cloud took to begin its last answer; None without a cloud that answers."""
        return self._session.latency_ms if self._session is not None else None

    async def _serve(self, link: CloudLink) -> None:
        try:
            http = self._connect(link)
        except InvalidField as error:
            # Only another link helps, and that ends this one.
            self._log.error("the cloud's address cannot be used", error=error)
            self._unusable = error
            self._opened.set()  # who waits for it is told why it cannot be opened
            await asyncio.Event().wait()
            return
        stored = await self._store.target()
        async with http:
            session = self._open(link, http, stored.etag if stored is not None else None)
            self._session = session
            self._opened.set()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(session.poller.run(), name="cloud-poll")
                    group.create_task(session.reporter.run(), name="cloud-report")
                    group.create_task(session.courier.run(), name="cloud-records")
            finally:
                self._opened.clear()
                self._session = None

    def _open(self, link: CloudLink, http: CloudHttp, etag: str | None) -> _Session:
        uuid = self._store.identity.uuid
        poller = Poller(
            http=http,
            link=link,
            uuid=uuid,
            held_etag=etag,
            offer=self._offer,
            intervals=self._intervals,
            clock=self._clock,
            rng=self._rng,
            log=self._log,
        )
        courier = Courier(
            http=http,
            link=link,
            uuid=uuid,
            outbox=self._outbox,
            pace=self._pace,
            clock=self._clock,
            rng=self._rng,
            log=self._log,
        )
        reporter = Reporter(
            http=http,
            link=link,
            uuid=uuid,
            current=self._current,
            on_target_version=self._cloud_has,
            on_sent=courier.reported,
            intervals=self._intervals,
            clock=self._clock,
            rng=self._rng,
            log=self._log,
        )
        return _Session(http, poller, reporter, courier)

    def _cloud_has(self, version: int) -> None:
        known = self._snapshot()
        held = known.target.version if known.target is not None else None
        if version not in (held, known.offered_version):
            self.poll_hint()


@dataclass(slots=True)
class _Session:
    """The time with one link. `skew_s` is what was told of the clock until now."""

    http: CloudHttp
    poller: Poller
    reporter: Reporter
    courier: Courier
    skew_s: float | None = None

    def clock_skew_s(self) -> float | None:
        """How far the device's clock is behind the cloud's, when that is worth telling."""
        if self.http.heard is not None:
            self.skew_s = skew_s(self.skew_s, self.http.heard)
        return self.skew_s

    @property
    def latency_ms(self) -> float | None:
        """How long the cloud took to begin its last answer; None when there was none."""
        took_s = self.http.round_trip_s
        return None if took_s is None else round(took_s * 1000, 1)

    def channels(self) -> tuple[tuple[Channel, Rounds], ...]:
        """The channels of which anything is known, and their loops."""
        always = (self.poller, self.reporter)
        all_of_them = (*always, self.courier) if self.courier.was_tried else always
        return tuple((one.channel, one.rounds) for one in all_of_them)

    def status(self) -> SyncStatus:
        """All channels, the worst shown."""
        channels = self.channels()
        told = tuple(_told(channel, rounds.next_in_s()) for channel, rounds in channels)
        healths = [channel.health for channel, _ in channels]
        contacts = [h.last_success_ms for h in healths if h.last_success_ms is not None]
        state = cadence.worst(channel.state for channel in told)
        return SyncStatus(
            state=state,
            since_ms=cadence.since_ms(healths),
            last_contact_ms=max(contacts, default=None),
            error=next((c.error for c in told if c.error and c.state is state), None),
            channels=told,
            sent_bytes=dict(self.http.traffic.sent),
            received_bytes=dict(self.http.traffic.received),
            latency_ms=self.latency_ms,
            records_refused=self.courier.is_refused,
            clock_skew_s=self.clock_skew_s(),
        )


def _told(channel: Channel, next_in_s: float) -> ChannelStatus:
    health = channel.health
    return ChannelStatus(
        name=channel.name,
        state=health.state,
        failures=health.failures,
        last_success_ms=health.last_success_ms,
        error=health.error,
        next_in_s=next_in_s if math.isfinite(next_in_s) else None,
    )
