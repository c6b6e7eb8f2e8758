"""Joining a cloud, over real HTTP against a cloud of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from iotistic.agent.provisioning import ProvisioningSettings
from iotistic.agent.store.records import ProvisioningPhase
from iotistic.model.errors import Conflict, InvalidField
from tests.agent.provisioning.builders import (
    KEY,
    OTHER_KEY,
    OTHER_UUID,
    UUID,
    Device,
    JumpingClock,
    wants,
)
from tests.agent.provisioning.scripted_cloud import (
    KEY_EXCHANGE,
    REGISTER,
    Fault,
    ScriptedCloud,
    answers,
    says,
)

STATE = f"/api/v1/device/{UUID}/state"


@pytest.fixture
async def cloud() -> AsyncIterator[ScriptedCloud]:
    async with ScriptedCloud().serve() as served:
        yield served


async def test_a_key_in_the_environment_makes_the_device_one_of_the_fleet(
    cloud: ScriptedCloud,
) -> None:
    device = Device(wants(cloud.url, device_name="gate", mac_address="02:00:00:00:00:01"))

    await device.runs_until_provisioned()

    assert cloud.valid_pairs(UUID) == [device.api_key]
    assert device.identity.provisioning_api_key is None
    said = cloud.registrations[0]
    assert (said["deviceName"], said["deviceType"]) == ("gate", "edge-gateway")
    assert said["macAddress"] == "02:00:00:00:00:01"
    assert device.manager.link() == device.identity.cloud


async def test_the_reply_is_stored_before_it_is_used(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url))

    await device.runs_until_provisioned()

    assert device.store.history == [
        ProvisioningPhase.PENDING,
        ProvisioningPhase.REGISTERED,
        ProvisioningPhase.PROVISIONED,
    ]


async def test_a_device_without_a_key_asks_no_cloud_anything(cloud: ScriptedCloud) -> None:
    device = Device(ProvisioningSettings(endpoint=cloud.url))

    await device.manager.provision(OTHER_KEY, endpoint=cloud.url)
    await device.runs_until_provisioned()

    assert cloud.uses(OTHER_KEY) == 1  # nothing happened before a person gave a key
    assert cloud.uses(KEY) == 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answers(500), id="an error of its own"),
        pytest.param(answers(503, Retry_After="30"), id="busy, and says until when"),
        pytest.param(answers(429, Retry_After="7"), id="too many requests"),
        pytest.param(says("<html>Log in to the hotel's WLAN</html>", "text/html"), id="html"),
        pytest.param(says('{"apiPublicKey": "'), id="half a JSON"),
        pytest.param(says('{"x": "' + "y" * 10_500_000 + '"}'), id="ten megabytes"),
        pytest.param(says('{"apiPublicKey": 5, "keyId": [], "device": 0}'), id="wrong types"),
        pytest.param(says("[]"), id="a list"),
        pytest.param(says("null"), id="null"),
        pytest.param(answers(302, Location="http://127.0.0.1:9/"), id="a way to somewhere else"),
        pytest.param(answers(410), id="its key was retired in between"),
    ],
)
@pytest.mark.parametrize("path", [KEY_EXCHANGE, REGISTER, STATE])
async def test_whatever_nonsense_is_answered_the_device_joins_once_it_stops(
    cloud: ScriptedCloud, path: str, fault: Fault
) -> None:
    cloud.fails(path, fault, fault)
    device = Device(wants(cloud.url))

    await device.runs_until_provisioned()

    assert list(cloud.devices) == [UUID]
    assert cloud.valid_pairs(UUID) == [device.api_key]
    assert cloud.uses() == 1


@pytest.mark.parametrize("path", [KEY_EXCHANGE, REGISTER, STATE])
async def test_a_lost_reply_is_repaired_by_asking_again(cloud: ScriptedCloud, path: str) -> None:
    cloud.lost[path] = 2
    device = Device(wants(cloud.url))

    await device.runs_until_provisioned()

    assert list(cloud.devices) == [UUID]
    assert cloud.valid_pairs(UUID) == [device.api_key]
    assert cloud.uses() == 1


async def test_a_cloud_that_fails_for_an_hour_is_asked_with_growing_pauses(
    cloud: ScriptedCloud,
) -> None:
    clock = JumpingClock()
    device = Device(wants(cloud.url), clock=clock)
    cloud.always = answers(500)

    await device.runs_until(lambda: clock.now_s() > 1000 + 3600)

    asked = len(cloud.requests)
    assert 60 <= asked <= 300  # full jitter below a ceiling of 60 s: some 120
    assert device.error.code == "http-500"
    assert not device.manager.status().final

    cloud.always = None
    await device.runs_until_provisioned()
    assert cloud.uses() == 1


async def test_the_pause_that_the_cloud_asks_for_is_kept(cloud: ScriptedCloud) -> None:
    clock = JumpingClock()
    cloud.fails(KEY_EXCHANGE, answers(429, Retry_After="300"))
    device = Device(wants(cloud.url), clock=clock)

    await device.runs_until(lambda: cloud.asked(KEY_EXCHANGE) > 1)

    assert clock.now_s() >= 1000 + 300


async def test_a_wrong_key_is_said_as_such_and_not_hammered(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url, "00" * 32))

    await device.runs_until(lambda: device.manager.status().attempts == 3)

    assert device.error.code == "invalid-provisioning-key"
    assert "provisioning key" in (device.error.remedy or "")
    assert device.manager.status().final
    assert device.clock.now_s() >= 1000 + 2 * 60
    assert "00" * 32 not in str(device.book.records())


async def test_a_corrected_key_counts_from_the_next_start(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url, "00" * 32))
    await device.runs_until(lambda: device.manager.status().attempts == 1)

    device.restart(wants(cloud.url))
    await device.runs_until_provisioned()

    assert cloud.uses() == 1


async def test_a_persons_key_wins_over_the_environments(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url, "00" * 32))
    await device.runs_until(lambda: device.manager.status().attempts == 1)

    await device.manager.provision(OTHER_KEY, device_name="gate")
    device.restart()  # the wish survives; the environment is still wrong
    await device.runs_until_provisioned()

    assert cloud.uses(OTHER_KEY) == 1
    assert cloud.registrations[-1]["deviceName"] == "gate"


async def test_a_persons_wish_does_not_wait_for_an_attempt_under_way(
    cloud: ScriptedCloud,
) -> None:
    device = Device(wants(cloud.url, "00" * 32))

    await device.runs_until(lambda: device.identity.phase is ProvisioningPhase.PENDING)
    await device.manager.provision(OTHER_KEY)
    await device.runs_until_provisioned()

    assert cloud.uses(OTHER_KEY) == 1


async def test_a_device_in_a_cloud_has_to_leave_it_first(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url))
    await device.runs_until_provisioned()

    with pytest.raises(Conflict) as refused:
        await device.manager.provision(OTHER_KEY)

    assert refused.value.code == "already-provisioned"


async def test_a_device_that_its_cloud_forgot_may_join_anew(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url))
    await device.runs_until_provisioned()
    cloud.devices.clear()  # deleted there, or restored from last week's copy

    await device.manager.provision(OTHER_KEY)
    await device.runs_until_provisioned()

    assert cloud.valid_pairs(UUID) == [device.api_key]


async def test_a_cloud_that_is_away_has_not_forgotten_the_device(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url))
    await device.runs_until_provisioned()
    cloud.always = answers(500)

    with pytest.raises(Conflict):
        await device.manager.provision(OTHER_KEY)


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        pytest.param({"endpoint": "http://cloud.example.com"}, "apiEndpoint", id="plain HTTP"),
        pytest.param({"endpoint": "cloud.example.com"}, "apiEndpoint", id="no scheme"),
        pytest.param({}, "apiEndpoint", id="no address at all"),
        pytest.param({"endpoint": "https://c", "ca": "x"}, "CLOUD_CA_CERT", id="no PEM"),
        pytest.param({"endpoint": "https://c", "ca": "sha256:12"}, "caPin", id="half a pin"),
        pytest.param({"endpoint": "https://c", "key": "a b"}, "provisioningApiKey", id="key"),
    ],
)
async def test_a_wish_that_cannot_work_is_refused_before_it_is_stored(
    wish: dict[str, str], path: str
) -> None:
    device = Device()

    with pytest.raises(InvalidField) as refused:
        await device.manager.provision(**({"key": KEY} | wish))

    assert refused.value.path == path
    assert device.identity.phase is ProvisioningPhase.NEW


async def test_a_reply_about_another_device_is_not_believed(cloud: ScriptedCloud) -> None:
    cloud.reply_changes = {"device": {"deviceId": 3, "deviceName": "x", "uuid": OTHER_UUID}}
    device = Device(wants(cloud.url))

    await device.runs_until(lambda: device.manager.status().attempts == 2)

    assert device.identity.cloud is None
    assert device.error.code == "bad-reply"

    cloud.reply_changes = {}
    await device.runs_until_provisioned()
    assert cloud.valid_pairs(UUID) == [device.api_key]


async def test_an_address_that_the_cloud_names_but_nobody_answers_at_is_not_taken(
    cloud: ScriptedCloud,
) -> None:
    cloud.api_changes = {"endpoint": "http://127.0.0.1:9"}
    device = Device(wants(cloud.url))

    await device.runs_until_provisioned()

    assert device.link.endpoint == cloud.url


async def test_the_cloud_cannot_turn_verification_off(cloud: ScriptedCloud) -> None:
    cloud.api_changes = {
        "endpoint": "http://cloud.example.com",
        "tlsConfig": {"verifyCertificate": False},
    }
    device = Device(wants(cloud.url))

    await device.runs_until_provisioned()

    assert device.link.endpoint == cloud.url  # plain HTTP elsewhere was not taken


async def test_credentials_that_a_repeat_replaced_are_fetched_anew(cloud: ScriptedCloud) -> None:
    device = Device(wants(cloud.url))
    await device.runs_until(lambda: device.identity.phase is ProvisioningPhase.REGISTERED)
    cloud.devices[UUID].pairs.clear()

    device.restart()
    await device.runs_until_provisioned()

    assert cloud.valid_pairs(UUID) == [device.api_key]
    assert cloud.uses() == 1
