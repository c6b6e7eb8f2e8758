"""Networks and volumes of an app, as the target describes them."""

from __future__ import annotations

from dataclasses import dataclass

from iotistic.model.service import Pairs


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class IpamPool:
    """One range of addresses of a network."""

    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class NetworkSpec:
    """A network by the name the app's services call it.

    `external`: somebody else's, never made, changed or removed here; `name` is then what the
    engine calls it. Otherwise `name` "" is the name the agent makes up.
    """

    short_name: str
    name: str = ""
    external: bool = False
    driver: str = ""
    driver_opts: Pairs = ()
    internal: bool = False
    enable_ipv6: bool = False
    attachable: bool = False
    labels: Pairs = ()
    ipam_driver: str = ""
    ipam_options: Pairs = ()
    ipam_pools: tuple[IpamPool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class VolumeSpec:
    """A volume by the name the app's services call it; `name`, `external` as for a network."""

    short_name: str
    name: str = ""
    external: bool = False
    driver: str = ""
    driver_opts: Pairs = ()
    labels: Pairs = ()
