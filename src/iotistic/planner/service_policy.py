"""What each field of a service asks of the device, if it can reach beyond its container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from iotistic.model.service import MountKind, ServiceSpec
from iotistic.planner.permissions import Demand, Permission, rules_the_host

_HOST, _CONTAINER = "host", "container:"
# What engines give every container: to have dropped it and to add it again reaches nothing.
_DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_CONFINED = frozenset({"no-new-privileges=true", "seccomp=builtin", "apparmor=docker-default"})
_OWN_SYSCTLS = ("fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm", "net.")


def _volumes(spec: ServiceSpec) -> Iterator[Demand]:
    for mount in spec.volumes:
        if mount.kind is MountKind.BIND:
            yield Permission.BIND_MOUNTS, f"volumes: bind mount of {mount.source}"
            if rules_the_host(mount.source):
                yield Permission.ENGINE_SOCKET, f"volumes: bind mount of {mount.source}"


def _network_mode(spec: ServiceSpec) -> Iterator[Demand]:
    if spec.network_mode == _HOST:
        yield Permission.HOST_NETWORK, "network_mode: host"
    yield from _foreign("network_mode", spec.network_mode)


def _foreign(name: str, mode: str | None) -> Iterator[Demand]:
    if mode is not None and mode.startswith(_CONTAINER):
        yield Permission.FOREIGN_CONTAINERS, f"{name}: {mode}"


def _namespace(name: str) -> Callable[[ServiceSpec], Iterator[Demand]]:
    def demands(spec: ServiceSpec) -> Iterator[Demand]:
        mode = getattr(spec, name)
        if mode == _HOST:
            yield Permission.HOST_NAMESPACES, f"{name}: host"
        yield from _foreign(name, mode)

    return demands


def _is_set(
    name: str, permission: Permission, attribute: str = ""
) -> Callable[[ServiceSpec], Iterator[Demand]]:
    """Set at all is enough to ask for it."""

    def demands(spec: ServiceSpec) -> Iterator[Demand]:
        if getattr(spec, attribute or name):
            yield permission, name

    return demands


def _cap_add(spec: ServiceSpec) -> Iterator[Demand]:
    for capability in spec.cap_add:
        if capability not in _DEFAULT_CAPABILITIES:
            yield Permission.CAPABILITIES, f"cap_add: {capability}"


def _security_opt(spec: ServiceSpec) -> Iterator[Demand]:
    for option in spec.security_opt:
        if option not in _CONFINED:
            yield Permission.UNCONFINED, f"security_opt: {option[:64]}"


def _sysctls(spec: ServiceSpec) -> Iterator[Demand]:
    for name, _ in spec.sysctls:
        of_the_host = spec.network_mode == _HOST and name.startswith("net.")
        if of_the_host or not name.startswith(_OWN_SYSCTLS):
            yield Permission.SYSCTLS, f"sysctls: {name}"


def _oom_score_adj(spec: ServiceSpec) -> Iterator[Demand]:
    if (spec.oom_score_adj or 0) < 0:
        yield Permission.PRIORITY, f"oom_score_adj: {spec.oom_score_adj}"


CHECKS: Mapping[str, Callable[[ServiceSpec], Iterator[Demand]]] = {
    "privileged": _is_set("privileged", Permission.PRIVILEGED),
    "volumes": _volumes,
    "network_mode": _network_mode,
    "devices": _is_set("devices", Permission.DEVICES),
    "device_cgroup_rules": _is_set("device_cgroup_rules", Permission.DEVICES),
    "device_requests": _is_set("gpus", Permission.GPUS, "device_requests"),
    "cap_add": _cap_add,
    "security_opt": _security_opt,
    "userns_mode": _namespace("userns_mode"),
    "pid": _namespace("pid"),
    "ipc": _namespace("ipc"),
    "uts": _namespace("uts"),
    "cgroup": _namespace("cgroup"),
    "cgroup_parent": _is_set("cgroup_parent", Permission.CGROUP_PARENT),
    "runtime": _is_set("runtime", Permission.RUNTIMES),
    "annotations": _is_set("annotations", Permission.RUNTIMES),
    "sysctls": _sysctls,
    "oom_kill_disable": _is_set("oom_kill_disable", Permission.PRIORITY),
    "oom_score_adj": _oom_score_adj,
    "cpu_rt_runtime": _is_set("cpu_rt_runtime", Permission.PRIORITY),
    "cpu_rt_period": _is_set("cpu_rt_period", Permission.PRIORITY),
}
"""By field of `ServiceSpec`: what has to be allowed for its value."""

HARMLESS = frozenset(
    {
        "image", "command", "entrypoint", "user", "working_dir", "tty", "stdin_open", "init",
        "stop_signal", "stop_grace_period_ms", "healthcheck", "restart", "environment", "labels",
        "platform", "nano_cpus", "cpu_shares", "cpu_quota", "cpu_period", "cpuset", "mem_limit",
        "mem_reservation", "memswap_limit", "mem_swappiness", "pids_limit", "shm_size", "ulimits",
        "storage_opt", "read_only", "cap_drop", "group_add", "ports", "networks", "hostname",
        "domainname", "mac_address", "dns", "dns_opt", "dns_search", "extra_hosts", "tmpfs",
        "secrets", "logging",
    }
)  # fmt: skip
"""Fields of `ServiceSpec` that stay inside, whatever they say."""
