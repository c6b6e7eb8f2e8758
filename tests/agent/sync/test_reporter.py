"""What the device tells the cloud, and when."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync import SyncIntervals
from iotistic.agent.telemetry import Details, NetworkInterface, ProcessUsage
from iotistic.model.report import hash_of
from iotistic.model.words import ConnectionState, ContainerState, Dialect
from tests.agent.sync.builders import METRICS, container, document, service, target
from tests.agent.sync.device import KEY, Device, link_to, running
from tests.agent.sync.scripted_cloud import HANGS_UP, UUID, Answer, ScriptedCloud

RUNNING = container("1")
PAUSED = container("1", state=ContainerState.PAUSED)


@pytest.fixture(autouse=True)
def a_settled_device(device: Device, cloud: ScriptedCloud) -> None:
    cloud.target = document(service(), version=4)
    device.snapshot = replace(
        device.snapshot,
        target=target(service(), version=4),
        offered_version=4,
        containers=(RUNNING,),
    )


async def in_sync(device: Device, cloud: ScriptedCloud) -> bool:
    """Whether the cloud holds the services as the device has them."""
    assert cloud.held is not None
    return bool(cloud.held["apps"] == (await device.current.gather(None))["apps"])


async def test_the_first_report_is_the_whole_document_at_once(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        first = cloud.reports()[0]

    assert "base" not in first
    assert first["seq"] == 1
    assert first["version"] == 4
    assert first["apps"]["1001"]["services"][0]["status"] == "running"
    assert first["cpu_usage"] == 20
    assert first["local_ip"] == "192.0.2.7"


async def test_the_first_report_waits_a_moment_until_somebody_has_looked(
    device: Device, cloud: ScriptedCloud
) -> None:
    device.snapshot = Snapshot()

    async with running(device):
        await device.passes(1)
        assert cloud.reports() == []
        device.knows(containers=(RUNNING,), rounds=1)
        await device.passes(0)
        assert len(cloud.reports()) == 1


async def test_an_engine_that_never_answers_does_not_keep_the_first_report(
    device: Device, cloud: ScriptedCloud
) -> None:
    device.snapshot = Snapshot()

    async with running(device):
        await device.passes(3)
        assert len(cloud.reports()) == 1


async def test_a_report_is_gzipped_and_says_who_in_header_and_key(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        pass

    report = next(asked for asked in cloud.asked if asked.method == "PATCH")
    assert report.path == "/api/v1/device/state"
    assert report.headers["Content-Encoding"] == "gzip"
    assert report.headers["X-Device-API-Key"] == KEY
    assert list(report.body) == [UUID]


async def test_when_nothing_changes_only_a_sign_of_life_is_sent(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(10)
        before = len(cloud.reports())
        held = hash_of(cloud.held or {})
        await device.passes(1800)
        signs = cloud.reports()[before:]

    assert 6 <= len(signs) <= 8
    assert all(sign.keys() == {"version", "seq", "base"} for sign in signs)
    assert {sign["base"] for sign in signs} == {held}
    assert hash_of(cloud.held or {}) == held


async def test_the_next_report_comes_within_the_promised_time(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(7200)

    promised_s = cloud.reports()[0]["next_report_within_ms"] / 1000
    times = [asked.at_s for asked in cloud.asked if asked.method == "PATCH"]
    assert max(b - a for a, b in itertools.pairwise(times)) < promised_s


async def test_a_change_is_told_as_a_patch_within_moments(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        base = hash_of(cloud.held or {})
        before = len(cloud.reports())
        device.knows(containers=(PAUSED,))
        await device.passes(1.5)
        (patch,) = cloud.reports()[before:]

        assert patch.keys() == {"apps", "seq", "base"}
        assert patch["base"] == base
        assert patch["apps"]["1001"].keys() == {"services"}
        assert await in_sync(device, cloud)


async def test_many_changes_in_a_moment_are_one_report_and_reports_keep_their_distance(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        before = len(cloud.reports())
        for number in range(20):
            device.knows(containers=(replace(RUNNING, id=f"c{number}"),))
            await device.passes(0.04)
        await device.passes(1.5)
        assert len(cloud.reports()) == before + 1
        device.knows(containers=(PAUSED,))
        await device.passes(5)
        assert len(cloud.reports()) == before + 1
        await device.passes(5)
        assert len(cloud.reports()) == before + 2
        assert await in_sync(device, cloud)


async def test_a_change_that_was_taken_back_is_not_told(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        before = len(cloud.reports())
        device.knows(containers=(PAUSED,))
        device.knows(containers=(RUNNING,))
        await device.passes(30)

        assert len(cloud.reports()) == before


async def test_what_is_gone_is_gone_in_the_cloud(device: Device, cloud: ScriptedCloud) -> None:
    async with running(device):
        await device.passes(15)
        device.knows(target=target(version=5), containers=())
        await device.passes(15)

        assert cloud.held is not None
        assert cloud.held["apps"]["1001"]["services"] == []
        device.knows(target=replace(target(version=6), apps=()))
        await device.passes(15)
        assert cloud.held["apps"] == {}
        assert cloud.held["version"] == 6


async def test_a_cloud_that_lost_its_copy_gets_the_whole_document_at_once(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        cloud.held = {"something": "else"}
        device.knows(containers=(PAUSED,))
        await device.passes(1.5)

        assert [("base" in report) for report in cloud.reports()[-2:]] == [True, False]
        assert await in_sync(device, cloud)
        assert device.state is ConnectionState.ONLINE


async def test_a_lost_answer_ends_in_agreement(device: Device, cloud: ScriptedCloud) -> None:
    async with running(device):
        await device.passes(15)
        cloud.say("PATCH", Answer(hangs_up=True, after=True))
        device.knows(containers=(PAUSED,))
        await device.passes(15)

        assert await in_sync(device, cloud)


async def test_after_an_outage_the_newest_state_is_told_and_nothing_older(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        cloud.down = HANGS_UP
        device.knows(containers=(PAUSED,))
        await device.passes(3600)
        device.knows(containers=(replace(RUNNING, id="c9"),))
        cloud.down, cloud.asked = None, []
        await device.passes(70)

        assert len(cloud.reports()) == 1
        assert await in_sync(device, cloud)


async def test_after_a_short_failure_the_cloud_hears_even_if_nothing_changed(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        cloud.say("PATCH", *[Answer(503)] * 3)
        device.knows(containers=(PAUSED,))
        await device.passes(11)
        device.knows(containers=(RUNNING,))
        await device.passes(60)

        assert device.state is ConnectionState.ONLINE
        assert await in_sync(device, cloud)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_report_that_is_not_understood_is_dropped_with_one_line_and_not_repeated(
    device: Device, cloud: ScriptedCloud, status: int
) -> None:
    async with running(device):
        await device.passes(15)
        cloud.say("PATCH", Answer(status, {"error": "no", "message": "what is this"}))
        device.knows(containers=(PAUSED,))
        await device.passes(1.5)
        before = len(cloud.reports())
        await device.passes(200)
        assert len(cloud.reports()) == before
        assert device.said("warn") == ["report refused, dropped"]
        assert device.state is ConnectionState.ONLINE

        await device.passes(100)
        assert "base" not in cloud.reports()[before]
        assert cloud.reports()[before]["dropped"] == {"reports": 1}
        assert await in_sync(device, cloud)


async def test_a_cloud_that_understands_no_report_at_all_is_not_flooded(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.say("PATCH", *[Answer(400)] * 1000)

    async with running(device):
        for number in range(100):
            device.knows(containers=(replace(RUNNING, id=f"c{number}"),))
            await device.passes(36)

    assert len(cloud.reports()) <= 16


async def test_refused_credentials_are_asked_about_once_a_minute(
    device: Device, cloud: ScriptedCloud
) -> None:
    cloud.say("PATCH", *[Answer(403)] * 100)

    async with running(device):
        await device.passes(600)

    assert 9 <= len(cloud.reports()) <= 11


async def test_the_whole_document_goes_once_a_day(device: Device, cloud: ScriptedCloud) -> None:
    device.intervals = SyncIntervals(poll_s=3600, report_s=600, metrics_s=3600)

    async with running(device):
        await device.passes(2.2 * 86400)

    whole = [asked for asked in cloud.asked if asked.method == "PATCH"]
    times = [asked.at_s for asked in whole if "base" not in asked.body[UUID]]
    assert len(times) == 3
    assert times[1] - times[0] == pytest.approx(86400, rel=0.02)


async def test_metrics_are_told_when_they_moved_and_time_alone_is_no_news(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        await device.passes(15)
        before = len(cloud.reports())
        device.metrics.metrics = replace(METRICS, cpu_percent=23.0, uptime_s=9999, load_1=3.0)
        await device.passes(60)
        assert len(cloud.reports()) == before

        device.metrics.metrics = replace(METRICS, cpu_percent=80.0, uptime_s=9999)
        await device.passes(15)
        (patch,) = cloud.reports()[before:]

    assert patch.keys() == {"cpu_usage", "uptime", "seq", "base"}
    assert (patch["cpu_usage"], patch["uptime"]) == (80, 9999)


async def test_processes_and_interfaces_go_at_their_own_interval(
    device: Device, cloud: ScriptedCloud
) -> None:
    async with running(device):
        device.metrics.details = Details(
            processes=(ProcessUsage(pid=7, name="db", cpu_percent=1.5, memory_percent=2.5),),
            interfaces=(
                NetworkInterface(
                    name="eth0",
                    ip4="192.0.2.7",
                    ip6=None,
                    mac="02:00:00:00:00:01",
                    kind="wired",
                    is_default=True,
                    is_virtual=False,
                    is_up=True,
                ),
            ),
        )
        await device.passes(290)
        assert cloud.held is not None
        assert cloud.held["top_processes"] == []
        await device.passes(30)

    assert cloud.held["top_processes"] == [{"pid": 7, "name": "db", "cpu": 1.5, "mem": 2.5}]
    assert cloud.held["network_interfaces"][0]["operstate"] == "up"


async def test_a_host_that_tells_no_figures_is_reported_without_them(
    device: Device, cloud: ScriptedCloud
) -> None:
    device.metrics.broken = True

    async with running(device):
        report = cloud.reports()[0]
        assert device.state is ConnectionState.ONLINE

    assert "cpu_usage" not in report
    assert report["apps"]


async def test_the_older_dialect_gets_whole_documents_only(
    device: Device, cloud: ScriptedCloud
) -> None:
    device.link = link_to(cloud, dialect=Dialect.O1)

    async with running(device):
        await device.passes(15)
        device.knows(containers=(PAUSED,))
        await device.passes(1.5)
        await device.passes(300)

    reports = cloud.reports()
    assert len(reports) == 3  # at start, the change, a sign of life
    assert all("base" not in report for report in reports)
    assert all(report["apps"] and report["version"] == 4 for report in reports)


async def test_a_shorter_interval_counts_from_now_on(device: Device, cloud: ScriptedCloud) -> None:
    device.intervals = SyncIntervals(report_s=1000)

    async with running(device):
        await device.passes(15)
        device.metrics.metrics = replace(METRICS, cpu_percent=80.0)
        device.intervals = SyncIntervals(report_s=5)
        device.sync.intervals_changed()
        await device.passes(1)

        assert cloud.reports()[-1]["cpu_usage"] == 80
