"""Carries records from the outbox to the cloud."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from typing import Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.http import CloudHttp, CloudRefused
from iotistic.agent.logs import AgentLogger
from iotistic.agent.outbox import Batch, ClassLedger
from iotistic.agent.store.records import CloudLink
from iotistic.agent.sync import cadence
from iotistic.agent.sync.channel import Channel
from iotistic.agent.sync.parcel import NoReceipt, Receipt, pack, receipt_of
from iotistic.agent.sync.rounds import Rounds
from iotistic.agent.sync.turns import ERROR_WITHIN_S, CourierPace, Search, Turns, Waiting, due_s
from iotistic.model.errors import IotisticError
from iotistic.model.records import BATCH_BYTES_MAX, RecordClass, RecordId
from iotistic.model.words import Dialect, LogComponent

START_SPREAD_S = 5.0
"""Devices that got their power back together do not send what they hold together."""
ASK_AGAIN_S = 3600.0
"""So long a cloud is not asked again that takes no records."""
REJECTED_IN_A_ROW = 3
"""From here on it is more likely that the fault is with the one who refuses: slower, then."""
_OUTBOX_RETRY_S = 10.0
_OFF_LOOP_FROM_BYTES = 32 * 1024
_NOT_KNOWN = frozenset({404, 405, 501})
_NOT_UNDERSTOOD = frozenset({400, 413, 422})
_PURPOSES = {RecordClass.LOG: "logs", RecordClass.METRIC: "metrics"}
_ALL = frozenset(RecordClass)


class Outbox(Protocol):
    """Where records wait. All of it may raise IotisticError when its disk is in trouble."""

    async def take(
        self, classes: Collection[RecordClass], *, records_max: int, bytes_max: int
    ) -> Batch | None:
        """The oldest that wait of the most urgent of these classes; they stay there."""
        ...

    async def acknowledge(self, record_class: RecordClass, watermarks: Mapping[str, int]) -> None:
        """Up to here each epoch is the cloud's."""
        ...

    async def reject(self, record_id: RecordId, code: str, message: str, /) -> None:
        """The cloud will never take this one."""
        ...

    def ledger(self) -> Mapping[RecordClass, ClassLedger]:
        """How much waits."""
        ...

    async def wait(self) -> None:
        """Return when there is something new."""
        ...


