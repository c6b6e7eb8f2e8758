"""`ContainerRequest` -> the body of `POST /containers/create`. Pure; a table in the tests.

A field the specification does not set is not in the body either, so that the image's or the
engine's own default holds.
"""

from __future__ import annotations

from typing import Any

from iotistic.model.container import ContainerRequest
from iotistic.model.service import Mount, MountKind, PortBinding, RestartName, ServiceSpec


def create_body(request: ContainerRequest, extra_labels: dict[str, str]) -> dict[str, Any]:
    """The body; `extra_labels` win over those of the request.

    Only the first network is in it: an engine of our oldest version takes one at creation, the
    others are joined before the start.
    """
    spec = request.spec
    body: dict[str, Any] = {
        "Image": spec.image.familiar,
        "Labels": {**dict(request.labels), **extra_labels},
        "HostConfig": _host_config(request),
    }
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        # [""] is the engine's way to say "none at all"; [] would mean the image's own.
        body["Entrypoint"] = list(spec.entrypoint) or [""]
    if spec.environment:
        body["Env"] = [f"{name}={value.reveal()}" for name, value in spec.environment]
    if spec.ports:
        body["ExposedPorts"] = {_port(port): {} for port in spec.ports}
    body |= _set_texts(spec)
    if request.networks:
        body["NetworkingConfig"] = {
            "EndpointsConfig": {request.networks[0].network: endpoint(request)}
        }
    return body


def endpoint(request: ContainerRequest, number: int = 0) -> dict[str, Any]:
    """How the container joins its network of that number."""
    return {"Aliases": list(request.networks[number].how.aliases)}


def _set_texts(spec: ServiceSpec) -> dict[str, str]:
    texts = {"WorkingDir": spec.working_dir, "User": spec.user, "Hostname": spec.hostname}
    return {name: text for name, text in texts.items() if text is not None}


def _host_config(request: ContainerRequest) -> dict[str, Any]:
    spec = request.spec
    config: dict[str, Any] = {"RestartPolicy": {"Name": str(spec.restart.name)}}
    if spec.restart.name is RestartName.ON_FAILURE:
        config["RestartPolicy"]["MaximumRetryCount"] = spec.restart.retries_max
    if request.networks:
        config["NetworkMode"] = request.networks[0].network
    elif request.network_mode is not None:
        config["NetworkMode"] = request.network_mode
    if spec.ports:
        bindings: dict[str, list[dict[str, str]]] = {}
        for port in spec.ports:
            bindings.setdefault(_port(port), []).append(_binding(port))
        config["PortBindings"] = bindings
    if spec.volumes:
        names = dict(request.volumes)
        config["Mounts"] = [_mount(mount, names) for mount in spec.volumes]
    return config


def _port(port: PortBinding) -> str:
    return f"{port.container}/{port.protocol}"


def _binding(port: PortBinding) -> dict[str, str]:
    return {"HostIp": port.host_ip, "HostPort": "" if port.host is None else str(port.host)}


def _mount(mount: Mount, names: dict[str, str]) -> dict[str, Any]:
    named = mount.kind is MountKind.VOLUME
    return {
        "Type": str(mount.kind),
        "Source": names[mount.source] if named else mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
