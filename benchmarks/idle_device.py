"""A device on which nothing happens but what always does, in virtual time, with the real link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from iotistic.agent.config import Judgement
from iotistic.agent.http import CloudHttp
from iotistic.agent.logs import LogBook, LogLevel
from iotistic.agent.outbox import Outbox, default_quotas, ledger_json
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.store.records import CloudLink, Identity, StoredTarget
from iotistic.agent.sync import (
    CloudSync,
    CourierPace,
    CurrentState,
    SyncIntervals,
    intervals_for,
    pace_for,
)
from iotistic.agent.telemetry import HostFacts, Recorder
from iotistic.agent.telemetry.metrics import (
    ContainerUsage,
    Details,
    Metrics,
    NetworkInterface,
    NetworkRates,
    ProcessUsage,
)
from iotistic.agent.traffic import LinkUse, Traffic
from iotistic.model.observation import Container
from iotistic.model.secret import Secret
from iotistic.model.target import parse_target
from iotistic.model.words import ContainerState, Dialect
from tests.agent.virtual_clock import VirtualClock
from tests.cloud.running import UUID
from tests.cloud.served import Served

SERVICES = ("gateway", "database", "dashboard")
PROCESSES = (
    "dockerd", "containerd", "iotistic-agent", "systemd", "systemd-journald", "sshd",
    "NetworkManager", "postgres", "node", "python3",
)  # fmt: skip
_DEADLINE_S = 30.0
_ABOUT_TO_S = 1e-6
"""Whoever sleeps for less may be the one that is waited for; sums of times are not exact."""


class IdleHost:
    """Figures that tremble as those of an idle host do."""

    def __init__(self, clock: VirtualClock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng

    async def read(self) -> Metrics:
        """The cheap ones."""
        near = self._rng.gauss
        return Metrics(
            cpu_percent=max(0.0, round(near(3.0, 1.0), 1)),
            cpu_cores=4,
            load_1=max(0.0, round(near(0.12, 0.05), 2)),
            memory_used_mib=round(near(620, 4)),
            memory_total_mib=3794,
            storage_used_mib=round(5200 + self._clock.now_s() / 86_400),
            storage_total_mib=29_500,
            temperature_c=round(near(48.0, 0.4), 1),
            uptime_s=int(self._clock.now_s()),
        )

    async def read_containers(self) -> Sequence[ContainerUsage]:
        """What three small services use."""
        near = self._rng.gauss
        return [
            ContainerUsage(
                app_id=1001,
                service_id=str(number),
                service_name=name,
                cpu_percent=max(0.0, round(near(0.3, 0.1), 1)),
                memory_bytes=round(near(60e6, 1e5)) // 4096 * 4096,
                memory_limit_bytes=256 * 1024 * 1024,
                rx_bytes_per_s=max(0.0, round(near(12.0, 3.0), 1)),
                tx_bytes_per_s=max(0.0, round(near(9.0, 3.0), 1)),
                read_bytes_per_s=0.0,
                written_bytes_per_s=max(0.0, round(near(400.0, 50.0), 1)),
                pids=7,
            )
            for number, name in enumerate(SERVICES, start=1)
        ]

    async def read_details(self) -> Details:
        """Ten processes, three interfaces, and the services."""
        near = self._rng.gauss
        return Details(
            processes=tuple(
                ProcessUsage(
                    pid=400 + number * 37,
                    name=name,
                    cpu_percent=max(0.0, round(near(0.4, 0.3), 1)),
                    memory_percent=round(2.5 - number * 0.2, 1),
                )
                for number, name in enumerate(PROCESSES)
            ),
            interfaces=tuple(
                NetworkInterface(
                    name=name,
                    ip4=ip4,
                    ip6=None,
                    mac=f"02:42:ac:11:00:0{number}",
                    kind=kind,
                    is_default=name == "eth0",
                    is_virtual=name != "eth0",
                    is_up=True,
                )
                for number, (name, ip4, kind) in enumerate(
                    [
                        ("lo", "127.0.0.1", "virtual"),
                        ("eth0", "192.0.2.17", "wired"),
                        ("docker0", "172.17.0.1", "virtual"),
                    ]
                )
            ),
            network=(
                NetworkRates(
                    name="eth0",
                    rx_bytes_per_s=max(0.0, round(near(180.0, 40.0), 1)),
                    tx_bytes_per_s=max(0.0, round(near(140.0, 40.0), 1)),
                    rx_packets_per_s=max(0.0, round(near(1.4, 0.4), 1)),
                    tx_packets_per_s=max(0.0, round(near(1.1, 0.4), 1)),
                    errors=0,
                    drops=0,
                ),
            ),
            containers=tuple(await self.read_containers()),
        )


class LinkClock(VirtualClock):
    """Goes on only when the link has nothing to do: the network takes no time on it."""

    def __init__(self) -> None:
        super().__init__(sleepers=3)  # poller, reporter, recorder
        self.sync: CloudSync | None = None

    async def settled(self) -> None:
        """Wait until everybody waits."""
        async with asyncio.timeout(_DEADLINE_S):
            await super().settled()
            while self._is_carrying():
                await super().settled()

    def _is_carrying(self) -> bool:
        if any(due_s <= self.now_s() + _ABOUT_TO_S for due_s in self._pending.values()):
            return False
        status = self.sync.status() if self.sync is not None else None
        channels = status.channels if status is not None else ()
        return any(one.name == "records" and one.next_in_s == 0.0 for one in channels)


@dataclass(frozen=True, slots=True)
class IdleDevice:
    """A device at work, and what its link has cost until now."""

    clock: LinkClock
    traffic: Traffic
    outbox: Outbox

    def bytes(self, purpose: str | None = None) -> int:
        """Both ways, for one purpose or all."""
        both = (self.traffic.sent, self.traffic.received)
        if purpose is not None:
            return sum(one.get(purpose, 0) for one in both)
        return sum(sum(one.values()) for one in both)


class _Holding:
    """The store of a device whose target was accepted."""

    def __init__(self) -> None:
        self.identity = Identity(
            uuid=UUID,
            creation_id="c",
            private_key_pem=Secret("-"),
            hash_key=Secret("-"),
            created_at_ms=0,
        )
        self.etag: str | None = None

    async def target(self) -> StoredTarget | None:
        """What is held; its ETag is what counts here."""
        return None


@asynccontextmanager
async def idle_device(
    folder: Path, cloud: Served, use: LinkUse, clock: LinkClock
) -> AsyncIterator[IdleDevice]:
    """One device with three settled services, from its start on."""
    rng, host = Random(17), IdleHost(clock, Random(5))
    log = LogBook(clock, level=LogLevel.ERROR).logger()
    intervals = intervals_for(SyncIntervals(), use)
    snapshot = _settled()
    traffic = Traffic()
    async with AsyncExitStack() as stack:
        outbox = await stack.enter_async_context(
            Outbox.open(
                folder / "outbox.sqlite",
                clock,
                log,
                quotas=default_quotas(64),
                clock_synced=lambda: True,
            )
        )
        current = CurrentState(
            snapshot=lambda: snapshot,
            config=Judgement,
            metrics=host,
            intervals=lambda: intervals,
            clock=clock,
            log=log,
            agent_version="0.1.0",
            machine_hash="9f86d081884c7d65",
            read_host=lambda: HostFacts(
                os_version="Debian GNU/Linux 12 (bookworm)",
                architecture="aarch64",
                local_ip="192.0.2.17",
            ),
            clock_synced=lambda: True,
            outbox=lambda: ledger_json(outbox.ledger()),
        )
        link = CloudLink(
            endpoint=cloud.url, dialect=Dialect.V2, device_id="1", api_key=Secret(cloud.key)
        )
        clock.sync = CloudSync(
            store=_Holding(),
            link=lambda: link,
            connect=lambda to: CloudHttp(
                to.endpoint, clock=clock, traffic=traffic, agent_version="0.1.0"
            ),
            offer=_take,
            snapshot=lambda: snapshot,
            current=current,
            outbox=outbox,
            intervals=lambda: intervals,
            pace=lambda: pace_for(CourierPace(), use),
            clock=clock,
            rng=rng,
            log=log,
        )
        recorder = Recorder(
            host=host,
            details=host,
            latency_ms=lambda: 40.0,
            records=outbox,
            interval_s=lambda: intervals.metrics_s,
            clock=clock,
            log=log,
        )
        tasks = [asyncio.create_task(run()) for run in (clock.sync.run, recorder.run)]
        try:
            yield IdleDevice(clock, traffic, outbox)
        finally:
            clock.sync = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in tasks:
                if not task.cancelled():
                    task.result()


def _settled() -> Snapshot:
    services = [
        {
            "serviceId": str(number),
            "serviceName": name,
            "imageName": f"registry.example.com/shop/{name}:1.4.2",
            "config": {"ports": [f"80{number}0:8080"], "restart": "unless-stopped"},
        }
        for number, name in enumerate(SERVICES, start=1)
    ]
    app = {"appId": 1001, "appName": "shop", "services": services}
    containers = tuple(
        Container(
            id=f"{number:064x}",
            name=f"shop_{name}",
            app_id=1001,
            service_id=str(number),
            service_name=name,
            state=ContainerState.RUNNING,
            image=f"registry.example.com/shop/{name}:1.4.2",
            image_id=f"sha256:{number:064x}",
            spec_hash=f"1:{number:032x}",
            created_s=1.0,
        )
        for number, name in enumerate(SERVICES, start=1)
    )
    target = parse_target({"apps": {"1001": app}, "config": {}, "version": 7})
    return Snapshot(rounds=1, target=target, containers=containers)


async def _take(*_: object) -> None:
    """The target of the cloud is the one that is held."""
