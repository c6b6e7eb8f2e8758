"""One channel to the cloud: its health, what is said about it, and who waits for its next round."""

from __future__ import annotations

import asyncio
from random import Random

from iotistic.agent.clock import Clock
from iotistic.agent.http import CloudRefused
from iotistic.agent.logs import AgentLogger
from iotistic.agent.sync import cadence
from iotistic.agent.sync.cadence import ChannelHealth
from iotistic.model.errors import CloudUnavailable, IotisticError, Refused

_CREDENTIALS_REFUSED = frozenset({401, 403, 404, 410})


class CredentialsRefused(Refused):
    """The cloud does not let this device in. Only a person can change that; services go on."""

    code: str = "credentials-refused"


class Channel:
    """What polling and reporting have in common: counting failures, and waiting after them."""

    def __init__(self, name: str, *, clock: Clock, rng: Random, log: AgentLogger) -> None:
        self.name = name
        self.health = ChannelHealth(since_ms=clock.wall_ms())
        self._clock = clock
        self._rng = rng
        self._log = log
        self._waiting: list[asyncio.Future[None]] = []

    def succeeded(self) -> None:
        """The cloud answered as it should."""
        before = self.health
        self.health = cadence.after_success(before, wall_ms=self._clock.wall_ms())
        if before.failures or before.last_success_ms is None:
            self._log.info("cloud answers", channel=self.name, after_failures=before.failures)

    def failed(self, error: IotisticError) -> float:
        """Count a failure; the time on the boot clock of the next try is the answer."""
        before = self.health
        self.health = cadence.after_failure(
            before, _as_refusal(error), wall_ms=self._clock.wall_ms()
        )
        told = self.health.error or error
        delay_s = cadence.retry_s(self.health.failures, error, self._rng)
        # Told when something is new; a cloud that is away for a week is not worth a line a minute.
        new = before.error is None or before.error.code != told.code
        turned = before.state is not self.health.state
        say = self._log.warning if new or turned else self._log.debug
        say(
            "cloud does not answer as it should",
            channel=self.name,
            state=self.health.state,
            failures=self.health.failures,
            error=told,
            remedy=told.remedy,
            retry_in_s=round(delay_s, 1),
        )
        return self._clock.now_s() + delay_s

    def expect(self) -> asyncio.Future[None]:
        """Done after the next whole round; an error of that round comes out of it."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting any more when the error comes.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiting.append(future)
        return future

    def take_waiting(self) -> list[asyncio.Future[None]]:
        """Those who wait for the round that begins now."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def answer(
        self, waiting: list[asyncio.Future[None]], trouble: IotisticError | None = None
    ) -> None:
        """Tell them how the round went; `trouble` is what came of it that is not the cloud's."""
        error = self.health.error or trouble
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    def close(self) -> None:
        """Nothing more will come; for those who still wait it was in vain."""
        for future in self.take_waiting():
            if not future.done():
                future.set_exception(
                    CloudUnavailable("the link to the cloud was changed meanwhile")
                )


def _as_refusal(error: IotisticError) -> IotisticError:
    if not isinstance(error, CloudRefused) or error.status not in _CREDENTIALS_REFUSED:
        return error
    refusal = CredentialsRefused(
        f"the cloud does not let this device in: {error.message}",
        remedy="services go on; an operator sees why: iotctl fleet devices show"
        "; if it was removed, join again: iotctl provision",
    )
    refusal.__cause__ = error
    return refusal
