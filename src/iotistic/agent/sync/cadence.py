"""When to poll and report next, and how the link stands. Pure: times in, times out.

All times are on the boot clock, in seconds. Nothing here hurries a cloud that is in trouble:
what may be early is only a first attempt, and what a person asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from iotistic.agent.backoff import backoff_s
from iotistic.model.errors import IotisticError, Unavailable
from iotistic.model.words import ConnectionState

DEGRADED_AT = 2
OFFLINE_AT = 3
REFUSED_RETRY_S = 60.0
RETRY_AFTER_MIN_S = 1.0
RETRY_AFTER_MAX_S = 3600.0
POLL_SPACING_S = 5.0
"""Whoever asks, and however often: polls begin at least this far apart."""
HINT_JITTER_S = 2.0
KEEP_ALIVE_S = 300.0
WHOLE_EVERY_S = 86400.0
FIRST_LOOK_GRACE_S = 3.0
"""How long the first report waits for the reconciler's first round: one that says that nothing
runs, only because nobody has looked yet, would alarm somebody."""
CHANGE_SETTLE_S = 1.0
"""A change seldom comes alone: a report waits this long for the ones that follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncIntervals:
    """How often to poll, to look for changes worth a report, and to read detailed metrics.

    `alive_s`: within which time a report goes in any case. `in_detail`: whether processes,
    interfaces and containers are told; without them, figures alone are no reason for a report
    but every `metrics_s`.
    """

    poll_s: float = 60.0
    report_s: float = 10.0
    metrics_s: float = 300.0
    alive_s: float = KEEP_ALIVE_S
    in_detail: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """How one channel (polling, reporting) fares, and since when. Wall-clock labels."""

    since_ms: int
    failures: int = 0
    last_success_ms: int | None = None
    error: IotisticError | None = None

    @property
    def state(self) -> ConnectionState:
        """From failures in a row; offline as well until something was heard at all."""
        if self.failures >= OFFLINE_AT or self.last_success_ms is None:
            return ConnectionState.OFFLINE
        return ConnectionState.DEGRADED if self.failures >= DEGRADED_AT else ConnectionState.ONLINE


def after_success(health: ChannelHealth, *, wall_ms: int) -> ChannelHealth:
    """Any success makes the channel good again, whatever was before."""
    good = replace(health, failures=0, error=None, last_success_ms=wall_ms)
    return _dated(health, good, wall_ms)


def after_failure(health: ChannelHealth, error: IotisticError, *, wall_ms: int) -> ChannelHealth:
    """One more failure in a row."""
    return _dated(health, replace(health, failures=health.failures + 1, error=error), wall_ms)


def _dated(before: ChannelHealth, after: ChannelHealth, wall_ms: int) -> ChannelHealth:
    return after if after.state is before.state else replace(after, since_ms=wall_ms)


def worst(states: Iterable[ConnectionState]) -> ConnectionState:
    """The state to show for several channels; offline when there is none."""
    ranked = list(ConnectionState)
    return max(states, key=ranked.index, default=ConnectionState.OFFLINE)


def since_ms(channels: Iterable[ChannelHealth]) -> int:
    """Since when they stand together as they do: good since the last became so, else bad since
    the first did.
    """
    channels = list(channels)
    state = worst(channel.state for channel in channels)
    dates = [channel.since_ms for channel in channels if channel.state is state]
    return max(dates) if state is ConnectionState.ONLINE else min(dates)


def retry_s(failures: int, error: IotisticError, rng: Random) -> float:
    """Seconds until the next try after `failures` in a row, the last of which was `error`.

    What the cloud asked for (`Retry-After`, 1 s to an hour: "at once" for ever would be a flood)
    wins and is never undercut. A refusal is asked about once a minute. All else backs off with
    full jitter, 1 s to 60 s.
    """
    asked_s = error.retry_after_s if isinstance(error, Unavailable) else REFUSED_RETRY_S
    if asked_s is None:
        return backoff_s(failures, rng)
    floor_s = min(max(RETRY_AFTER_MIN_S, asked_s), RETRY_AFTER_MAX_S)
    return floor_s + rng.uniform(0.0, 0.1 * floor_s + 1.0)


def spread(rng: Random) -> float:
    """The factor by which one poll interval is longer or shorter, so that a fleet spreads out."""
    return rng.uniform(0.9, 1.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollTimes:
    """What decides the next poll. `retry_at_s` only after a failure; `asked_at_s` is a wish."""

    began_s: float | None = None
    factor: float = 1.0
    retry_at_s: float | None = None
    asked_at_s: float | None = None
    asked_by_person: bool = False


def poll_due_s(times: PollTimes, *, interval_s: float, now_s: float) -> float:
    """When to poll next. The first poll is due at once.

    A hint does not shorten a backoff, a person's wish does; neither undercuts the spacing.
    """
    if times.began_s is None:
        return now_s
    due_s = times.retry_at_s
    failing = due_s is not None
    if due_s is None:
        due_s = times.began_s + interval_s * times.factor
    if times.asked_at_s is not None and (times.asked_by_person or not failing):
        due_s = min(due_s, max(times.asked_at_s, times.began_s + POLL_SPACING_S))
    return due_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTimes:
    """What decides the next look for something to report.

    `ready_s`: the first look, when it cannot be now. `looked_s`, `sent_s`: the last look, the
    last try to send. `retry_at_s` only after a failure.
    `changed_at_s`: the first change since the last look. `alive_at_s`: a sign of life is due.
    """

    ready_s: float | None = None
    looked_s: float | None = None
    sent_s: float | None = None
    retry_at_s: float | None = None
    changed_at_s: float | None = None
    asked_at_s: float | None = None
    alive_at_s: float | None = None


def look_due_s(times: ReportTimes, *, interval_s: float, now_s: float) -> float:
    """When to look next whether there is something to report; the first time at once.

    What is sent is at least `interval_s` apart, but for a sign of life and a person's wish.
    """
    if times.looked_s is None:
        return now_s if times.ready_s is None else times.ready_s
    if times.asked_at_s is not None:
        sent_s = times.looked_s if times.sent_s is None else times.sent_s
        return max(times.asked_at_s, sent_s + POLL_SPACING_S)
    if times.retry_at_s is not None:
        return times.retry_at_s
    due_s = times.looked_s + interval_s
    if times.alive_at_s is not None:
        due_s = min(due_s, times.alive_at_s)
    if times.changed_at_s is not None:
        allowed_s = times.changed_at_s if times.sent_s is None else times.sent_s + interval_s
        due_s = min(due_s, max(times.changed_at_s + CHANGE_SETTLE_S, allowed_s))
    return due_s


def promise_s(intervals: SyncIntervals) -> float:
    """Within which time the next report comes: the cloud takes three times that for offline."""
    return max(intervals.alive_s, 1.25 * intervals.report_s)


def alive_after_s(promised_s: float, rng: Random) -> float:
    """When a sign of life is due after a report, early enough that the promise is kept."""
    return promised_s * rng.uniform(0.8, 0.95)
