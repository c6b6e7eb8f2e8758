"""How an app gets from one release to the next: words of the target, and of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StrategyKind(StrEnum):
    """In which order the new replaces the old."""

    DOWNLOAD_THEN_KILL = "download-then-kill"
    KILL_THEN_DOWNLOAD = "kill-then-download"
    """For devices with too little memory for a pull beside what runs."""
    DELETE_THEN_DOWNLOAD = "delete-then-download"
    """For devices with too little disk for two images: the old one is removed first."""
    HAND_OVER = "hand-over"
    """The new runs beside the old until it says that it has taken over."""


class OnFailure(StrEnum):
    """What becomes of a release that is not well in time."""

    ROLLBACK = "rollback"
    KEEP = "keep"


class LockMode(StrEnum):
    """Whether an update of the app waits for locks."""

    RESPECT = "respect"
    FORCE = "force"


class ReleasePhase(StrEnum):
    """How far a release of an app is, as the report says it."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    APPLYING = "applying"
    VERIFYING = "verifying"
    DONE = "done"
    REJECTED = "rejected"
    """It was not well in time, and the device is going back to the one before."""
    ROLLED_BACK = "rolled-back"
    BLOCKED = "blocked"
    """It cannot go on by itself: an image that cannot be had, a lock, a policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How services of an app are replaced."""

    kind: StrategyKind = StrategyKind.DOWNLOAD_THEN_KILL
    handover_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """When a release counts as good.

    Every service has to run (and be healthy, if it can say so) for `healthy_s`; and all of them
    within `timeout_s` of the first change, or else `on_failure` happens.
    """

    timeout_s: float = 300.0
    healthy_s: float = 10.0
    on_failure: OnFailure = OnFailure.ROLLBACK
