"""Devices of the host."""

from __future__ import annotations

from dataclasses import replace

from iotistic.engines.docker.document import Document
from iotistic.engines.docker.fields import Part, said
from iotistic.model.container import ContainerRequest
from iotistic.model.service import Device, DeviceRequest, ServiceSpec


def write(request: ContainerRequest) -> Part:
    """Devices of `HostConfig`: by path, by rule, and by what they can do."""
    spec = request.spec
    return said(
        Devices=[
            {
                "PathOnHost": device.source,
                "PathInContainer": device.target,
                "CgroupPermissions": device.permissions,
            }
            for device in spec.devices
        ],
        DeviceCgroupRules=list(spec.device_cgroup_rules),
        DeviceRequests=[_request(wanted) for wanted in spec.device_requests],
    )


def _request(wanted: DeviceRequest) -> Part:
    return said(
        Driver=wanted.driver,
        Count=wanted.count,
        DeviceIDs=list(wanted.device_ids),
        # A list of alternatives, of which we have one.
        Capabilities=[list(wanted.capabilities)],
        Options=dict(wanted.options),
    )


def read(spec: ServiceSpec, found: Document, _: ContainerRequest) -> ServiceSpec:
    """The same, as found."""
    host = found.HostConfig
    devices = (
        Device(source=d.PathOnHost, target=d.PathInContainer, permissions=d.CgroupPermissions)
        for d in host.Devices or ()
    )
    requests = (
        DeviceRequest(
            driver=wanted.Driver,
            count=wanted.Count,
            device_ids=tuple(sorted(wanted.DeviceIDs or ())),
            capabilities=tuple(sorted((wanted.Capabilities or [[]])[0])),
            options=tuple(sorted((wanted.Options or {}).items())),
        )
        for wanted in host.DeviceRequests or ()
    )
    return replace(
        spec,
        devices=tuple(sorted(devices, key=lambda device: device.target)),
        device_cgroup_rules=tuple(sorted(host.DeviceCgroupRules or ())),
        device_requests=tuple(sorted(requests)),
    )
