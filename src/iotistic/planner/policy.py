"""What this device allows its apps. What is not listed is denied.

`POLICY_ALLOW` names exceptions; the cloud cannot set it. Every field of a specification is either
in a table of checks (`service_policy`, `object_policy`) or named there as harmless, so a new one
cannot slip through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iotistic.model.errors import InvalidField, Refused
from iotistic.model.service import ServiceSpec
from iotistic.model.target import AppTarget
from iotistic.planner.object_policy import NETWORK_CHECKS, VOLUME_CHECKS
from iotistic.planner.permissions import Demand, Permission
from iotistic.planner.service_policy import CHECKS

__all__ = ["Denied", "Permission", "Policy", "check", "check_app", "parse_permissions"]


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
    """Raise `Denied` for the first field of a service that this device does not allow."""
    for demands in CHECKS.values():
        _require(demands(spec), policy, at)


def check_app(app: AppTarget, policy: Policy, *, at: str) -> None:
    """Raise `Denied` for the first thing of an app that this device does not allow."""
    for service in app.services:
        check(service.spec, policy, at=f"{at}.{service.service_name}")
    for network in app.networks:
        for wanted in NETWORK_CHECKS.values():
            _require(wanted(network), policy, f"{at}.networks.{network.short_name}")
    for volume in app.volumes:
        for asked in VOLUME_CHECKS.values():
            _require(asked(volume), policy, f"{at}.volumes.{volume.short_name}")


def _require(demands: Iterator[Demand], policy: Policy, at: str) -> None:
    for permission, what in demands:
        if permission not in policy.allow:
            raise Denied(
                f"{at}.{what} is not allowed on this device",
                remedy=f"do without it, or add {permission} to POLICY_ALLOW on the device",
            )
