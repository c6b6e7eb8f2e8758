"""The real agent and the real cloud as processes: replies lost, processes killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts.support.programs import Agent, Cloud, ProgramFailed, wait_for
from tests.agent.provisioning.lossy_proxy import LossyProxy

pytestmark = pytest.mark.system

EXCHANGE = "/api/provisioning/v2/key-exchange"
REGISTER = "/api/provisioning/v2/register"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud(tmp_path_factory.mktemp("cloud")).serving() as found:
        yield found


@pytest.fixture
def key(cloud: Cloud) -> str:
    return cloud.new_key(maxDevices=1)


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[LossyProxy]:
    with LossyProxy(cloud.url).serve() as served:
        yield served


def agent_of(folder: Path, url: str, key: str, **more: str) -> Agent:
    return Agent(
        folder,
        CONTAINER_ENGINE="simulated",
        CLOUD_API_ENDPOINT=url,
        PROVISIONING_API_KEY=key,
        **more,
    )


@contextmanager
def running(agent: Agent) -> Iterator[Agent]:
    agent.start()
    try:
        yield agent.ready()
    finally:
        if agent.process is not None:
            agent.stop()


def status(agent: Agent) -> dict[str, Any]:
    found: dict[str, Any] = agent.call("GET", "/v1/provision/status")
    return found


def until_provisioned(agent: Agent) -> str:
    """Wait until the cloud let it in and answers it; its uuid."""

    def look() -> str | None:
        found = status(agent)
        return str(found["uuid"]) if found["phase"] == "provisioned" else None

    def online() -> bool | None:
        cloud = agent.call("GET", "/v1/status")["cloud"]
        return True if cloud and cloud["state"] == "online" and cloud["lastContactAt"] else None

    uuid = wait_for("provisioning", look, 40)
    wait_for("an answer to the new credentials", online, 20)
    return uuid


def uuids(cloud: Cloud) -> list[str]:
    return [device["uuid"] for device in cloud.call("GET", "/api/v1/devices")["devices"]]


def check_joined_once(cloud: Cloud, key: str, uuid: str) -> None:
    """It is one device, and the key cannot let in another: its one use is counted."""
    assert uuids(cloud).count(uuid) == 1
    uses = [k["usedDevices"] for k in cloud.call("GET", "/api/v1/provisioning-keys")["keys"]]
    assert max(uses) == 1
    asked = {"deviceUuid": "11111111" + uuid[8:], "provisioningApiKey": key}
    with pytest.raises(ProgramFailed, match="device-limit-exceeded"):
        cloud.call("POST", EXCHANGE, asked)


def test_the_agent_joins_the_real_cloud(tmp_path: Path, cloud: Cloud, key: str) -> None:
    with running(agent_of(tmp_path, cloud.url, key)) as agent:
        uuid = until_provisioned(agent)

        found = status(agent)
        assert found["dialect"] == "v2"
        assert found["hasKey"] is False
        check_joined_once(cloud, key, uuid)


def test_the_agent_joins_in_the_older_dialect_when_told_to(
    tmp_path: Path, cloud: Cloud, key: str
) -> None:
    with running(agent_of(tmp_path, cloud.url, key, PROVISIONING_DIALECT="o1")) as agent:
        uuid = until_provisioned(agent)

        assert status(agent)["dialect"] == "o1"
        check_joined_once(cloud, key, uuid)


@pytest.mark.parametrize("path", [EXCHANGE, REGISTER])
def test_replies_that_are_lost_on_the_way_cost_no_second_device(
    tmp_path: Path, cloud: Cloud, key: str, proxy: LossyProxy, path: str
) -> None:
    proxy.lose[path.encode()] = 2

    with running(agent_of(tmp_path, proxy.url, key)) as agent:
        uuid = until_provisioned(agent)

    check_joined_once(cloud, key, uuid)


@pytest.mark.parametrize("path", [EXCHANGE, REGISTER])
def test_an_agent_killed_between_request_and_reply_comes_back_as_the_same_device(
    tmp_path: Path, cloud: Cloud, key: str, proxy: LossyProxy, path: str
) -> None:
    proxy.hold = True
    proxy.lose[path.encode()] = 1
    agent = agent_of(tmp_path, proxy.url, key)
    with running(agent):
        first = str(status(agent)["uuid"])
        assert proxy.lost.wait(30)
        agent.kill()

    with running(agent):
        uuid = until_provisioned(agent)

    assert uuid == first
    check_joined_once(cloud, key, uuid)


def test_leaving_and_coming_back_is_the_same_device(tmp_path: Path, cloud: Cloud, key: str) -> None:
    agent = agent_of(tmp_path, cloud.url, key)
    with running(agent):
        uuid = until_provisioned(agent)

        left = agent.call("POST", "/v1/deprovision", {})

        assert left == {"status": "deprovisioned", "uuid": uuid, "cloudTold": True}
    with running(agent):
        assert status(agent)["error"]["code"] == "key-spent"

        agent.call("POST", "/v1/provision", {"provisioningApiKey": key})

        assert until_provisioned(agent) == uuid
    check_joined_once(cloud, key, uuid)


def test_a_deleted_database_is_the_same_device_registered_anew(
    tmp_path: Path, cloud: Cloud, key: str
) -> None:
    agent = agent_of(tmp_path, cloud.url, key)
    with running(agent):
        uuid = until_provisioned(agent)
        before = status(agent)["registeredAt"]

    (tmp_path / "device.sqlite").unlink()
    with running(agent):

        def anew() -> bool | None:
            found = status(agent)
            return True if found["registeredAt"] != before else None

        wait_for("the new registration", anew, 30)
        assert until_provisioned(agent) == uuid
    check_joined_once(cloud, key, uuid)


def test_a_factory_reset_takes_the_identity_and_tells_the_cloud(
    tmp_path: Path, cloud: Cloud, key: str
) -> None:
    agent = agent_of(tmp_path, cloud.url, key)
    with running(agent):
        uuid = until_provisioned(agent)
        preview = agent.call("GET", "/v1/factory-reset")
        assert preview["identity"] is True
        assert any(path.endswith("device.sqlite") for path in preview["files"])

        agent.call("POST", "/v1/factory-reset", {"confirm": uuid})

        def another() -> bool | None:
            try:
                return True if status(agent)["uuid"] != uuid else None
            except (OSError, ValueError):
                return None  # it restarts

        wait_for("the reset", another, 30)
        assert status(agent)["phase"] == "new"
    device = next(d for d in cloud.call("GET", "/api/v1/devices")["devices"] if d["uuid"] == uuid)
    assert device["state"] == "deprovisioned"