class Courier:
    """Sends what waits, batch by batch, over one link; one batch is under way at a time.

    What is sent stays in the outbox until the cloud said that it is stored; a batch whose answer
    was lost is sent again, and the cloud tells by the ids what it has already. So a record gets
    there at least once, and is stored once.

    A whole batch that is refused is halved until the one record is found because of which it is;
    that one becomes a dead letter. A cloud that knows no records gets none: they are kept for as
    long as their class allows, and it is asked again later.
    """

    def __init__(
        self,
        *,
        http: CloudHttp,
        link: CloudLink,
        uuid: str,
        outbox: Outbox,
        pace: Callable[[], CourierPace],
        clock: Clock,
        rng: Random,
        log: AgentLogger,
    ) -> None:
        log = log.bind(component=LogComponent.COURIER)
        self.channel = Channel("records", clock=clock, rng=rng, log=log)
        self.rounds = Rounds(clock, self._due_s, self._round)
        self._http = http
        self._link = link
        self._uuid = uuid
        self._outbox = outbox
        self._pace = pace
        self._clock = clock
        self._log = log
        self._turns = Turns()
        self._waiting: dict[RecordClass, Waiting] = {}
        self._searches: dict[RecordClass, Search] = {}
        self._closed_until_s: dict[bool, float] = {}
        self._rejected_in_a_row = 0
        self._rng = rng
        self._opened_s = clock.now_s()
        self._not_before_s: float | None = None
        self._tried_s: float | None = None

    @property
    def was_tried(self) -> bool:
        """Whether anything was ever sent: before, nothing is known of this channel."""
        return self._tried_s is not None

    @property
    def is_refused(self) -> bool:
        """Whether this cloud takes no records of some kind, as far as is known."""
        return any(until_s > self._clock.now_s() for until_s in self._closed_until_s.values())

    def ask(self) -> None:
        """A person wants all of it to go now."""
        now_s = self._clock.now_s()
        tried_s = -math.inf if self._tried_s is None else self._tried_s
        allowed_s = max(now_s, tried_s + cadence.POLL_SPACING_S)
        if self._not_before_s is not None:
            self._not_before_s = min(self._not_before_s, allowed_s)
        self._closed_until_s.clear()
        self._hurry(tuple(self._waiting), now_s)

    def reported(self) -> None:
        """A report has just gone: the line is open, for what should go with it."""
        if self._pace().with_reports:
            self._hurry(tuple(self._waiting), self._clock.now_s())

    def error_logged(self) -> None:
        """An error is among the log lines."""
        if not self._pace().with_reports:
            # The line itself may still be on its way into the outbox.
            self._hurry((RecordClass.LOG,), self._clock.now_s() + ERROR_WITHIN_S)

    async def run(self) -> None:
        """Carry until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="outbox-watch")
                group.create_task(self.rounds.run(), name="outbox-rounds")
        finally:
            self.channel.close()

    async def _watch(self) -> None:
        while True:
            self._look()
            await self._outbox.wait()

    def _look(self) -> None:
        """Note what waits, and since when."""
        now_s = self._clock.now_s()
        ledger = self._outbox.ledger()
        for kind in self._classes():
            found, before = ledger[kind], self._waiting.get(kind, Waiting(since_s=now_s))
            if found.waiting or now_s < before.asked_s < math.inf:
                self._waiting[kind] = replace(before, bytes=found.waiting_bytes)
            else:
                self._waiting.pop(kind, None)
        if self._waiting and self._not_before_s is None:
            self._not_before_s = self._opened_s + self._rng.uniform(0.0, START_SPREAD_S)
        self.rounds.ring()

    def _hurry(self, kinds: Collection[RecordClass], at_s: float) -> None:
        for kind in kinds:
            before = self._waiting.get(kind, Waiting(since_s=self._clock.now_s()))
            self._waiting[kind] = replace(before, asked_s=min(before.asked_s, at_s))
        self.rounds.ring()

    def _classes(self) -> frozenset[RecordClass]:
        # The older dialect knows log lines alone.
        return frozenset({RecordClass.LOG}) if self._link.dialect is Dialect.O1 else _ALL

    def _class_due_s(self, kind: RecordClass) -> float:
        at_s = due_s(kind, self._waiting[kind], self._pace())
        return max(at_s, self._closed_until_s.get(kind is RecordClass.LOG, -math.inf))

    def _due_s(self) -> float:
        soonest_s = min((self._class_due_s(kind) for kind in self._waiting), default=math.inf)
        return max(soonest_s, self._not_before_s or 0.0)

    async def _round(self) -> None:
        now_s = self._clock.now_s()
        due = [kind for kind in self._waiting if self._class_due_s(kind) <= now_s]
        if not due:
            return
        kind = self._turns.take(due)
        search = self._searches.get(kind, Search())
        try:
            batch = await self._outbox.take(
                {kind}, records_max=search.batch_max(), bytes_max=BATCH_BYTES_MAX
            )
            if batch is None:
                self._waiting.pop(kind, None)
            else:
                await self._carry(batch, search)
        except IotisticError as error:
            # Not the cloud's: what was not noted as delivered is sent again.
            self._log.warning("outbox not at hand", error=error)
            self._not_before_s = self._clock.now_s() + _OUTBOX_RETRY_S

    async def _carry(self, batch: Batch, search: Search) -> None:
        kind = batch.record_class
        self._tried_s = self._clock.now_s()
        before = self._outbox.ledger()[kind].waiting
        try:
            receipt = await self._send(batch)
        except IotisticError as error:
            await self._not_taken(error, batch, search)
            return
        self.channel.succeeded()
        self._rejected_in_a_row = 0
        self._closed_until_s.pop(kind is RecordClass.LOG, None)
        self._searches[kind] = search.taken(len(batch.records))
        await self._settle(batch, receipt)
        self._went(kind, has_more=before > len(batch.records))

    async def _send(self, batch: Batch) -> Receipt:
        is_log = batch.record_class is RecordClass.LOG
        compress = self._pace().compress
        packing = partial(pack, batch, dialect=self._link.dialect, compress=compress)
        is_small = batch.bytes_bound < _OFF_LOOP_FROM_BYTES
        content = packing() if is_small else await asyncio.to_thread(packing)
        reply = await self._http.request(
            "POST",
            f"/device/{self._uuid}/{'logs' if is_log else 'records'}",
            content=content,
            device_key=self._link.api_key,
            purpose=_PURPOSES.get(batch.record_class, "records"),
        )
        return receipt_of(reply, batch)

    async def _settle(self, batch: Batch, receipt: Receipt) -> None:
        # Before the watermark, which stands above them as well.
        for rejection in receipt.rejected:
            self._log.warning(
                "record refused",
                record_class=rejection.id.record_class,
                code=rejection.code,
                reason=rejection.message,
            )
            await self._outbox.reject(rejection.id, rejection.code, rejection.message)
        if receipt.watermarks:
            await self._outbox.acknowledge(batch.record_class, receipt.watermarks)

    async def _not_taken(self, error: IotisticError, batch: Batch, search: Search) -> None:
        kind, number = batch.record_class, len(batch.records)
        status = error.status if isinstance(error, CloudRefused) else None
        if status in _NOT_KNOWN or isinstance(error, NoReceipt):
            # The cloud was heard, so the link is good.
            self.channel.succeeded()
            self._log.info("cloud takes no records", of="log" if kind is RecordClass.LOG else "all")
            self._closed_until_s[kind is RecordClass.LOG] = self._clock.now_s() + ASK_AGAIN_S
        elif status in _NOT_UNDERSTOOD:
            self.channel.succeeded()
            search = search.refused(number)
            self._searches[kind] = Search() if search.is_over else search
            if search.is_over:
                await self._dead_letter(error, batch)
        else:
            self._not_before_s = self.channel.failed(error)

    async def _dead_letter(self, error: IotisticError, batch: Batch) -> None:
        record_id = batch.records[0].id
        self._log.warning("record refused", record_class=record_id.record_class, error=error)
        await self._outbox.reject(record_id, error.code, error.message)
        self._rejected_in_a_row += 1
        if self._rejected_in_a_row >= REJECTED_IN_A_ROW:
            self._not_before_s = self._clock.now_s() + cadence.REFUSED_RETRY_S

    def _went(self, kind: RecordClass, *, has_more: bool) -> None:
        """While there is more, it goes at once; what has come meanwhile waits for its time."""
        if not has_more:
            self._waiting.pop(kind, None)
        self._look()
