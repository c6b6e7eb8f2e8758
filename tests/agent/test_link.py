"""The settings of the link: in force at once, and held to by the budget."""

from __future__ import annotations

from pathlib import Path

from iotistic.agent.link import Link
from iotistic.agent.logs import LogBook, LogLevel
from iotistic.agent.settings import Settings
from iotistic.model.records import RecordClass
from tests.agent.virtual_clock import VirtualClock


async def opened(folder: Path, settings: Settings, clock: VirtualClock) -> Link:
    return await Link.open(
        settings, folder, on_change=lambda: None, clock=clock, log=LogBook(clock).logger()
    )


async def test_the_low_profile_counts_at_once_and_ends_so(tmp_path: Path) -> None:
    settings = Settings({"POLL_INTERVAL_MS": "7200000"})
    link = await opened(tmp_path, settings, VirtualClock())
    before = (link.intervals().report_s, link.log_floor())

    settings.adopt_cloud({"BANDWIDTH_PROFILE": "low"})

    assert before == (10.0, LogLevel.DEBUG)
    assert (link.intervals().report_s, link.log_floor()) == (900.0, LogLevel.WARN)
    assert link.intervals().poll_s == 7200.0  # already more seldom than that
    assert link.pace().with_reports
    settings.adopt_cloud({})
    assert link.intervals().report_s == 10.0
    assert not link.pace().with_reports


async def test_a_budget_that_is_used_up_holds_all_but_events_and_polls(tmp_path: Path) -> None:
    link = await opened(tmp_path, Settings({"TRAFFIC_BUDGET_MB_MONTH": "1"}), VirtualClock())

    link.traffic.count("logs", sent=2_000_000)
    link.account.look()

    assert link.intervals().poll_s == 3600.0
    assert link.pace().held == set(RecordClass) - {RecordClass.EVENT}
    assert link.log_floor() is LogLevel.WARN
    assert [warning.code for warning in link.account.warnings()] == ["traffic-budget"]


async def test_records_are_sent_as_the_settings_say(tmp_path: Path) -> None:
    settings = Settings({"CLOUD_LOG_UPLOAD_INTERVAL": "5000", "LOG_COMPRESSION": "false"})
    pace = (await opened(tmp_path, settings, VirtualClock())).pace()

    assert (pace.log_s, pace.compress) == (5.0, False)
