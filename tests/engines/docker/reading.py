"""What a real engine says of a network or a volume, in the words of the target."""

from __future__ import annotations

from typing import Any

from iotistic.model.objects import IpamPool, NetworkSpec, VolumeSpec
from iotistic.model.service import Pairs


def network_spec(shown: dict[str, Any]) -> NetworkSpec:
    """Of `GET /networks/NAME`."""
    ipam = shown["IPAM"]
    return NetworkSpec(
        short_name="",
        driver=shown["Driver"],
        driver_opts=_pairs(shown["Options"]),
        internal=shown["Internal"],
        enable_ipv6=shown["EnableIPv6"],
        attachable=shown["Attachable"],
        labels=_foreign(shown["Labels"]),
        ipam_driver=ipam["Driver"],
        ipam_options=_pairs(ipam["Options"]),
        ipam_pools=tuple(
            IpamPool(
                subnet=pool.get("Subnet", ""),
                gateway=pool.get("Gateway", ""),
                ip_range=pool.get("IPRange", ""),
                aux_addresses=_pairs(pool.get("AuxiliaryAddresses")),
            )
            for pool in ipam["Config"]
        ),
    )


def volume_spec(shown: dict[str, Any]) -> VolumeSpec:
    """Of `GET /volumes/NAME`."""
    return VolumeSpec(
        short_name="",
        driver=shown["Driver"],
        driver_opts=_pairs(shown["Options"]),
        labels=_foreign(shown["Labels"]),
    )


def _foreign(labels: dict[str, str]) -> Pairs:
    return _pairs({n: text for n, text in labels.items() if not n.startswith("iotistic.")})


def _pairs(values: dict[str, str] | None) -> Pairs:
    return tuple(sorted((values or {}).items()))
