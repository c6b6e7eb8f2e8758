"""How sparing the link is to be used: what the operator says, and what the budget leaves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from iotistic.agent.logs.record import LogLevel
from iotistic.agent.traffic.budget import UNLIMITED, Allowance, Stage


class BandwidthProfile(StrEnum):
    """`BANDWIDTH_PROFILE`."""

    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUse:
    """Both together."""

    profile: BandwidthProfile = BandwidthProfile.NORMAL
    allowance: Allowance = UNLIMITED

    @property
    def is_low(self) -> bool:
        """Whether an idle device shall cost next to nothing."""
        return self.profile is BandwidthProfile.LOW

    @property
    def log_floor(self) -> LogLevel:
        """The least level of which the cloud gets lines."""
        is_free = self.allowance.stage is Stage.FREE
        return LogLevel.DEBUG if is_free and not self.is_low else LogLevel.WARN
