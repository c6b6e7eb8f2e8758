"""Short words for the store's tests."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from iotistic.agent.host import crypto_operations
from iotistic.agent.host.crypto_child import CryptoRefused, CryptoUnavailable, Operation
from iotistic.agent.store.records import (
    CloudLink,
    Identity,
    MqttCredentials,
    ProvisioningPhase,
    StoredTarget,
    target_hash,
)
from iotistic.agent.store.store import Store
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect
from iotistic.planner.world import (
    Candidate,
    Completed,
    GoodRelease,
    Intent,
    IntentKind,
    Lock,
    LockOwner,
    PulledImage,
    Rejection,
)

MACHINE = "m" * 64
SECRET_WORDS = ("api-key-17", "mqtt-password-17", "provisioning-key-17", "hunter2", "BEGIN PRIVATE")


class BootClock:
    """A clock that stands still until it is moved."""

    def __init__(self, boot_id: str = "boot-1", now_s: float = 1000.0) -> None:
        self._boot_id = boot_id
        self._now_s = now_s

    @property
    def boot_id(self) -> str:
        return self._boot_id

    def now_s(self) -> float:
        return self._now_s

    def wall_ms(self) -> int:
        return 1_700_000_000_000

    async def sleep(self, span_s: float) -> None:
        self._now_s += span_s


@functools.cache
def one_pair() -> Mapping[str, Any]:
    """Making a pair takes a while; which one it is matters to no test here."""
    pair: Mapping[str, Any] = crypto_operations.answer("generate-keypair", {})["result"]
    return pair


async def crypto(operation: Operation, payload: Mapping[str, Any], /) -> Mapping[str, Any]:
    """What the child does, without a child."""
    if operation == "generate-keypair":
        return one_pair()
    answer = crypto_operations.answer(operation, payload)
    if "error" in answer:
        raise CryptoRefused(answer["error"])
    result: Mapping[str, Any] = answer["result"]
    return result


async def no_crypto(operation: Operation, _: Mapping[str, Any], /) -> Mapping[str, Any]:
    """A host that cannot start a child process."""
    raise CryptoUnavailable(f"no process for {operation}")


def database_in(folder: Path) -> Path:
    return folder / "data" / "device.sqlite"


GOOD = GoodRelease(app_id=1001, release_hash="a" * 24, release="r1", at_ms=7)
REJECTED = Rejection(
    app_id=1001,
    release_hash="b" * 24,
    release="r2",
    reason="not well within 300 s",
    service_name="web",
    last_words=("starting", "cannot bind"),
    at_ms=8,
)
CANDIDATE = Candidate(
    app_id=1001, release_hash="c" * 24, release="r3", deadline_s=1300.0, began_ms=9
)
LOCK = Lock(
    app_id=1001,
    owner=LockOwner.PERSON,
    holder="anna",
    reason="on site",
    until_s=8200.0,
    at_ms=10,
    boot_id="boot-1",
)
AGENT_LOCK = Lock(app_id=1001, owner=LockOwner.AGENT, boot_id="boot-1")
PULLED = PulledImage(
    reference="web:1", image_id="sha256:1", app_id=1001, release_hash=GOOD.release_hash, at_ms=11
)
ONE_SHOT = Completed(app_id=1001, service_id="3", spec_hash="1:abc")
STOP = Intent(kind=IntentKind.STOP, app_id=1001, service_id="1", at_ms=5)


def opened(
    folder: Path, clock: BootClock | None = None, *, machine: str = MACHINE
) -> AbstractAsyncContextManager[Store]:
    return Store.open(database_in(folder), clock or BootClock(), crypto=crypto, machine=machine)


def provisioned(identity: Identity) -> Identity:
    """The same device with everything a cloud gives."""
    return replace(
        identity,
        phase=ProvisioningPhase.PROVISIONED,
        device_name="Pump 3",
        device_type="edge-gateway",
        cloud=CloudLink(
            endpoint="https://cloud.test",
            dialect=Dialect.V2,
            device_id="17",
            api_key=Secret("api-key-17"),
            ca_cert="-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
        ),
        mqtt=MqttCredentials(
            broker_url="mqtts://cloud.test:8883",
            username="device_17",
            password=Secret("mqtt-password-17"),
            broker_config={"host": "cloud.test", "port": 8883, "password": "mqtt-password-17"},
        ),
        registered_at_ms=1_700_000_000_000,
        provisioning_api_key=Secret("provisioning-key-17"),
        spent_key_hash="spent",
    )


def target(version: int = 1, image: str = "web:1") -> StoredTarget:
    apps = {
        "1001": {
            "appId": 1001,
            "appName": "shop",
            "services": [
                {
                    "serviceId": 1,
                    "serviceName": "web",
                    "imageName": image,
                    "config": {
                        "ports": ["80:80"],
                        "environment": {"DB_PASSWORD": "hunter2", "WORKERS": 3, "EMPTY": None},
                    },
                },
                {
                    "serviceId": 2,
                    "serviceName": "db",
                    "imageName": "db:1",
                    "config": {"environment": ["PASS=hunter2", "MODE"]},
                },
            ],
        }
    }
    config = {"logging": {"level": "debug"}, "mqtt": {"password": "hunter2"}}
    return StoredTarget(
        apps=apps,
        config=config,
        version=version,
        epoch="e1",
        etag='"abc"',
        state_hash=target_hash(apps, config),
        received_at_ms=1_700_000_000_000,
    )


def app(image: str = "web:1") -> dict[str, Any]:
    """An app with secrets of every kind, as the wire has it."""
    document: dict[str, Any] = dict(target(image=image).apps["1001"])
    return document | {"secrets": {"db": {"value": "hunter2"}, "token": {"value": "hunter2-more"}}}


def same_device(one: Identity, other: Identity) -> bool:
    """Equal but for what pairs the file with its database."""
    return replace(one, creation_id="") == replace(other, creation_id="")


async def changes(store: Store) -> int:
    """How many rows were written since the store was opened."""
    return await store._database.read(lambda db: db.total_changes)


def codes(store: Store) -> list[str]:
    return [finding.code for finding in store.findings]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in database_in(folder).parent.iterdir())
