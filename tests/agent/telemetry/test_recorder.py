"""Figures as records: at intervals, by the names of the reference, with or without a cloud."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from iotistic.agent.logs import LogBook
from iotistic.agent.telemetry import (
    ContainerReader,
    ContainerUsage,
    Details,
    MetricsSource,
    NetworkRates,
    Readings,
    Recorder,
)
from iotistic.agent.telemetry.points import HOST_UNITS, SERVICE_UNITS, host_point, service_point
from iotistic.model.records import RecordClass
from tests.agent.sync.builders import METRICS, FixedMetrics
from tests.agent.telemetry.test_containers import ScriptedEngine, seen
from tests.agent.virtual_clock import VirtualClock

RATES = NetworkRates(
    name="eth0",
    rx_bytes_per_s=10.0,
    tx_bytes_per_s=2.5,
    rx_packets_per_s=1.0,
    tx_packets_per_s=0.5,
    errors=1,
    drops=2,
)
WEB = ContainerUsage(
    app_id=1001,
    service_id="1",
    service_name="web",
    cpu_percent=1.5,
    memory_bytes=100,
    memory_limit_bytes=400,
    rx_bytes_per_s=1.0,
    tx_bytes_per_s=2.0,
    read_bytes_per_s=3.0,
    written_bytes_per_s=4.0,
    pids=5,
)


class Outbox:
    def __init__(self) -> None:
        self.points: list[tuple[int | None, Mapping[str, Any]]] = []

    def offer(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> None:
        assert record_class is RecordClass.METRIC
        self.points.append((at_ms, data))


class Device:
    def __init__(self) -> None:
        self.clock = VirtualClock(sleepers=1)
        self.host = FixedMetrics()
        self.outbox = Outbox()
        self.interval_s = 300.0
        self.usages: tuple[ContainerUsage, ...] = ()
        self.recorder = Recorder(
            host=self.host,
            details=self,
            latency_ms=lambda: 12.5,
            records=self.outbox,
            interval_s=lambda: self.interval_s,
            clock=self.clock,
            log=LogBook(self.clock, output=io.StringIO()).logger(),
        )

    async def read_details(self) -> Details:
        return await self.host.read_details()

    async def read_containers(self) -> tuple[ContainerUsage, ...]:
        return self.usages


@asynccontextmanager
async def recording() -> AsyncIterator[Device]:
    device = Device()
    task = asyncio.ensure_future(device.recorder.run())
    await device.clock.settled()
    yield device
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_every_interval_one_record_of_the_host_and_one_of_each_container() -> None:
    async with recording() as device:
        device.host.details, device.usages = Details(network=(RATES,)), (WEB,)
        assert device.outbox.points == [], "the first reading is what the next is compared with"
        await device.clock.advance(601)

        assert [data["scope"] for _, data in device.outbox.points] == ["host", "service"] * 2
        (at_ms, host), (_, service) = device.outbox.points[:2]
        assert at_ms == device.clock.wall_ms() - 301_000
        assert host["metrics"]["cpu_usage_percent"] == METRICS.cpu_percent
        assert host["metrics"]["network_latency_ms"] == 12.5
        assert (service["appId"], service["serviceName"]) == (1001, "web")
        assert service["metrics"]["memory_percent"] == 25.0


async def test_a_host_that_cannot_be_read_costs_its_points_and_no_more() -> None:
    async with recording() as device:
        device.host.broken = True
        await device.clock.advance(301)
        assert device.outbox.points == []
        device.host.broken = False
        await device.clock.advance(300)

        assert len(device.outbox.points) == 1


async def test_another_interval_counts_at_once() -> None:
    async with recording() as device:
        device.interval_s = 10.0
        device.recorder.intervals_changed()
        await device.clock.advance(25)

        assert len(device.outbox.points) == 2


def test_every_name_of_the_reference_can_be_told_and_no_other() -> None:
    everything = replace(
        METRICS, temperature_c=50.0, storage_used_mib=1, storage_total_mib=2, uptime_s=9
    )

    assert host_point(everything, Details(network=(RATES,)), 1.0).keys() == HOST_UNITS.keys()
    assert service_point(WEB).keys() == SERVICE_UNITS.keys()


def test_what_is_not_known_is_left_out() -> None:
    nothing = ContainerUsage(app_id=1, service_id="1", service_name="web")

    assert service_point(nothing) == {}


async def test_the_report_and_the_record_share_what_costs_much_to_read(tmp_path: Path) -> None:
    clock = VirtualClock()
    host = CountingHost()
    readings = Readings(
        host, ContainerReader(NoEngine(), tuple, clock), interval_s=lambda: 300.0, clock=clock
    )
    for _ in range(20):
        await readings.read_details()
        clock._now_s += 30

    assert host.reads == 4, "one every 150 s"


async def test_a_report_does_not_wait_for_the_engine() -> None:
    clock, engine = VirtualClock(), ScriptedEngine()
    readings = Readings(
        FixedMetrics(),
        ContainerReader(engine, lambda: seen(1), clock),
        interval_s=lambda: 300.0,
        clock=clock,
    )

    assert (await readings.read_details()).containers == ()
    assert engine.asked == []
    usages = await readings.read_containers()
    assert (await readings.read_details()).containers == usages != ()


class CountingHost(FixedMetrics):
    reads = 0

    async def read_details(self) -> Details:
        self.reads += 1
        return await super().read_details()


class NoEngine:
    async def stats(self, container_id: str) -> None:
        raise AssertionError(container_id)


async def test_real_interfaces_have_rates_from_the_second_reading_on(tmp_path: Path) -> None:
    source = MetricsSource(tmp_path)
    first = await source.read_details()
    outward = {i.name for i in first.interfaces if i.is_default or not i.is_virtual}
    source._links_read_s -= 1.0
    second = await source.read_details()

    assert first.network == ()
    assert {rates.name for rates in second.network} <= outward
    assert all(rates.rx_bytes_per_s >= 0 for rates in second.network)
