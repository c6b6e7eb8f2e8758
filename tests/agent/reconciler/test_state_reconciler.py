"""The reconciler on a simulated engine: what a technician would see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.reconciler.offer import TargetWentBack
from iotistic.agent.reconciler.wakes import EVENT_ECHOES_S
from iotistic.agent.store.records import target_hash
from iotistic.engines.simulated import Fault, FaultKind, SimulatedEngine
from iotistic.model.errors import InvalidField
from iotistic.model.observation import Container
from iotistic.model.words import ContainerState, Verdict
from iotistic.planner.world import Intent, IntentKind
from tests.agent.fast_clock import FastClock
from tests.agent.reconciler.device import Device, device_uuid, running_device, service, target


@pytest.fixture
async def engine(tmp_path: Path) -> SimulatedEngine:
    return SimulatedEngine(await device_uuid(tmp_path), FastClock())


@pytest.fixture
async def device(tmp_path: Path, engine: SimulatedEngine) -> AsyncIterator[Device]:
    async with running_device(tmp_path, engine) as found:
        yield found


async def test_a_target_is_brought_about(device: Device) -> None:
    await device.offer(target(service("web"), service("db", "db:1", volumes=["data:/data"])))
    await device.settled()

    seen = await device.containers()
    assert {n: c.state for n, c in seen.items()} == {"web": "running", "db": "running"}
    assert device.snapshot.plan.verdicts[1001].verdict is Verdict.SETTLED
    assert len((await device.engine.resources()).volumes) == 1


async def test_a_container_killed_from_outside_runs_again(device: Device) -> None:
    await device.offer(target(service("web"), service("db", "db:1")))
    await device.settled()
    before = await device.containers()

    await device.engine.outside.kill(before["web"].id)
    await device.until(
        lambda: any(
            c.service_name == "web" and c.id != before["web"].id and c.state == "running"
            for c in device.snapshot.containers
        )
    )

    assert (await device.containers())["db"].id == before["db"].id


async def test_a_change_rolls_only_the_service_it_concerns(device: Device) -> None:
    await device.offer(target(service("web", environment={"A": "1"}), service("db", "db:1")))
    await device.settled()
    before = await device.containers()

    await device.offer(
        target(service("web", environment={"A": "2"}), service("db", "db:1"), version=2)
    )
    await device.settled()

    after = await device.containers()
    assert after["db"] == before["db"]
    assert after["web"].id != before["web"].id


async def test_pausing_keeps_the_container(device: Device) -> None:
    await device.offer(target(service("web")))
    await device.settled()
    before = (await device.containers())["web"]

    await device.offer(target(service("web", state="paused"), version=2))
    await device.settled()
    paused = (await device.containers())["web"]
    await device.offer(target(service("web"), version=3))
    await device.settled()
    after = (await device.containers())["web"]

    assert (paused.id, paused.state) == (before.id, ContainerState.PAUSED)
    assert (after.id, after.state) == (before.id, ContainerState.RUNNING)


async def test_stopped_and_running_again_is_a_new_container(device: Device) -> None:
    await device.offer(target(service("web")))
    await device.settled()
    before = (await device.containers())["web"]

    await device.offer(target(service("web", state="stopped"), version=2))
    await device.settled()
    stopped = (await device.containers())["web"]
    await device.offer(target(service("web"), version=3))
    await device.settled()
    after = (await device.containers())["web"]

    assert (stopped.id, stopped.state) == (before.id, ContainerState.EXITED)
    assert after.id != before.id
    assert after.state is ContainerState.RUNNING


async def test_what_the_target_no_longer_has_goes_but_its_data_stays(device: Device) -> None:
    await device.offer(target(service("web"), service("db", "db:1", volumes=["data:/data"])))
    await device.settled()

    await device.offer(target(version=2))
    await device.settled()
    await device.until(lambda: not device.snapshot.containers)

    left = await device.engine.resources()
    assert left.networks == ()
    assert len(left.volumes) == 1


async def test_a_cloud_without_an_opinion_changes_nothing(device: Device) -> None:
    await device.offer(target(service("web")))
    await device.settled()
    before = await device.containers()

    await device.offer({"apps": {}, "config": {}, "version": None})
    await device.reconciler.look()

    assert await device.containers() == before
    held = await device.store.target()
    assert held is not None
    assert held.version == 1


async def test_a_bad_target_is_refused_whole_and_what_runs_goes_on(device: Device) -> None:
    await device.offer(target(service("web")))
    await device.settled()
    before = await device.containers()

    with pytest.raises(InvalidField, match=r"apps.1001.services\[0\].state"):
        await device.offer(target(service("web", state="runing"), version=2))

    assert await device.containers() == before
    assert device.snapshot.refusal is not None
    assert device.snapshot.offered_version == 2


async def test_an_older_target_is_not_taken_unless_the_epoch_changed(device: Device) -> None:
    await device.offer(target(service("web", "web:2"), version=7))
    await device.settled()

    with pytest.raises(TargetWentBack):
        await device.offer(target(service("web", "web:1"), version=3))
    await device.offer(target(service("web", "web:3"), version=1, epoch="e2"))
    await device.settled()

    assert (await device.containers())["web"].image == "web:3"


async def test_one_app_that_is_not_allowed_does_not_hold_up_another(device: Device) -> None:
    document = target(service("web"))
    document["apps"].update(target(service("bad", volumes=["/etc:/etc"]), app=1002)["apps"])

    await device.offer(document)
    await device.until(lambda: any(c.state == "running" for c in device.snapshot.containers))

    verdicts = device.snapshot.plan.verdicts
    assert verdicts[1002].verdict is Verdict.REJECTED
    assert "bind-mounts" in verdicts[1002].reason
    assert set(await device.containers()) == {"web"}


async def test_a_failing_pull_is_tried_again_and_explained(device: Device) -> None:
    device.engine.faults.order(Fault(call="pull", kind=FaultKind.FAIL, times=3))
    await device.offer(target(service("web")))

    await device.until(lambda: any(a.count >= 2 for a in device.snapshot.attempts))
    (wait,) = device.snapshot.plan.waits or (None,)
    assert wait is None or wait.message
    await device.settled()

    assert (await device.containers())["web"].state is ContainerState.RUNNING
    assert device.snapshot.attempts == ()


async def test_the_engine_gone_and_back_costs_nothing_but_time(device: Device) -> None:
    await device.offer(target(service("web")))
    await device.settled()
    before = await device.containers()

    await device.engine.outside.go_down()
    device.reconciler.wake()
    await device.until(lambda: device.snapshot.engine_error is not None)
    await device.engine.outside.come_back()
    await device.until(lambda: device.snapshot.engine_error is None)

    assert await device.containers() == before


async def test_a_persons_stop_outlives_a_restart_of_the_agent_and_ends_with_the_next_release(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web")))
        await device.settled()
        (wanted,) = device.reconciler.wanted.apps[0].services
        await device.reconciler.intend(
            Intent(kind=IntentKind.STOP, app_id=1001, service_id="web", purpose=wanted.spec_hash)
        )
        await device.until(lambda: device.snapshot.containers[0].state == "exited")
    async with running_device(tmp_path, engine) as device:
        await device.until(lambda: device.snapshot.rounds > 0)
        assert (await device.containers())["web"].state is ContainerState.EXITED
        await device.offer(target(service("web", "web:2"), version=2))
        await device.settled()
        assert (await device.containers())["web"].state is ContainerState.RUNNING
        await device.until(lambda: device.snapshot.intents == ())


async def test_a_restart_asked_for_happens_once(device: Device) -> None:
    await device.offer(target(service("web")))
    await device.settled()
    seen = (await device.containers())["web"]
    start = await device.engine.started_at(seen.id)

    await device.reconciler.intend(
        Intent(
            kind=IntentKind.RESTART, app_id=1001, service_id="web",
            container_id=seen.id, seen_start=start,
        )
    )  # fmt: skip
    await device.until(lambda: device.engine.calls["restart"] > 0)
    await device.until(lambda: device.snapshot.intents == ())

    assert device.engine.calls["restart"] == 1
    assert (await device.containers())["web"].id == seen.id


async def test_a_purge_takes_the_data_and_brings_the_app_back(device: Device) -> None:
    await device.offer(target(service("db", "db:1", volumes=["data:/data"])))
    await device.settled()
    before = await device.containers()

    await device.reconciler.intend(Intent(kind=IntentKind.PURGE, app_id=1001, service_id=""))
    await device.until(lambda: device.engine.calls["remove_volume"] == 1)
    await device.until(lambda: device.snapshot.plan.settled and bool(device.snapshot.containers))

    assert (await device.containers())["db"].id != before["db"].id
    assert device.snapshot.intents == ()


async def test_with_nothing_to_do_a_round_is_one_listing_call(device: Device) -> None:
    await device.offer(target(*(service(f"s{n}") for n in range(5))))
    await device.settled()

    async def costs() -> dict[str, int]:
        before = dict(device.engine.calls)
        await device.reconciler.look()
        calls = device.engine.calls.items()
        return {n: c - before.get(n, 0) for n, c in calls if c != before.get(n)}

    # The loop itself looks once more after a release became good.
    async with asyncio.timeout(10):
        while await costs() != {"containers": 1}:
            pass


async def test_where_acting_is_not_allowed_the_plan_is_made_and_nothing_done(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine, may_act=lambda: False) as device:
        await device.offer(target(service("web")))
        await device.until(lambda: bool(device.snapshot.plan.steps))
        assert engine.calls["pull"] == 0


async def test_what_a_service_wrote_before_it_ended_is_kept(device: Device) -> None:
    await device.offer(target(service("web")))
    await device.settled()
    first = (await device.containers())["web"]
    await device.engine.outside.say(first.id, "cannot open /dev/pump")

    await device.engine.outside.kill(first.id)
    await device.until(lambda: device.engine.calls["start"] == 2)

    (subject,) = [a.subject for a in device.snapshot.attempts]
    assert "cannot open /dev/pump" in device.reconciler.last_words(subject)


async def test_a_list_of_apps_is_kept_like_a_map(tmp_path: Path, engine: SimulatedEngine) -> None:
    listed = target(service("web"))
    (app,) = listed["apps"].values()
    listed["apps"] = [app | {"appId": "01001"}]
    async with running_device(tmp_path, engine) as device:
        await device.offer(listed)
        await device.settled()
    async with running_device(tmp_path, engine) as device:
        await device.until(lambda: device.snapshot.plan.settled and device.snapshot.rounds > 0)
        assert (await device.containers())["web"].state is ContainerState.RUNNING


async def test_a_stored_target_that_fits_no_more_leaves_what_runs_alone_and_says_so(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web")))
        await device.settled()
        before = await device.containers()
        held = await device.store.target()
        assert held is not None
        apps = target(service("web", state="of another version"))["apps"]
        await device.store.save_target(
            replace(held, apps=apps, state_hash=target_hash(apps, held.config))
        )
    async with running_device(tmp_path, engine) as device:
        await device.until(lambda: device.snapshot.refusal is not None)
        await device.until(lambda: device.snapshot.rounds > 0)
        assert await device.containers() == before
        await device.offer(target(service("web", "web:2"), version=2))
        await device.settled()


async def test_a_target_taken_by_an_earlier_agent_keeps_what_runs_alive_though_it_is_refused_now(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    async with running_device(tmp_path, engine) as device:
        await device.offer(target(service("web")))
        await device.settled()
        before = await device.containers()
        held = await device.store.target()
        assert held is not None
        apps = target(service("web", links=["db"], depends_on=["nobody"]))["apps"]
        await device.store.save_target(
            replace(held, apps=apps, state_hash=target_hash(apps, held.config))
        )
    await engine.outside.kill(before["web"].id)
    async with running_device(tmp_path, engine) as device:
        await device.until(lambda: device.snapshot.plan.settled)
        assert device.snapshot.refusal is not None
        assert "links" in str(device.snapshot.refusal)
        seen = await device.containers()
        assert seen["web"].spec_hash == before["web"].spec_hash


class LaggingListing:
    """An engine that says "die" before its listing does, as Docker may: one look is stale."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self._before: tuple[Container, ...] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def kill(self, container_id: str) -> None:
        self._before = await self._engine.containers()
        await self._engine.outside.kill(container_id)

    async def containers(self) -> tuple[Container, ...]:
        stale, self._before = self._before, None
        return await self._engine.containers() if stale is None else stale


async def test_a_listing_that_lags_behind_its_event_does_not_delay_healing_to_the_timer(
    tmp_path: Path, engine: SimulatedEngine
) -> None:
    lagging = LaggingListing(engine)
    clock = FastClock(speed=5)  # the timer's 30 s are 6 here: a busy machine is not that slow
    async with running_device(tmp_path, engine, through=lagging, clock=clock) as device:
        await device.offer(target(service("web")))
        await device.settled()
        # Nothing of the start is echoing any more.
        await device.until(lambda: device.snapshot.plan.settled)
        await clock.sleep(2 * max(EVENT_ECHOES_S))
        (before,) = await engine.containers()

        killed_s = clock.now_s()
        await lagging.kill(before.id)
        await device.until(lambda: before.id not in {c.id for c in device.snapshot.containers})

        assert clock.now_s() - killed_s < 30.0
