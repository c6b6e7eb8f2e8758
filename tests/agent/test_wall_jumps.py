"""A wall clock that leaps by years changes what is written on things, and not when they happen.

The same story of some hours twice, with the real reconciler, poller and reporter: a device starts,
gets updates, one of which is not well and is taken back, one of which a lock holds off; a service
crashes again and again; the cloud is away, and asks for patience. Once the wall clock runs evenly,
once it leaps to and fro in the middle of everything.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from iotistic.agent.config import Judgement
from iotistic.agent.http import CloudHttp, Reply
from iotistic.agent.logs import LogBook
from iotistic.agent.reconciler import StateReconciler
from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.agent.store import CloudLink, Store, database
from iotistic.agent.sync import CurrentState, SyncIntervals, cadence
from iotistic.agent.sync.poller import Poller
from iotistic.agent.sync.reporter import Reporter
from iotistic.engines.simulated import SimulatedEngine, SimulatedImage
from iotistic.model.errors import CloudUnavailable
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect
from iotistic.planner.policy import Policy
from iotistic.planner.world import Lock, LockOwner
from tests.agent.api.builders import crypto
from tests.agent.instant_loop import InstantClock, Patient, run_instantly
from tests.agent.sync.builders import HOST, FixedMetrics

YEARS_MS = 10 * 365 * 86_400_000
HOURS_S = 3600.0
ACTS = frozenset(
    {
        *("pull", "create_network", "create_volume", "create_container", "start", "stop"),
        *("restart", "pause", "unpause", "rename", "remove", "remove_image", "remove_network"),
    }
)


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Here the loop waits for threads, on purpose."""


@pytest.fixture(autouse=True)
def patient_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "ThreadPoolExecutor", Patient)


@dataclass
class Trace:
    """What was done, and when: seconds on the boot clock."""

    clock: InstantClock
    acts: list[tuple[float, str, str]] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    reports: list[float] = field(default_factory=list)

    def now_s(self) -> float:
        return round(self.clock.now_s(), 3)


class TracedEngine:
    """The engine, with every act on it noted. Containers go by their names."""

    def __init__(self, engine: SimulatedEngine, trace: Trace, uuid: str) -> None:
        self._suffix = f"-{uuid[:8]}"
        self._engine = engine
        self._trace = trace
        self._names: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._engine, name)
        if name not in ACTS:
            return call

        async def traced(subject: Any, *args: Any, **more: Any) -> Any:
            known = getattr(subject, "name", None) or str(subject)
            known = self._names.get(known, known).replace(self._suffix, "")
            self._trace.acts.append((self._trace.now_s(), name, known))
            found = await call(subject, *args, **more)
            if name == "create_container":
                self._names[found] = known
            return found

        return traced


class MemoryCloud(CloudHttp):
    """A cloud without a network, which is away when the story says so."""

    def __init__(self, trace: Trace) -> None:
        super().__init__("http://127.0.0.1:1", clock=trace.clock)
        self._trace = trace
        self.target: Mapping[str, Any] = {"apps": {}, "config": {}}
        self.etag = '"0"'
        self.trouble: CloudUnavailable | None = None

    async def request(self, method: str, path: str, **more: Any) -> Reply:
        assert path.startswith("/device/")
        asked = self._trace.polls if method == "GET" else self._trace.reports
        asked.append(self._trace.now_s())
        await asyncio.sleep(0.05)
        if self.trouble is not None:
            raise self.trouble
        if method != "GET":
            return Reply(status=200, body={"status": "ok"})
        if more["if_none_match"] == self.etag:
            return Reply(status=304)
        return Reply(status=200, body=self.target, etag=self.etag)

    def wants(self, version: int, *services: Any, **app: Any) -> None:
        shop = {"appId": 1001, "appName": "shop", "services": list(services), **app}
        self.target = {
            "apps": {"1001": shop},
            "config": {},
            "version": version,
            "target_epoch": "e1",
        }
        self.etag = f'"{version}"'


def wanted(name: str, image: str, **config: Any) -> Any:
    return {"serviceId": name, "serviceName": name, "imageName": image, "config": config}


Jumps = Mapping[float, int]
"""At how many seconds of the story the wall clock is off by how much."""


