"""Killed at any await, the next life ends in one device with one set of credentials."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from iotistic.agent.provisioning import DialectChoice
from iotistic.agent.provisioning.decisions import RESUME
from iotistic.agent.store.records import ProvisioningPhase
from tests.agent.provisioning.builders import UUID, Device, wants
from tests.agent.provisioning.scripted_cloud import ScriptedCloud

Holds = Callable[[], bool]


@pytest.mark.parametrize("dialect", [DialectChoice.V2, DialectChoice.O1])
async def test_a_device_killed_at_any_await_of_joining_joins_once(dialect: DialectChoice) -> None:
    async with ScriptedCloud().serve() as cloud:
        phases_died_in = set()
        for awaits in range(1, 1000):
            cloud.forget()
            device = Device(wants(cloud.url, dialect=dialect))

            killed = await device.lives_for(awaits, provisioned(device))
            phases_died_in.add(device.identity.phase)
            device.restart()
            await device.runs_until_provisioned()

            assert list(cloud.devices) == [UUID]
            assert cloud.valid_pairs(UUID) == [device.api_key]
            assert cloud.uses() == 1
            if not killed:
                break

    assert awaits > 10
    assert phases_died_in == set(RESUME) - {ProvisioningPhase.DEPROVISIONED}


async def test_a_device_killed_at_any_await_of_leaving_has_left() -> None:
    async with ScriptedCloud().serve() as cloud:
        for awaits in range(1, 1000):
            cloud.forget()
            device = Device(wants(cloud.url))
            await device.runs_until_provisioned()

            killed = await device.is_asked_and_killed(device.manager.deprovision(), awaits)
            device.restart()
            if device.identity.phase is ProvisioningPhase.PROVISIONED:
                await device.manager.deprovision()  # it never said yes; the person asks again
            await device.runs_until(farewell_said(device))

            assert device.identity.phase is ProvisioningPhase.DEPROVISIONED
            assert cloud.valid_pairs(UUID) == []
            if not killed:
                break

    assert awaits > 5


async def test_a_device_killed_at_any_await_of_a_wish_fulfils_it_or_never_said_yes() -> None:
    async with ScriptedCloud().serve() as cloud:
        for awaits in range(1, 1000):
            cloud.forget()
            device = Device(wants(cloud.url, "00" * 32))

            wish = device.manager.provision("7a" * 32)
            killed = await device.is_asked_and_killed(wish, awaits)
            device.restart()
            if device.identity.phase is ProvisioningPhase.NEW:
                await device.manager.provision("7a" * 32)
            await device.runs_until_provisioned()

            assert cloud.valid_pairs(UUID) == [device.api_key]
            assert cloud.uses("7a" * 32) == 1
            if not killed:
                break


def provisioned(device: Device) -> Holds:
    return lambda: device.identity.phase is ProvisioningPhase.PROVISIONED


def farewell_said(device: Device) -> Holds:
    return lambda: device.identity.farewell is None
