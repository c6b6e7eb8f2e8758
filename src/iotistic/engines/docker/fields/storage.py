"""What is mounted: volumes, paths of the host, file systems in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from iotistic.engines.docker.document import Document, MountPoint
from iotistic.engines.docker.fields import Part, said
from iotistic.model.container import ContainerRequest
from iotistic.model.service import Mount, MountKind, SecretUse, ServiceSpec, Tmpfs

_DEFAULT_PROPAGATION = "rprivate"


def write(request: ContainerRequest) -> Part:
    """Mounts of `HostConfig`; the agent's own folders are among them."""
    spec = request.spec
    names = dict(request.volumes)
    mounts = [_mount(mount, names) for mount in spec.volumes]
    for folder in request.folders:
        mount = Mount(
            kind=MountKind.BIND,
            source=folder.source,
            target=folder.target,
            read_only=folder.read_only,
        )
        mounts.append(_mount(mount, names))
    return said(Mounts=mounts, Tmpfs={tmpfs.target: tmpfs.options for tmpfs in spec.tmpfs})


def _mount(mount: Mount, names: dict[str, str]) -> Part:
    named = mount.kind is MountKind.VOLUME
    part: Part = {
        "Type": str(mount.kind),
        "Source": names[mount.source] if named else mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    if mount.no_copy:
        part["VolumeOptions"] = {"NoCopy": True}
    if mount.propagation:
        part["BindOptions"] = {"Propagation": mount.propagation}
    return part


def read(spec: ServiceSpec, found: Document, request: ContainerRequest) -> ServiceSpec:
    """The same, as found: by the app's names, and without the agent's own folders."""
    tmpfs = (found.HostConfig.Tmpfs or {}).items()
    return replace(
        spec,
        volumes=tuple(sorted(_mounts(found, request))),
        tmpfs=tuple(
            sorted(Tmpfs(target=target, options=_sorted(options)) for target, options in tmpfs)
        ),
        secrets=tuple(use for use in request.spec.secrets if _has(found, use, request)),
    )


def _mounts(found: Document, request: ContainerRequest) -> Iterator[Mount]:
    short_names = {name: short for short, name in request.volumes}
    own = {folder.target for folder in request.folders}
    asked = {mount.Target: mount for mount in found.HostConfig.Mounts or ()}
    wanted = {mount.target: mount for mount in request.spec.volumes}
    for point in found.Mounts or ():
        if point.Destination in own:
            continue
        if point.Type == "volume" and (point.Name in short_names or not _is_anonymous(point)):
            options = asked[point.Destination].VolumeOptions if point.Destination in asked else None
            yield Mount(
                target=point.Destination,
                source=short_names.get(point.Name, point.Name),
                read_only=not point.RW,
                no_copy=bool(options and options.NoCopy),
            )
        elif point.Type == "bind":
            yield Mount(
                kind=MountKind.BIND,
                target=point.Destination,
                source=point.Source,
                read_only=not point.RW,
                propagation=_propagation(point, wanted.get(point.Destination)),
            )


def _propagation(point: MountPoint, wanted: Mount | None) -> str:
    # Not said, the engine chooses; for a path above its own folder another than usual.
    unsaid = wanted is not None and not wanted.propagation
    return "" if unsaid or point.Propagation == _DEFAULT_PROPAGATION else point.Propagation


def _is_anonymous(point: MountPoint) -> bool:
    """Whether the engine made it up, for a path that the image says is a volume."""
    return len(point.Name) == 64 and set(point.Name) <= set("0123456789abcdef")


def _has(found: Document, use: SecretUse, request: ContainerRequest) -> bool:
    if use.environment:
        value = dict(request.secret_environment).get(use.environment)
        return value is not None and f"{use.environment}={value.reveal()}" in (
            found.Config.Env or ()
        )
    sources = {folder.target: folder.source for folder in request.folders}
    return any(
        point.Destination == use.target and point.Source == sources.get(use.target)
        for point in found.Mounts or ()
    )


def _sorted(options: str) -> str:
    return ",".join(sorted(options.split(",")))
