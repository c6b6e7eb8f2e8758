"""Asks the cloud what should run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.http import CloudHttp, Reply
from iotistic.agent.logs import AgentLogger
from iotistic.agent.store.records import CloudLink
from iotistic.agent.sync import cadence
from iotistic.agent.sync.cadence import PollTimes, SyncIntervals
from iotistic.agent.sync.channel import Channel
from iotistic.agent.sync.rounds import Rounds
from iotistic.model.canonical import sha256_hex
from iotistic.model.errors import CloudUnavailable, InvalidField, IotisticError, Refused

Offer = Callable[[Any, str | None], Awaitable[None]]
"""Takes a target document with its ETag. Raises InvalidField or Refused when it is not taken."""


class Poller:
    """Polls for one link: hands on what is new, remembers what was answered.

    The ETag of an accepted target is kept with it in the store (`held_etag`), so a restart asks
    with it. That of a refused one is only remembered here: it is not fetched again each time, but
    a newer agent gets to judge it anew.
    """

    def __init__(
        self,
        *,
        http: CloudHttp,
        link: CloudLink,
        uuid: str,
        held_etag: str | None,
        offer: Offer,
        intervals: Callable[[], SyncIntervals],
        clock: Clock,
        rng: Random,
        log: AgentLogger,
    ) -> None:
        self.channel = Channel("poll", clock=clock, rng=rng, log=log)
        self.rounds = Rounds(clock, self._due_s, self._round)
        self._http = http
        self._link = link
        self._uuid = uuid
        self._etag = held_etag
        self._seen_hash: str | None = None
        self._offer = offer
        self._intervals = intervals
        self._clock = clock
        self._rng = rng
        self._log = log
        self._times = PollTimes()
        self.changes = 0

    def ask(self) -> None:
        """A person wants to know now."""
        self._times = replace(self._times, asked_at_s=self._clock.now_s(), asked_by_person=True)
        self.rounds.ring()

    def hint(self) -> None:
        """The cloud says that there is something new."""
        if self._times.asked_at_s is None:
            spread_s = self._rng.uniform(0.0, cadence.HINT_JITTER_S)
            self._times = replace(self._times, asked_at_s=self._clock.now_s() + spread_s)
            self.rounds.ring()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            await self.rounds.run()
        finally:
            self.channel.close()

    def _due_s(self) -> float:
        return cadence.poll_due_s(
            self._times, interval_s=self._intervals().poll_s, now_s=self._clock.now_s()
        )

    async def _round(self) -> None:
        waiting = self.channel.take_waiting()
        times = PollTimes(began_s=self._clock.now_s(), factor=cadence.spread(self._rng))
        self._times = times
        trouble: IotisticError | None = None
        try:
            reply = await self._http.request(
                "GET",
                f"/device/{self._uuid}/state",
                device_key=self._link.api_key,
                if_none_match=self._etag,
                purpose="poll",
            )
            document = None if reply.unchanged else unwrap(reply.body, self._uuid)
        except IotisticError as error:
            # What was asked for meanwhile is kept.
            self._times = replace(self._times, retry_at_s=self.channel.failed(error))
        else:
            self.channel.succeeded()
            if document is not None:
                trouble = await self._hand_on(document, reply)
        self.channel.answer(waiting, trouble)

    async def _hand_on(self, document: Mapping[str, Any], reply: Reply) -> IotisticError | None:
        """Offer it; the answer is why it could not be taken, and will be offered again."""
        # Not every server on the way keeps ETags: the same document is not judged twice.
        seen_hash = sha256_hex(document)
        if seen_hash == self._seen_hash:
            self._etag = reply.etag
            return None
        try:
            await self._offer(document, reply.etag)
        except (InvalidField, Refused):
            # Logged and kept for the report by the one who refused. Until the cloud has another
            # one there is nothing to be said about it again.
            pass
        except IotisticError as error:
            # Not the target's fault (a full disk, say): it is fetched and offered again.
            self._log.warning("target not taken", error=error, remedy=error.remedy)
            return error
        else:
            self.changes += 1
        self._etag, self._seen_hash = reply.etag, seen_hash
        return None


def unwrap(body: Any, uuid: str) -> Mapping[str, Any]:
    """The target inside of a reply: below the uuid, or bare. Raises CloudUnavailable."""
    if isinstance(body, Mapping):
        inner = body.get(uuid)
        if isinstance(inner, Mapping):
            return inner
        if inner is None and ("apps" in body or "config" in body):
            return body
    raise CloudUnavailable(
        "the answer holds no target for this device",
        code="not-a-target",
        remedy="something else than the cloud answers there; check CLOUD_API_ENDPOINT",
    )
