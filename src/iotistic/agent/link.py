"""class Link: how the way to the cloud is used, by the settings and by what the budget leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from iotistic import __version__
from iotistic.agent.clock import Clock
from iotistic.agent.http import CloudHttp
from iotistic.agent.logs import AgentLogger, LogLevel
from iotistic.agent.settings import Settings
from iotistic.agent.store import CloudLink
from iotistic.agent.sync import CourierPace, SyncIntervals, intervals_for, pace_for
from iotistic.agent.traffic import LinkUse, Traffic, TrafficBook, load_days


class Link:
    """The intervals in force. Asked anew each time, since settings and budget change.

    `traffic` counts what goes over any connection to the cloud; `account` keeps it.
    """

    def __init__(
        self, settings: Settings, traffic: Traffic, account: TrafficBook, clock: Clock
    ) -> None:
        self.traffic = traffic
        self.account = account
        self._settings = settings
        self._clock = clock

    @classmethod
    async def open(
        cls,
        settings: Settings,
        folder: Path,
        *,
        on_change: Callable[[], None],
        clock: Clock,
        log: AgentLogger,
    ) -> Link:
        """Read the account in the state folder; one that cannot be read begins anew."""
        days, unreadable = await asyncio.to_thread(load_days, folder, clock.wall_ms())
        if unreadable is not None:
            log.warning("traffic is counted anew", error=unreadable)
        traffic = Traffic()
        account = TrafficBook(
            folder=folder,
            days=days,
            traffic=traffic,
            budget_mb=lambda: settings.value("TRAFFIC_BUDGET_MB_MONTH"),
            on_change=on_change,
            clock=clock,
            log=log,
        )
        return cls(settings, traffic, account, clock)

    def connect(self, to: CloudLink, *, clock_in_doubt: Callable[[], bool]) -> CloudHttp:
        """The way to a cloud. Raises InvalidField when its address cannot be used."""
        return CloudHttp(
            to.endpoint,
            clock=self._clock,
            ca_cert=to.ca_cert,
            verify_certificate=to.verify_certificate,
            allow_insecure=self._settings.value("ALLOW_INSECURE_CLOUD"),
            api_version=self._settings.value("API_VERSION"),
            agent_version=__version__,
            traffic=self.traffic,
            clock_in_doubt=clock_in_doubt,
        )

    def intervals(self) -> SyncIntervals:
        """How often to poll, report and measure."""
        value = self._settings.value
        asked = SyncIntervals(
            poll_s=value("POLL_INTERVAL_MS") / 1000,
            report_s=value("REPORT_INTERVAL_MS") / 1000,
            metrics_s=value("METRICS_INTERVAL_MS") / 1000,
        )
        return intervals_for(asked, self._use())

    def metrics_s(self) -> float:
        """How often to measure in detail."""
        return self.intervals().metrics_s

    def pace(self) -> CourierPace:
        """How soon records go."""
        asked = CourierPace(
            log_s=self._settings.value("CLOUD_LOG_UPLOAD_INTERVAL") / 1000,
            compress=self._settings.value("LOG_COMPRESSION"),
        )
        return pace_for(asked, self._use())

    def log_floor(self) -> LogLevel:
        """The least level of which the cloud gets lines."""
        return self._use().log_floor

    def _use(self) -> LinkUse:
        profile = self._settings.value("BANDWIDTH_PROFILE")
        return LinkUse(profile=profile, allowance=self.account.allowance)
