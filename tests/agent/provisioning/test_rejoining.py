"""Older clouds, deleted databases, copied cards: joining where something is not as usual."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from iotistic.agent.provisioning import DialectChoice, ProvisioningSettings
from iotistic.agent.store.records import ProvisioningPhase
from iotistic.model.errors import Conflict
from iotistic.model.words import Dialect
from tests.agent.provisioning.builders import (
    UUID,
    Device,
    link,
    provisioned,
    wants,
)
from tests.agent.provisioning.scripted_cloud import (
    KEY_EXCHANGE,
    REGISTER_O1,
    ScriptedCloud,
    answers,
)

STATE = f"/api/v1/device/{UUID}/state"


@pytest.fixture
async def cloud() -> AsyncIterator[ScriptedCloud]:
    async with ScriptedCloud().serve() as served:
        yield served


class TestOlderClouds:
    async def test_auto_falls_back_where_v2_does_not_exist(self) -> None:
        async with ScriptedCloud(v2=False).serve() as cloud:
            device = Device(wants(cloud.url, application_id="app-1"))

            await device.runs_until_provisioned()

            assert device.link.dialect is Dialect.O1
            assert device.identity.mqtt is not None
            assert cloud.valid_pairs(UUID) == [device.api_key]
            assert len(device.api_key) == 64

    async def test_the_dialect_is_stored_only_with_an_accepted_registration(self) -> None:
        async with ScriptedCloud(v2=False).serve() as cloud:
            cloud.fails(REGISTER_O1, answers(500))
            device = Device(wants(cloud.url))
            await device.runs_until(lambda: device.manager.status().attempts == 1)
            assert device.identity.cloud is None

            cloud.v2 = True
            await device.runs_until_provisioned()

            assert device.link.dialect is Dialect.V2

    async def test_a_device_that_spoke_v2_never_goes_down(self) -> None:
        async with ScriptedCloud(v2=False).serve() as cloud:
            left = replace(
                provisioned(), phase=ProvisioningPhase.DEPROVISIONED, cloud=link(endpoint="")
            )
            device = Device(wants(cloud.url), found=left)

            await device.runs_until(lambda: device.manager.status().attempts == 1)

            assert cloud.asked(REGISTER_O1) == 0
            assert device.error.code == "dialect-unknown"

    async def test_one_that_is_neither_is_named(self) -> None:
        async with ScriptedCloud(v2=False, o1=False).serve() as cloud:
            device = Device(wants(cloud.url))

            await device.runs_until(lambda: device.manager.status().attempts == 1)

            assert device.error.code == "dialect-unknown"
            assert cloud.url in device.error.message

    @pytest.mark.parametrize("path", [REGISTER_O1, f"/api/v1/device/{UUID}/key-exchange", STATE])
    async def test_a_lost_reply_is_the_same_device(self, path: str) -> None:
        async with ScriptedCloud().serve() as cloud:
            cloud.lost[path] = 2
            device = Device(wants(cloud.url, dialect=DialectChoice.O1))

            await device.runs_until_provisioned()

            assert list(cloud.devices) == [UUID]
            assert cloud.uses() == 1
            assert cloud.asked(KEY_EXCHANGE) == 0


class TestADeletedDatabase:
    async def test_registers_anew_as_the_same_device(self, cloud: ScriptedCloud) -> None:
        device = Device(wants(cloud.url))
        await device.runs_until_provisioned()
        before = device.api_key

        device.restart(database_was_missing=True)
        await device.runs_until(lambda: cloud.valid_pairs(UUID) not in ([before], []))
        await device.runs_until_provisioned()

        assert cloud.valid_pairs(UUID) == [device.api_key]
        assert device.api_key != before
        assert cloud.uses() == 1

    async def test_without_a_key_the_identity_simply_comes_back(self, cloud: ScriptedCloud) -> None:
        found = provisioned(cloud.url)
        device = Device(found=found)

        device.restart(database_was_missing=True)

        assert device.manager.link() == found.cloud
        assert device.manager.status().error is None

    async def test_the_former_link_works_until_the_new_registration_did(
        self, cloud: ScriptedCloud
    ) -> None:
        found = provisioned(cloud.url)
        device = Device(wants(cloud.url), found=found)
        device.restart(database_was_missing=True)
        cloud.always = answers(500)

        await device.runs_until(lambda: device.manager.status().attempts == 2)

        assert device.identity.phase is ProvisioningPhase.PENDING
        assert device.manager.link() == found.cloud

    async def test_a_refused_registration_falls_back_to_the_former_link(
        self, cloud: ScriptedCloud
    ) -> None:
        found = provisioned(cloud.url)
        device = Device(wants(cloud.url, "00" * 32), found=found)
        device.restart(database_was_missing=True)

        await device.runs_until(lambda: cloud.asked(KEY_EXCHANGE) == 1)
        await device.runs_until_provisioned()

        assert device.identity == found
        assert cloud.asked(KEY_EXCHANGE) == 1


async def test_a_copied_card_does_not_connect_and_says_so(cloud: ScriptedCloud) -> None:
    device = Device(
        wants(cloud.url, machine_hash="this"),
        found=replace(provisioned(cloud.url), machine_hash="that"),
    )

    assert device.manager.link() is None
    assert not device.manager.machine_matches
    assert device.error.code == "machine-changed"

    await device.manager.renew_identity(UUID)

    assert device.identity.uuid != UUID
    await device.runs_until_provisioned()
    assert list(cloud.devices) == [device.identity.uuid]


async def test_an_identity_that_belongs_here_is_not_renewed() -> None:
    device = Device(ProvisioningSettings(machine_hash="this"), found=provisioned())

    with pytest.raises(Conflict) as refused:
        await device.manager.renew_identity(UUID)

    assert refused.value.code == "identity-not-cloned"
