"""How joining the cloud stands, as `iotctl provision status` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iotistic.agent.provisioning.decisions import Idle, Wish, link_in_use, needs_a_person
from iotistic.agent.provisioning.settings import ProvisioningSettings
from iotistic.agent.provisioning.task_loop import Failure
from iotistic.agent.store.records import Identity, ProvisioningPhase
from iotistic.model.errors import Conflict, IotisticError, Refused
from iotistic.model.words import Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningStatus:
    """A snapshot. `error` is of the last try, `attempts` counts the failures in a row.

    `final`: the answer will stay the same until a person does something, though it is asked again
    now and then. `idle`: why nothing is tried. `farewell`: a cloud that was left is still to be
    told.
    """

    phase: ProvisioningPhase
    uuid: str
    device_id: str | None
    device_name: str
    device_type: str
    endpoint: str | None
    dialect: Dialect | None
    registered_at_ms: int | None
    has_key: bool
    attempts: int = 0
    retry_in_s: float | None = None
    error: IotisticError | None = None
    final: bool = False
    idle: Idle | None = None
    farewell: bool = False
    resetting: bool = False

    @property
    def provisioned(self) -> bool:
        """The cloud let this device in, whether or not the credentials were used already."""
        return self.phase in {ProvisioningPhase.REGISTERED, ProvisioningPhase.PROVISIONED}

    def as_json(self) -> dict[str, Any]:
        """The document of the Device API."""
        error = self.error
        return {
            "provisioned": self.provisioned,
            "phase": self.phase.value,
            "uuid": self.uuid,
            "deviceId": self.device_id,
            "deviceName": self.device_name,
            "deviceType": self.device_type,
            "apiEndpoint": self.endpoint,
            "dialect": self.dialect.value if self.dialect else None,
            "registeredAt": self.registered_at_ms,
            "hasKey": self.has_key,
            "attempts": self.attempts,
            "retryInMs": None if self.retry_in_s is None else round(self.retry_in_s * 1000),
            "error": error
            and {"code": error.code, "message": error.message, "remedy": error.remedy},
            "final": self.final,
            "idle": self.idle.value if self.idle else None,
            "farewell": self.farewell,
            "resetting": self.resetting,
        }


def status_of(
    identity: Identity,
    wish: Wish | Idle,
    settings: ProvisioningSettings,
    *,
    failure: Failure | None,
    now_s: float,
    resetting: bool,
) -> ProvisioningStatus:
    """Put the facts together."""
    link = link_in_use(identity)
    if link is not None:
        endpoint: str | None = link.endpoint
    elif isinstance(wish, Wish):
        endpoint = wish.endpoint
    else:
        endpoint = settings.endpoint or identity.provisioning_endpoint
    error = standstill(wish) or (failure.error if failure else None)
    return ProvisioningStatus(
        phase=identity.phase,
        uuid=identity.uuid,
        device_id=link.device_id if link else None,
        device_name=settings.name_of(identity),
        device_type=settings.type_of(identity),
        endpoint=endpoint,
        dialect=link.dialect if link else None,
        registered_at_ms=identity.registered_at_ms,
        has_key=isinstance(wish, Wish),
        attempts=failure.attempts if failure else 0,
        retry_in_s=max(0.0, failure.not_before_s - now_s) if failure else None,
        error=error,
        final=error is not None and needs_a_person(error),
        idle=wish if isinstance(wish, Idle) else None,
        farewell=identity.farewell is not None,
        resetting=resetting,
    )


def machine_changed() -> Conflict:
    """The error of a disk that was made on another machine: most likely a copy."""
    return Conflict(
        "this disk was made on another machine; the device does not connect",
        code="machine-changed",
        remedy="iotctl identity renew makes it a device of its own",
    )


def standstill(wish: Wish | Idle) -> IotisticError | None:
    """What a person has to do before anything is tried; None when there is nothing to say."""
    match wish:
        case Idle.MACHINE_CHANGED:
            return machine_changed()
        case Idle.KEY_SPENT:
            return Refused(
                "PROVISIONING_API_KEY is the key of the cloud that this device left on purpose",
                code="key-spent",
                remedy="iotctl provision joins again",
            )
        case Idle.NO_ENDPOINT:
            return Refused(
                "there is a provisioning key, but no address of a cloud",
                code="no-endpoint",
                remedy="set CLOUD_API_ENDPOINT, or give iotctl provision --api URL",
            )
        case _:
            return None