def story(folder: Path, jumps: Jumps) -> Callable[[InstantClock], Any]:
    async def told(clock: InstantClock) -> Trace:
        trace = Trace(clock)
        book = LogBook(clock, output=io.StringIO())
        cloud = MemoryCloud(trace)
        async with Store.open(folder / "device.sqlite", clock, crypto=crypto, machine="m") as store:
            engine = SimulatedEngine(store.identity.uuid, clock)

            def changed() -> None:
                reporter.changed()

            await engine.outside.load_image(SimulatedImage(reference="crasher:1", exits_after_s=2))
            reconciler = StateReconciler(
                engine=TracedEngine(engine, trace, store.identity.uuid),
                store=store,
                clock=clock,
                log=book.logger(),
                policy=Policy(),
                folders=RuntimeFolders(folder / "run", store.identity.uuid, clock, allow_disk=True),
                runtime_dir=str(folder / "run"),
                interval_s=lambda: 30.0,
                may_act=lambda: True,
                on_change=changed,
            )
            current = CurrentState(
                snapshot=reconciler.snapshot,
                config=Judgement,
                metrics=FixedMetrics(),
                intervals=SyncIntervals,
                clock=clock,
                log=book.logger(),
                agent_version="0.1.0",
                machine_hash="m",
                read_host=lambda: HOST,
            )
            link = CloudLink(
                endpoint=cloud.endpoint.base,
                dialect=Dialect.V2,
                device_id="1",
                api_key=Secret("k" * 20),
            )
            shared: dict[str, Any] = {
                "http": cloud,
                "link": link,
                "uuid": store.identity.uuid,
                "intervals": SyncIntervals,
                "clock": clock,
                "log": book.logger(),
            }
            poller = Poller(held_etag=None, offer=reconciler.offer_target, rng=Random(1), **shared)
            reporter = Reporter(
                current=current,
                on_target_version=lambda _: None,
                on_sent=lambda: None,
                rng=Random(2),
                **shared,
            )
            await reconciler.load()
            rooms = [asyncio.create_task(room.run()) for room in (reconciler, poller, reporter)]
            await _happenings(clock, cloud, store, reconciler, engine, jumps)
            for room in rooms:
                room.cancel()
            await asyncio.gather(*rooms, return_exceptions=True)
        return trace

    return told


async def _happenings(
    clock: InstantClock,
    cloud: MemoryCloud,
    store: Store,
    reconciler: StateReconciler,
    engine: SimulatedEngine,
    jumps: Jumps,
) -> None:
    began_s, even_ms = clock.now_s(), clock.wall_offset_ms
    web, db = wanted("web", "web:1"), wanted("db", "db:1")
    crasher = wanted("cron", "crasher:1", restart="no")

    async def locked() -> None:
        await store.locks.save(
            Lock(
                app_id=1001,
                owner=LockOwner.PERSON,
                holder="ann",
                reason="a test",
                until_s=clock.now_s() + 900.0,
                at_ms=clock.wall_ms(),
                boot_id=clock.boot_id,
            )
        )
        reconciler.wake()
        cloud.wants(4, wanted("web", "web:4"), db)

    async def killed() -> None:
        for container in await engine.containers():
            if container.service_name == "db":
                await engine.outside.kill(container.id)

    def away(retry_after_s: float | None = None) -> None:
        cloud.trouble = CloudUnavailable("away", retry_after_s=retry_after_s)

    def back() -> None:
        cloud.trouble = None

    happenings: dict[float, Callable[[], Any]] = {
        5.0: lambda: cloud.wants(1, web, db),
        300.0: lambda: cloud.wants(2, wanted("web", "web:2"), db, strategy="hand-over"),
        900.0: lambda: cloud.wants(3, wanted("web", "crasher:1", restart="always"), db),
        2400.0: locked,
        4000.0: away,
        4900.0: lambda: away(retry_after_s=120.0),
        5500.0: back,
        5600.0: lambda: cloud.wants(5, wanted("web", "web:4"), db, crasher),
        9000.0: lambda: cloud.wants(6, wanted("web", "web:6")),
    }
    happenings |= {7000.0 + 40.0 * n: killed for n in range(12)}
    moments = sorted({*happenings, *jumps, 3 * HOURS_S})
    for moment in moments:
        await clock.sleep(began_s + moment - clock.now_s())
        if moment in jumps:
            clock.wall_offset_ms = even_ms + jumps[moment]
        if moment in happenings and (doing := happenings[moment]()) is not None:
            await doing


def jumps_by(seed: int) -> Jumps:
    rng = Random(seed)
    return {
        round(rng.uniform(0, 3 * HOURS_S), 1): rng.choice((-1, 1)) * rng.randrange(YEARS_MS)
        for _ in range(40)
    }


def check(even: Trace, leaping: Trace, jumps: Jumps) -> None:
    assert leaping.acts == even.acts
    assert leaping.polls == even.polls
    # Dates in the report are others after a leap, which is news once; and that is all.
    assert len(leaping.reports) <= len(even.reports) + len(jumps)
    gaps = [later - sooner for sooner, later in pairwise(leaping.reports)]
    assert max(gaps) <= cadence.KEEP_ALIVE_S


def test_leaps_of_the_wall_clock_change_no_time_and_no_act(tmp_path: Path) -> None:
    even = run_instantly(story(tmp_path / "even", {}))
    jumps = jumps_by(7)

    leaping = run_instantly(story(tmp_path / "leaping", jumps))

    assert len(even.acts) > 40, "much has happened"
    assert len(even.polls) > 150
    check(even, leaping, jumps)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_wherever_the_leaps_are(tmp_path: Path) -> None:
    even = run_instantly(story(tmp_path / "even", {}))
    for seed in range(100, 115):
        jumps = jumps_by(seed)
        check(even, run_instantly(story(tmp_path / str(seed), jumps)), jumps)
