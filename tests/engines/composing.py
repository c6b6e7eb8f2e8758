"""From a specification to what an engine is asked for, as the planner does it; and back again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from iotistic.model.container import ContainerRequest, NetworkRequest, VolumeRequest
from iotistic.model.naming import object_labels, object_name
from iotistic.model.objects import IpamPool, NetworkSpec, VolumeSpec
from iotistic.model.secret import Secret
from iotistic.model.service import MountKind, ServiceSpec
from iotistic.model.target import AppTarget, ServiceTarget
from iotistic.planner import normalize
from iotistic.planner.making import Site, container_request
from tests.engines.builders import APP_ID
from tests.engines.field_cases import SUBNET, SUBNET_6

V = TypeVar("V")

KEY = b"k" * 32
SERVICE = "web"
FIXED = "fixed"
"""The network whose addresses are known."""
_BY_NAME = ("environment", "labels", "annotations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A device, with what cases leave open: numbers of its subnets, and a folder of the host."""

    uuid: str
    folder: str = "/srv"
    n: int = 99
    m: int = 99

    def placed(self, value: V) -> V:
        """The value with all that filled in."""
        filled: Any = value
        if type(value) is str:  # not an enumeration's
            for name in ("folder", "n", "m"):
                filled = filled.replace(f"{{{name}}}", str(getattr(self, name)))
        elif isinstance(value, tuple):
            filled = tuple(self.placed(item) for item in value)
        elif isinstance(value, Mapping):
            filled = {name: self.placed(item) for name, item in value.items()}
        elif is_dataclass(value) and not isinstance(value, type):
            changes = {f.name: self.placed(getattr(value, f.name)) for f in fields(value)}
            filled = replace(value, **changes)
        return cast("V", filled)

    def container(self, spec: ServiceSpec, **changes: Any) -> ContainerRequest:
        """The request for a container of that specification."""
        service = ServiceTarget(service_id=SERVICE, service_name=SERVICE, spec=spec)
        app = AppTarget(
            app_id=APP_ID,
            app_name="shop",
            services=(service,),
            secrets=(("key", Secret("s3cret-value")),),
        )
        site = Site(uuid=self.uuid, hash_key=KEY, runtime_dir=f"{self.folder}/run")
        made = container_request(app, service, site, spec_hash="1:aaaa", fields="{}")
        return replace(made, **changes)

    def network(self, spec: NetworkSpec) -> NetworkRequest:
        """The request for that network."""
        name = spec.short_name
        return NetworkRequest(
            name=object_name(self.uuid, APP_ID, name),
            labels=tuple(sorted(object_labels(self.uuid, APP_ID, name).items())),
            spec=spec,
        )

    def volume(self, spec: VolumeSpec) -> VolumeRequest:
        """The request for that volume."""
        name = spec.short_name
        return VolumeRequest(
            name=object_name(self.uuid, APP_ID, name),
            labels=tuple(sorted(object_labels(self.uuid, APP_ID, name).items())),
            spec=spec,
        )

    def networks_of(self, spec: ServiceSpec) -> list[NetworkRequest]:
        """All that the service joins."""
        return [self.network(self._network(a.name)) for a in normalize.attachments(spec)]

    def volumes_of(self, spec: ServiceSpec) -> list[VolumeRequest]:
        """All that the service mounts."""
        names = {mount.source for mount in spec.volumes if mount.kind is MountKind.VOLUME}
        return [self.volume(VolumeSpec(short_name=name)) for name in sorted(names)]

    def _network(self, name: str) -> NetworkSpec:
        if name != FIXED:
            return NetworkSpec(short_name=name)
        pools = tuple(self.placed(IpamPool(subnet=subnet)) for subnet in (SUBNET, SUBNET_6))
        return NetworkSpec(short_name=name, enable_ipv6=True, ipam_pools=pools)


def lost(wanted: ServiceSpec, found: ServiceSpec) -> dict[str, tuple[Any, Any]]:
    """The fields that `wanted` sets and that are not so in `found`: what was wanted and found.

    They are looked at one by one, then as hashes see them, then as the planner compares them.
    """
    differing: dict[str, tuple[Any, Any]] = {}
    for field in fields(ServiceSpec):
        ours, theirs = getattr(wanted, field.name), getattr(found, field.name)
        if field.name == "healthcheck" and ours is not None and theirs is not None:
            set_ones = [f.name for f in fields(ours) if getattr(ours, f.name) is not None]
            ours, theirs = ({n: getattr(c, n) for n in set_ones} for c in (ours, theirs))
        elif field.name in _BY_NAME:
            ours = dict(ours)
            theirs = {name: value for name, value in theirs if name in ours}
        if ours not in (None, (), {}) and ours != theirs:
            differing[field.name] = (ours, theirs)
    wanted_form = normal_form(wanted)
    found_form = normal_form(found)
    for name, value in wanted_form.items():
        theirs = found_form.get(name)
        if isinstance(value, dict) and isinstance(theirs, dict):
            theirs = {key: part for key, part in theirs.items() if key in value}
        if theirs != value:
            differing.setdefault(f"form.{name}", (value, theirs))
    for drifted in normalize.drift(wanted, found, service_name=SERVICE, key=KEY, born=None):
        differing[f"drift.{drifted.field}"] = (drifted.wanted, drifted.found)
    return differing


def normal_form(spec: ServiceSpec) -> dict[str, Any]:
    """As hashes see it."""
    return normalize.normal_form(spec, service_name=SERVICE, key=KEY)
