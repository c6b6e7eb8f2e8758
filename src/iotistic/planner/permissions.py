"""The exceptions that a device's owner can make, and which paths of a host rule all of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath


class Permission(StrEnum):
    """What may be allowed beyond the defaults, as written in `POLICY_ALLOW`."""

    BIND_MOUNTS = "bind-mounts"
    CAPABILITIES = "capabilities"
    CGROUP_PARENT = "cgroup-parent"
    DEVICES = "devices"
    ENGINE_SOCKET = "engine-socket"
    EXTERNAL_NETWORKS = "external-networks"
    EXTERNAL_VOLUMES = "external-volumes"
    FOREIGN_CONTAINERS = "foreign-containers"
    GPUS = "gpus"
    HOST_NAMESPACES = "host-namespaces"
    HOST_NETWORK = "host-network"
    NETWORK_DRIVERS = "network-drivers"
    PRIORITY = "priority"
    PRIVILEGED = "privileged"
    RUNTIMES = "runtimes"
    SYSCTLS = "sysctls"
    UNCONFINED = "unconfined"
    VOLUME_DRIVERS = "volume-drivers"


ABOUT: Mapping[Permission, str] = {
    Permission.BIND_MOUNTS: "paths of the host in `volumes`, and volumes whose `driver_opts` are a"
    " mount of the host",
    Permission.CAPABILITIES: "`cap_add` of more than an engine gives every container",
    Permission.CGROUP_PARENT: "`cgroup_parent`",
    Permission.DEVICES: "`devices` and `device_cgroup_rules`",
    Permission.ENGINE_SOCKET: "beside `bind-mounts`: a path by which engine or agent are ruled, or"
    " a folder that has one, `/` and `/run` among them",
    Permission.EXTERNAL_NETWORKS: "networks that others made",
    Permission.EXTERNAL_VOLUMES: "volumes that others made",
    Permission.FOREIGN_CONTAINERS: "`container:` in `network_mode`, `pid` and `ipc`",
    Permission.GPUS: "`gpus`, and devices reserved under `deploy`",
    Permission.HOST_NAMESPACES: "`host` in `pid`, `ipc`, `uts`, `cgroup` and `userns_mode`",
    Permission.HOST_NETWORK: "`network_mode: host`, and the network of that name",
    Permission.NETWORK_DRIVERS: "drivers of networks but `bridge`, and options that reach beyond"
    " its network",
    Permission.PRIORITY: "to be preferred to the host's own processes: `oom_kill_disable`, an"
    " `oom_score_adj` below 0, `cpu_rt_runtime`, `cpu_rt_period`",
    Permission.PRIVILEGED: "`privileged`",
    Permission.RUNTIMES: "`runtime`, and `annotations`, which speak to it",
    Permission.SYSCTLS: "`sysctls` that are not of the service's own namespaces",
    Permission.UNCONFINED: "`security_opt`, but for `no-new-privileges`, and for the engine's own"
    " profiles by name",
    Permission.VOLUME_DRIVERS: "drivers of volumes but `local`, and further options of it",
}
"""What each of them opens."""

Demand = tuple[Permission, str]
"""What has to be allowed, and what for: the field with as much of its value as explains it."""

_RULING = tuple(
    PurePosixPath(path)
    for path in (
        "/run/containerd",
        "/run/crio",
        "/run/docker",
        "/run/docker.sock",
        "/run/iotistic",
        "/run/podman",
        "/var/lib/containerd",
        "/var/lib/docker",
        "/var/lib/iotistic",
    )
)
_SOCKETS = ("containerd.sock", "crio.sock", "docker.sock", "podman.sock")


def rules_the_host(source: str) -> bool:
    """Whether a path of the host is, holds, or lies in what rules the engine or the agent."""
    path = PurePosixPath(source)
    if path.is_relative_to("/var/run"):
        path = PurePosixPath("/run") / path.relative_to("/var/run")
    return path.name in _SOCKETS or any(
        ruling.is_relative_to(path) or path.is_relative_to(ruling) for ruling in _RULING
    )
