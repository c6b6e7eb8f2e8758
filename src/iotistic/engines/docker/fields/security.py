"""What a service may do, and which namespaces it shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from iotistic.engines.docker.document import Document, HostConfig
from iotistic.engines.docker.fields import Part, said
from iotistic.model.container import ContainerRequest
from iotistic.model.service import ServiceSpec

_OPEN_PATHS = "systempaths=unconfined"


def write(request: ContainerRequest) -> Part:
    """Capabilities, options and namespaces of `HostConfig`."""
    spec = request.spec
    part = said(
        Privileged=spec.privileged,
        ReadonlyRootfs=spec.read_only,
        CapAdd=list(spec.cap_add),
        CapDrop=list(spec.cap_drop),
        SecurityOpt=[option for option in spec.security_opt if option != _OPEN_PATHS],
        GroupAdd=list(spec.group_add),
        Sysctls=dict(spec.sysctls),
        UsernsMode=spec.userns_mode,
        PidMode=spec.pid,
        IpcMode=spec.ipc,
        UTSMode=spec.uts,
        CgroupnsMode=spec.cgroup,
        CgroupParent=spec.cgroup_parent,
        Runtime=spec.runtime,
    )
    if _OPEN_PATHS in spec.security_opt:
        # The engine has no such option: it is said by what it means.
        part |= {"MaskedPaths": [], "ReadonlyPaths": []}
    return part


def read(spec: ServiceSpec, found: Document, request: ContainerRequest) -> ServiceSpec:
    """The same, as found."""
    host = found.HostConfig
    return replace(
        spec,
        privileged=host.Privileged,
        read_only=host.ReadonlyRootfs,
        cap_add=_capabilities(host.CapAdd or ()),
        cap_drop=_capabilities(host.CapDrop or ()),
        security_opt=_options(host, request),
        group_add=tuple(sorted(host.GroupAdd or ())),
        sysctls=tuple(sorted((host.Sysctls or {}).items())),
        userns_mode=host.UsernsMode or None,
        pid=host.PidMode or None,
        ipc=host.IpcMode or None,
        uts=host.UTSMode or None,
        cgroup=host.CgroupnsMode or None,
        cgroup_parent=host.CgroupParent or None,
        runtime=host.Runtime or None,
    )


def _capabilities(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name.upper().removeprefix("CAP_") for name in names}))


def _options(host: HostConfig, request: ContainerRequest) -> tuple[str, ...]:
    wanted = request.spec.security_opt
    found = {_equal_signed(option) for option in host.SecurityOpt or ()}
    # With SELinux the engine adds labels of its own.
    found = {option for option in found if not option.startswith("label=") or option in wanted}
    if host.MaskedPaths == [] and host.ReadonlyPaths == []:
        found.add(_OPEN_PATHS)
    return tuple(sorted(found))


def _equal_signed(option: str) -> str:
    """`NAME=VALUE`, also where it was written in an older form."""
    if "=" in option.partition("{")[0]:
        return option
    name, _, value = option.partition(":")
    return f"{name}={value or 'true'}"
