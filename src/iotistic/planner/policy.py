"""What this device allows its apps. What is not listed is denied.

`POLICY_ALLOW` names exceptions; the cloud cannot set it. A field that can reach the host is
checked here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from iotistic.model.errors import InvalidField, Refused
from iotistic.model.service import MountKind, ServiceSpec


class Permission(StrEnum):
    """What may be allowed beyond the defaults, as written in `POLICY_ALLOW`."""

    BIND_MOUNTS = "bind-mounts"
    HOST_NETWORK = "host-network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The device owner's rules, from the environment only."""

    allow: frozenset[Permission] = frozenset()
    pulls_max: int = 2
    disk_floor_bytes: int = 256 * 1024 * 1024
    """Below it nothing is pulled, and images that nobody needs go."""
    image_budget_bytes: int = 1024 * 1024 * 1024
    """So much of images that nobody needs may stay, to go back to without a download."""
    memory_floor_bytes: int = 32 * 1024 * 1024
    """Below it nothing is pulled."""


def parse_permissions(text: str, *, at: str = "POLICY_ALLOW") -> frozenset[Permission]:
    """Read a comma list such as `bind-mounts,host-network`; raises InvalidField."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        return frozenset(Permission(name) for name in names)
    except ValueError as error:
        raise InvalidField(
            at, expected=f"a comma list of {', '.join(Permission)}", found=text
        ) from error


class Denied(Refused):
    """The device does not allow a field of the target."""

    code: str = "denied-by-policy"


def check(spec: ServiceSpec, policy: Policy, *, at: str) -> None:
    """Raise `Denied` for the first field that this device does not allow."""
    for mount in spec.volumes:
        if mount.kind is MountKind.BIND:
            _require(Permission.BIND_MOUNTS, policy, at, f"volumes: bind mount of {mount.source}")
    if spec.network_mode == "host":
        _require(Permission.HOST_NETWORK, policy, at, "network_mode: host")


def _require(permission: Permission, policy: Policy, at: str, what: str) -> None:
    if permission in policy.allow:
        return
    raise Denied(
        f"{at}.{what} is not allowed on this device",
        remedy=f"use a named volume or network, or add {permission} to POLICY_ALLOW on the device",
    )
