"""Leaving a cloud, moving to another address of it, and starting over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from iotistic.agent.http import CloudRefused
from iotistic.agent.provisioning import ProvisioningSettings
from iotistic.agent.store.records import ProvisioningPhase
from iotistic.engines.protocol import Engine
from iotistic.engines.simulated import Fault
from iotistic.model.errors import CloudUnavailable, Conflict, EngineUnavailable
from tests.agent.provisioning.builders import (
    KEY,
    OTHER_KEY,
    OTHER_UUID,
    UUID,
    Device,
    JumpingClock,
    identity,
    provisioned,
    wants,
)
from tests.agent.provisioning.scripted_cloud import ScriptedCloud, answers
from tests.engines.builders import Progress, image, network, volume
from tests.engines.builders import request as container

DEPROVISION = f"/api/v1/device/{UUID}/deprovision"
DAY_S = 24 * 3600


@pytest.fixture
async def cloud() -> AsyncIterator[ScriptedCloud]:
    async with ScriptedCloud().serve() as served:
        yield served


@pytest.fixture
async def device(cloud: ScriptedCloud) -> Device:
    """A device in the cloud, its key still in the environment."""
    found = Device(wants(cloud.url))
    await found.runs_until_provisioned()
    return found


async def test_leaving_keeps_who_the_device_is_and_tells_the_cloud(
    cloud: ScriptedCloud, device: Device
) -> None:
    before = device.identity
    key = device.api_key

    told = await device.manager.deprovision()

    assert told
    assert cloud.devices[UUID].deprovisioned
    assert device.identity.phase is ProvisioningPhase.DEPROVISIONED
    assert device.identity.uuid == before.uuid
    assert device.identity.private_key_pem == before.private_key_pem
    assert device.api_key == key
    assert device.manager.link() is None
    assert device.identity.mqtt is None


async def test_the_same_key_in_the_environment_does_not_bring_it_back(
    cloud: ScriptedCloud, device: Device
) -> None:
    await device.manager.deprovision()
    asked = len(cloud.requests)

    device.restart()

    assert device.error.code == "key-spent"
    assert device.manager.status().final
    await device.manager.provision(KEY)  # a person says so
    await device.runs_until_provisioned()
    assert len(cloud.requests) > asked
    assert cloud.valid_pairs(UUID) == [device.api_key]


async def test_another_key_in_the_environment_does(cloud: ScriptedCloud, device: Device) -> None:
    await device.manager.deprovision()

    device.restart(wants(cloud.url, OTHER_KEY))
    await device.runs_until_provisioned()

    assert list(cloud.devices) == [UUID]
    assert cloud.uses(OTHER_KEY) == 0  # the same device: no use is counted


async def test_a_cloud_that_is_away_is_told_when_it_is_back(
    cloud: ScriptedCloud, device: Device
) -> None:
    cloud.always = answers(503)

    told = await device.manager.deprovision()

    assert not told
    device.restart()
    await device.runs_until(lambda: cloud.asked(DEPROVISION) == 4)
    cloud.always = None
    await device.runs_until(lambda: device.identity.farewell is None)
    assert cloud.devices[UUID].deprovisioned


async def test_after_seven_days_telling_it_is_given_up(
    cloud: ScriptedCloud, device: Device
) -> None:
    cloud.always = answers(503)
    await device.manager.deprovision()
    await device.runs_until(lambda: device.identity.farewell_until is not None)
    device.clock.pass_s(7 * DAY_S + 1)

    await device.runs_until(lambda: device.identity.farewell is None)

    assert not cloud.devices[UUID].deprovisioned


async def test_a_clock_that_leaps_forward_does_not_spare_the_one_try(
    cloud: ScriptedCloud, device: Device
) -> None:
    cloud.fails(DEPROVISION, answers(503))
    await device.manager.deprovision()
    device.clock.pass_s(50 * 365 * DAY_S)

    device.restart()
    await device.runs_until(lambda: device.identity.farewell is None)

    assert cloud.devices[UUID].deprovisioned


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_cloud_that_does_not_know_the_device_any_more_needs_no_telling(
    cloud: ScriptedCloud, device: Device, status: int
) -> None:
    cloud.fails(DEPROVISION, answers(status))

    assert await device.manager.deprovision()


async def test_coming_back_before_the_cloud_was_told_is_no_farewell(
    cloud: ScriptedCloud, device: Device
) -> None:
    cloud.fails(DEPROVISION, answers(503))
    await device.manager.deprovision()

    await device.manager.provision(KEY)
    await device.runs_until_provisioned()

    assert device.identity.farewell is None
    assert not cloud.devices[UUID].deprovisioned
    assert cloud.valid_pairs(UUID) == [device.api_key]


async def test_joining_another_cloud_still_tells_the_one_that_was_left(
    cloud: ScriptedCloud, device: Device
) -> None:
    cloud.fails(DEPROVISION, answers(503))
    await device.manager.deprovision()

    async with ScriptedCloud().serve() as other:
        await device.manager.provision(OTHER_KEY, endpoint=other.url)
        await device.runs_until(
            lambda: (
                device.identity.farewell is None
                and device.identity.phase is ProvisioningPhase.PROVISIONED
            )
        )
        assert other.valid_pairs(UUID) == [device.api_key]

    assert cloud.devices[UUID].deprovisioned


async def test_there_is_nothing_to_leave_in_no_cloud() -> None:
    with pytest.raises(Conflict) as refused:
        await Device().manager.deprovision()

    assert refused.value.code == "not-provisioned"


async def test_leaving_ends_an_attempt_to_join_that_does_not_succeed(
    cloud: ScriptedCloud,
) -> None:
    device = Device(wants(cloud.url, "00" * 32))
    await device.runs_until(lambda: device.manager.status().attempts == 1)

    await device.manager.deprovision()
    device.restart()

    assert device.error.code == "key-spent"
    assert not device.manager.status().has_key


class TestAnotherAddress:
    async def test_is_taken_once_it_answered_an_authenticated_request(
        self, cloud: ScriptedCloud, device: Device
    ) -> None:
        await device.manager.set_endpoint(f"{cloud.url}/api/")

        assert device.link.endpoint == f"{cloud.url}/api/"

    async def test_is_not_taken_when_nobody_answers_there(self, device: Device) -> None:
        before = device.link

        with pytest.raises(CloudUnavailable):
            await device.manager.set_endpoint("http://127.0.0.1:9")

        assert device.link == before

    async def test_is_not_taken_when_the_device_is_not_known_there(self, device: Device) -> None:
        before = device.link

        async with ScriptedCloud().serve() as other:
            with pytest.raises(CloudRefused):
                await device.manager.set_endpoint(other.url)

        assert device.link == before

    async def test_needs_a_cloud_to_move_with(self, cloud: ScriptedCloud) -> None:
        with pytest.raises(Conflict) as refused:
            await Device().manager.set_endpoint(cloud.url)

        assert refused.value.code == "not-provisioned"


class TestAFactoryReset:
    async def test_lists_beforehand_what_it_takes(self, device: Device) -> None:
        await furnish(device.engine)

        plan = await device.manager.describe_reset()

        assert [c.name for c in plan.containers] == ["shop_web_web-9f0c1f2e"]
        assert plan.networks == ("1001_default-9f0c1f2e",)
        assert plan.volumes == ("1001_data-9f0c1f2e",)
        assert [Path(file).name for file in plan.files] == [
            *("device.sqlite", "identity.json", "no-such-token")
        ]
        assert plan.identity
        assert plan.uuid == UUID
        kept = await device.manager.describe_reset(keep_volumes=True, keep_identity=True)
        assert kept.volumes == ()
        assert not kept.identity

    async def test_promises_nothing_while_the_engine_cannot_be_asked(self, device: Device) -> None:
        device.engine.faults.order(Fault())

        with pytest.raises(EngineUnavailable):
            await device.manager.describe_reset()

    async def test_takes_what_it_said_and_nothing_is_left_of_the_identity(
        self, cloud: ScriptedCloud, device: Device
    ) -> None:
        await furnish(device.engine)

        await device.manager.factory_reset(UUID)
        assert device.manager.resetting
        await device.runs_until(lambda: device.resets == 1)

        assert await device.engine.containers() == ()
        assert (await device.engine.resources()).networks == ()
        assert (await device.engine.resources()).volumes == ()
        assert device.identity.uuid == OTHER_UUID
        assert device.identity.cloud is None
        assert cloud.devices[UUID].deprovisioned

    async def test_keeps_volumes_and_identity_when_told_to(self, device: Device) -> None:
        await furnish(device.engine)

        await device.manager.factory_reset(UUID, keep_volumes=True, keep_identity=True)
        await device.runs_until(lambda: device.resets == 1)

        assert [v.short_name for v in (await device.engine.resources()).volumes] == ["data"]
        assert device.identity.uuid == UUID

    async def test_does_not_join_again_with_the_same_key(self, device: Device) -> None:
        await device.manager.factory_reset(UUID)
        await device.runs_until(lambda: device.resets == 1)

        device.restart()

        assert device.error.code == "key-spent"
        assert not device.manager.status().has_key

    async def test_goes_on_over_an_engine_that_is_away(self, device: Device) -> None:
        await furnish(device.engine)
        device.engine.faults.order(Fault(times=3))

        await device.manager.factory_reset(UUID)
        await device.runs_until(lambda: device.resets == 1)

        assert await device.engine.containers() == ()

    async def test_goes_on_over_a_cloud_that_is_away(
        self, cloud: ScriptedCloud, device: Device
    ) -> None:
        cloud.always = answers(503)

        await device.manager.factory_reset(UUID)
        await device.runs_until(lambda: device.resets == 1)

        assert device.identity.uuid == OTHER_UUID

    async def test_goes_on_after_a_kill_at_any_await(self, cloud: ScriptedCloud) -> None:
        for awaits in range(1, 1000):
            device = Device(wants(cloud.url), found=provisioned(cloud.url), clock=JumpingClock())
            await furnish(device.engine)
            await device.manager.factory_reset(UUID)

            killed = await device.lives_for(awaits, was_reset(device))
            device.restart()
            if device.manager.resetting:
                await device.runs_until(was_reset(device))

            assert await device.engine.containers() == ()
            assert device.identity.uuid == OTHER_UUID
            if not killed:
                break

    async def test_wants_the_uuid_as_a_confirmation(self, device: Device) -> None:
        with pytest.raises(Conflict) as refused:
            await device.manager.factory_reset(OTHER_UUID)

        assert refused.value.code == "confirm-mismatch"
        assert not device.manager.resetting

    async def test_nothing_runs_while_it_is_under_way(self, device: Device) -> None:
        assert device.manager.may_run_services(has_target=True)

        await device.manager.factory_reset(UUID)
        assert not device.manager.may_run_services(has_target=True)
        await device.runs_until(lambda: device.resets == 1)

        # What else runs in this life holds the old target still.
        assert not device.manager.may_run_services(has_target=True)
        assert device.restart().may_run_services(has_target=True)


def test_required_provisioning_holds_back_only_a_device_without_a_target() -> None:
    device = Device(ProvisioningSettings(require=True), found=identity())

    assert not device.manager.may_run_services(has_target=False)
    assert device.manager.may_run_services(has_target=True)


async def furnish(engine: Engine) -> None:
    """One running service with a network and a volume."""
    made = network(UUID)
    name = made.name
    await engine.create_network(made)
    await engine.create_volume(volume(UUID, "data"))
    await engine.pull(image("iotistic-test/sleeper:1"), Progress())
    await engine.start(await engine.create_container(container(UUID, networks=(name,))))


def was_reset(device: Device) -> Callable[[], bool]:
    return lambda: device.resets > 0 or not device.manager.resetting
