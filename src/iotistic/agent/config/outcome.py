"""What came of one key of a config, in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OutcomeKind(StrEnum):
    """What came of a key."""

    APPLIED = "applied"
    """In force."""
    NEEDS_RESTART = "needs-restart"
    """Kept; in force from the agent's next start."""
    REJECTED = "rejected"
    """Not in force; `Reason` says why."""
    UNSUPPORTED = "unsupported"
    """Known, and not built in this version of the agent."""
    UNKNOWN = "unknown"
    """No key that this version knows."""


class Reason(StrEnum):
    """Why a key was rejected."""

    INVALID = "invalid-field"
    LOCAL_ONLY = "local-only"
    """Only the environment of the agent may set it."""
    DEVICE_ONLY = "device-only"
    """It may be set on the device only."""
    PINNED = "pinned"
    SET_LOCALLY = "set-locally"
    """`iotctl config set` says otherwise, and wins."""
    GIVEN_TWICE = "given-twice"
    """Another key of the same config says otherwise, and wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one key. `setting` is the one that it is for; `message` says why, if not so."""

    path: str
    kind: OutcomeKind
    setting: str | None = None
    reason: Reason | None = None
    message: str | None = None
