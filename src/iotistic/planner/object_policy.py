"""What networks and volumes ask of the device: drivers and options can be the host in disguise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.planner.permissions import Demand, Permission, rules_the_host

_HOST = "host"
_BRIDGE_OPTIONS = frozenset(
    {
        "com.docker.network.bridge.enable_icc",
        "com.docker.network.bridge.enable_ip_masquerade",
        "com.docker.network.bridge.host_binding_ipv4",
        "com.docker.network.driver.mtu",
    }
)


def _external_network(spec: NetworkSpec) -> Iterator[Demand]:
    if spec.external:
        yield Permission.EXTERNAL_NETWORKS, f"external: {spec.name}"


def _network_name(spec: NetworkSpec) -> Iterator[Demand]:
    if spec.name == _HOST:
        yield Permission.HOST_NETWORK, "name: host"


def _network_driver(spec: NetworkSpec) -> Iterator[Demand]:
    if spec.driver not in ("", "bridge"):
        yield Permission.NETWORK_DRIVERS, f"driver: {spec.driver}"


def _ipam_driver(spec: NetworkSpec) -> Iterator[Demand]:
    if spec.ipam_driver not in ("", "default"):
        yield Permission.NETWORK_DRIVERS, f"ipam.driver: {spec.ipam_driver}"


def _network_options(spec: NetworkSpec) -> Iterator[Demand]:
    for name, _ in spec.driver_opts:
        if name not in _BRIDGE_OPTIONS:
            yield Permission.NETWORK_DRIVERS, f"driver_opts: {name}"


NETWORK_CHECKS: Mapping[str, Callable[[NetworkSpec], Iterator[Demand]]] = {
    "external": _external_network,
    "name": _network_name,
    "driver": _network_driver,
    "driver_opts": _network_options,
    "ipam_driver": _ipam_driver,
}
NETWORK_HARMLESS = frozenset(
    {"short_name", "internal", "enable_ipv6", "attachable", "labels", "ipam_options", "ipam_pools"}
)


_OUTER_TYPES = frozenset({"tmpfs", "nfs", "nfs4", "cifs"})


def _external_volume(spec: VolumeSpec) -> Iterator[Demand]:
    if spec.external:
        yield Permission.EXTERNAL_VOLUMES, f"external: {spec.name}"


def _volume_driver(spec: VolumeSpec) -> Iterator[Demand]:
    if spec.driver not in ("", "local"):
        yield Permission.VOLUME_DRIVERS, f"driver: {spec.driver}"


def _volume_options(spec: VolumeSpec) -> Iterator[Demand]:
    """What an own mount of the host asks for: the local driver takes any, a bind mount too."""
    options = dict(spec.driver_opts)
    if not options or spec.driver not in ("", "local"):
        return
    kind, device = options.get("type", ""), options.get("device", "")
    words = {word.strip().lower() for word in options.get("o", "").split(",")}
    of_the_host = device.startswith("/") and not (kind == "cifs" and device.startswith("//"))
    mounts = {"type", "device", "o"} & options.keys()
    if mounts and (of_the_host or words & {"bind", "rbind"} or kind not in _OUTER_TYPES):
        yield Permission.BIND_MOUNTS, f"driver_opts: a mount of {device or 'the host'}"
        if rules_the_host(device):
            yield Permission.ENGINE_SOCKET, f"driver_opts: a mount of {device}"
    for name in sorted(options.keys() - {"type", "device", "o", "size"}):
        yield Permission.VOLUME_DRIVERS, f"driver_opts: {name}"


VOLUME_CHECKS: Mapping[str, Callable[[VolumeSpec], Iterator[Demand]]] = {
    "external": _external_volume,
    "driver": _volume_driver,
    "driver_opts": _volume_options,
}
VOLUME_HARMLESS = frozenset({"short_name", "name", "labels"})
