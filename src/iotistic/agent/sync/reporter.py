"""Tells the cloud how things are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.http import CloudConflict, CloudHttp, CloudRefused, Reply
from iotistic.agent.logs import AgentLogger
from iotistic.agent.store.records import CloudLink
from iotistic.agent.sync import cadence
from iotistic.agent.sync.cadence import ReportTimes, SyncIntervals
from iotistic.agent.sync.channel import Channel
from iotistic.agent.sync.current_state import CurrentState
from iotistic.agent.sync.rounds import Rounds
from iotistic.model.errors import IotisticError
from iotistic.model.merge_patch import diff
from iotistic.model.report import Envelope, hash_of, seal
from iotistic.model.words import Dialect

_NOT_UNDERSTOOD = frozenset({400, 413, 422})


class ReportKind(StrEnum):
    """What is sent."""

    WHOLE = "whole"
    PATCH = "patch"
    SIGN_OF_LIFE = "sign-of-life"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One report to be sent: what it says, and the hash of what it builds on."""

    kind: ReportKind
    content: Mapping[str, Any]
    base: str | None = None


def decide(
    document: Mapping[str, Any],
    accepted: Mapping[str, Any] | None,
    *,
    dialect: Dialect,
    whole_due: bool,
    alive_due: bool,
) -> Outgoing | None:
    """What to send, given the document the cloud accepted last (None: it holds none of ours).

    The older dialect knows whole documents only. Pure.
    """
    if accepted is None or whole_due:
        return Outgoing(kind=ReportKind.WHOLE, content=document)
    patch = diff(accepted, document)
    if not patch and not alive_due:
        return None
    if dialect is Dialect.O1:
        return Outgoing(kind=ReportKind.WHOLE, content=document)
    base = hash_of(accepted)
    if patch:
        return Outgoing(kind=ReportKind.PATCH, content=patch, base=base)
    version = {"version": accepted["version"]} if "version" in accepted else {}
    return Outgoing(kind=ReportKind.SIGN_OF_LIFE, content=version, base=base)


class Reporter:
    """Reports for one link: what changed against the last document the cloud accepted.

    A report that could not be sent is not kept: the next one says what is true then. What the
    cloud holds is known only within one run, so each begins with the whole document.
    """

    def __init__(
        self,
        *,
        http: CloudHttp,
        link: CloudLink,
        uuid: str,
        current: CurrentState,
        on_target_version: Callable[[int], None],
        on_sent: Callable[[], None],
        intervals: Callable[[], SyncIntervals],
        clock: Clock,
        rng: Random,
        log: AgentLogger,
    ) -> None:
        self.channel = Channel("report", clock=clock, rng=rng, log=log)
        self.rounds = Rounds(clock, self._due_s, self._round)
        self._http = http
        self._link = link
        self._uuid = uuid
        self._current = current
        self._on_target_version = on_target_version
        self._on_sent = on_sent
        self._intervals = intervals
        self._clock = clock
        self._rng = rng
        self._log = log
        self._times = ReportTimes(ready_s=clock.now_s() + cadence.FIRST_LOOK_GRACE_S)
        self._accepted: Mapping[str, Any] | None = None
        self._whole_due_s = 0.0
        self._seq = 0
        self.dropped = 0

    def ask(self) -> None:
        """A person wants the cloud to know now."""
        self._times = replace(self._times, asked_at_s=self._clock.now_s())
        self.rounds.ring()

    def changed(self) -> None:
        """Something that the report tells has changed."""
        if self._times.changed_at_s is None:
            self._times = replace(self._times, changed_at_s=self._clock.now_s())
        self.rounds.ring()

    async def run(self) -> None:
        """Report until cancelled."""
        try:
            await self.rounds.run()
        finally:
            self.channel.close()

    def _due_s(self) -> float:
        times = replace(self._times, ready_s=None) if self._current.is_known else self._times
        return cadence.look_due_s(
            times, interval_s=self._intervals().report_s, now_s=self._clock.now_s()
        )

    async def _round(self) -> None:
        waiting = self.channel.take_waiting()
        before = self._times
        now_s = self._clock.now_s()
        # Taken before looking: what changes meanwhile is a change of its own.
        self._times = replace(
            before, looked_s=now_s, changed_at_s=None, asked_at_s=None, retry_at_s=None
        )
        document = await self._current.gather(
            self._accepted, dialect=self._link.dialect, dropped_reports=self.dropped
        )
        # After a failure something is sent even if all is as it was: else nobody would find out
        # that the cloud is back.
        wanted = before.asked_at_s is not None or before.retry_at_s is not None
        alive_due = before.alive_at_s is not None and now_s >= before.alive_at_s
        outgoing = decide(
            document,
            self._accepted,
            dialect=self._link.dialect,
            whole_due=now_s >= self._whole_due_s,
            alive_due=alive_due or wanted,
        )
        if outgoing is not None:
            await self._send(outgoing, document)
        self.channel.answer(waiting)

    async def _send(self, outgoing: Outgoing, document: Mapping[str, Any]) -> None:
        self._seq += 1
        body = seal(outgoing.content, Envelope(base=outgoing.base, seq=self._seq))
        try:
            reply = await self._http.request(
                "PATCH",
                "/device/state",
                body={self._uuid: body},
                compress=True,
                device_key=self._link.api_key,
                purpose="report",
            )
        except IotisticError as error:
            self._not_accepted(error, outgoing)
            return
        self._accepted = document
        if outgoing.kind is ReportKind.WHOLE:
            self._whole_due_s = self._clock.now_s() + cadence.WHOLE_EVERY_S
        self._sent(retry_at_s=None)
        self.channel.succeeded()
        self._on_sent()
        self._heed(reply)

    def _not_accepted(self, error: IotisticError, outgoing: Outgoing) -> None:
        status = error.status if isinstance(error, CloudRefused) else None
        if isinstance(error, CloudConflict) and outgoing.kind is not ReportKind.WHOLE:
            # Not a failure: the cloud was restored, or its answer to the last report was lost.
            self._log.info("cloud wants the whole report", code=error.code)
            self._accepted = None
            self._sent(retry_at_s=self._clock.now_s())
        elif status in _NOT_UNDERSTOOD:
            # The same again would be refused again. The cloud was heard, so the link is good; the
            # whole truth is tried when a report is next due.
            self.dropped += 1
            self._log.warning("report refused, dropped", kind=outgoing.kind, error=error)
            self._accepted = None
            self.channel.succeeded()
            self._sent(retry_at_s=None)
            self._times = replace(self._times, retry_at_s=self._times.alive_at_s)
        else:
            retry_at_s = self.channel.failed(error)
            self._times = replace(self._times, sent_s=self._clock.now_s(), retry_at_s=retry_at_s)

    def _sent(self, *, retry_at_s: float | None) -> None:
        now_s = self._clock.now_s()
        promised_s = cadence.promise_s(self._intervals())
        self._times = replace(
            self._times,
            sent_s=now_s,
            retry_at_s=retry_at_s,
            alive_at_s=now_s + cadence.alive_after_s(promised_s, self._rng),
        )

    def _heed(self, reply: Reply) -> None:
        body = reply.body
        version = body.get("targetVersion") if isinstance(body, Mapping) else None
        if isinstance(version, int) and not isinstance(version, bool):
            self._on_target_version(version)
