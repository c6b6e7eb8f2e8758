"""What provisioning takes from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from iotistic.agent.store.records import Identity
from iotistic.model.secret import Secret

DEVICE_TYPE = "edge-gateway"


class DialectChoice(StrEnum):
    """`PROVISIONING_DIALECT`. AUTO speaks v2, and the older one where v2 does not exist (404)."""

    AUTO = "auto"
    V2 = "v2"
    O1 = "o1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSettings:
    """The environment's part in joining a cloud. `ca_cert` is PEM text.

    `machine_hash` is of this machine's id, empty where it has none.
    """

    endpoint: str | None = None
    api_key: Secret | None = None
    device_name: str | None = None
    device_type: str = DEVICE_TYPE
    mac_address: str = ""
    os_version: str = ""
    application_id: str | None = None
    dialect: DialectChoice = DialectChoice.AUTO
    ca_cert: str | None = None
    allow_insecure: bool = False
    require: bool = False
    api_version: str = "v1"
    agent_version: str = ""
    architecture: str = ""
    machine_hash: str = ""

    def name_of(self, identity: Identity) -> str:
        """The device's name: a person's or the cloud's word, the environment's, or a made one."""
        return identity.device_name or self.device_name or f"device-{identity.uuid[:8]}"

    def type_of(self, identity: Identity) -> str:
        """The device's type, likewise."""
        return identity.device_type or self.device_type
