"""Values of every field of a service, a network and a volume, and what an engine does with them.

`tests.engines.test_field_cases` sees to it that a new field has a case here.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from iotistic.model.image import parse_image
from iotistic.model.objects import IpamPool, NetworkSpec, VolumeSpec
from iotistic.model.secret import Secret
from iotistic.model.service import (
    Device,
    DeviceRequest,
    Healthcheck,
    Logging,
    Mount,
    MountKind,
    NetworkAttachment,
    PortBinding,
    RestartName,
    RestartPolicy,
    SecretUse,
    ServiceSpec,
    Tmpfs,
    Ulimit,
)

IMAGE = "iotistic-test/sleeper:1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
MEBI = 2**20

SUBNET = "10.{n}.{m}.0/24"
"""Of the network `fixed`; a test that makes it puts numbers in, to be in nobody's way."""
SUBNET_6 = "fd00:{n}:{m}::/64"
FOLDER = "{folder}"
"""A folder of the host that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Fields of a service set so, and what is known about it.

    `refused` is the code with which a Docker Engine of our oldest version refuses to make it,
    `start_refused` the same for its start. `feature` is a key of the engine's `/info`: without it
    the engine makes the container without the field, and warns.
    """

    id: str
    spec: dict[str, Any]
    refused: str = ""
    start_refused: str = ""
    feature: str = ""


def one(name: str, *values: Any, **known: Any) -> Iterator[Case]:
    """Cases of one field."""
    for n, value in enumerate(values):
        yield Case(id=f"{name}-{n}" if n else name, spec={name: value}, **known)


def attached(name: str = "front", **how: Any) -> tuple[NetworkAttachment, ...]:
    """One network joined so."""
    return (NetworkAttachment(name=name, **how),)


CASES: tuple[Case, ...] = (
    Case(id="nothing", spec={}),
    *one("image", parse_image("iotistic-test/web:2", at="image")),
    *one("command", ("echo", "a b", ""), ("sleep", "1")),
    Case(id="no-command", spec={"command": (), "entrypoint": ("/bin/sleep",)}),
    *one("entrypoint", ("/bin/sh", "-c")),
    Case(id="no-entrypoint", spec={"entrypoint": (), "command": ("sleep", "1")}),
    *one("user", "1000:1000", "nobody"),
    *one("working_dir", "/srv"),
    *one("tty", True, False),
    *one("stdin_open", True, False),
    *one("init", True, False),
    *one("stop_signal", "SIGINT", "SIGTERM", "SIGRTMIN+3"),
    *one("stop_grace_period_ms", 1_500, 20_000),
    *one(
        "healthcheck",
        Healthcheck(
            test=("CMD", "true"), interval_ms=1_500, timeout_ms=2_000, start_period_ms=5, retries=2
        ),
        Healthcheck(test=("CMD-SHELL", "exit 0")),
        Healthcheck(test=("NONE",)),
        Healthcheck(interval_ms=60_000),
    ),
    Case(
        id="healthcheck-start-interval",
        spec={"healthcheck": Healthcheck(test=("CMD", "true"), start_interval_ms=500)},
        refused="engine-too-old",
    ),
    *one("restart", *(RestartPolicy(name=name) for name in RestartName)),
    Case(
        id="restart-limited",
        spec={"restart": RestartPolicy(name=RestartName.ON_FAILURE, retries_max=3)},
    ),
    *one("environment", (("EMPTY", Secret("")), ("PATH", Secret("/opt")), ("X", Secret("a=b c")))),
    *one("labels", (("com.example.owner", "me"), ("empty", ""))),
    *one("annotations", (("com.example.note", "x"),), refused="engine-too-old"),
    *one("platform", f"linux/{ARCHITECTURES.get(platform.machine(), 'amd64')}"),
    Case(id="other-platform", spec={"platform": "linux/s390x"}, refused="image-not-found"),
    *one("nano_cpus", 1_500_000_000),
    *one("cpu_shares", 512),
    *one("cpu_quota", 50_000),
    *one("cpu_period", 100_000),
    *one("cpu_rt_runtime", 1_000, start_refused="start-failed"),
    *one("cpu_rt_period", 100_000, start_refused="start-failed"),
    *one("cpuset", "0", "0-1"),
    *one("mem_limit", 64 * MEBI),
    *one("mem_reservation", 32 * MEBI),
    Case(
        id="memswap_limit",
        spec={"mem_limit": 64 * MEBI, "memswap_limit": 96 * MEBI},
        feature="SwapLimit",
    ),
    Case(id="memswap_limit-none", spec={"mem_limit": 64 * MEBI, "memswap_limit": -1}),
    *one("mem_swappiness", 0, 60, feature="CgroupVersion=1"),
    *one("pids_limit", 50),
    *one("shm_size", MEBI),
    *one("oom_score_adj", -500, 300),
    *one("oom_kill_disable", True, feature="OomKillDisable"),
    *one("oom_kill_disable", False),
    *one(
        "ulimits",
        (Ulimit(name="core", soft=-1, hard=-1), Ulimit(name="nofile", soft=1024, hard=2048)),
    ),
    *one("storage_opt", (("size", "1G"),), refused="refused"),
    *one("privileged", True, False),
    *one("read_only", True, False),
    *one("cap_add", ("NET_ADMIN", "SYS_TIME"), ("ALL",)),
    *one("cap_drop", ("CHOWN", "MKNOD"), ("ALL",)),
    *one(
        "security_opt",
        ("no-new-privileges=true",),
        ("no-new-privileges=false",),
        ("seccomp=unconfined", "systempaths=unconfined"),
        ('seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',),
        ("label=disable",),
    ),
    Case(
        id="security_opt-builtin",
        spec={"security_opt": ("seccomp=builtin",)},
        refused="engine-too-old",
    ),
    *one("group_add", ("5", "audio")),
    *one("sysctls", (("net.core.somaxconn", "128"), ("net.ipv4.ip_forward", "1"))),
    *one("userns_mode", "host"),
    *one("pid", "host"),
    *one("ipc", "host", "none", "private", "shareable"),
    *one("uts", "host"),
    *one("cgroup", "host", "private"),
    *one("cgroup_parent", "/iotistic-test"),
    *one("runtime", "runc"),
    Case(id="runtime-unknown", spec={"runtime": "nowhere"}, refused="refused"),
    *one(
        "devices",
        (
            Device(source="/dev/null", target="/dev/xnull", permissions="rw"),
            Device(source="/dev/zero", target="/dev/zero"),
        ),
    ),
    *one("device_cgroup_rules", ("b *:* r", "c 13:* rwm")),
    *one(
        "device_requests",
        (DeviceRequest(count=-1),),
        (
            DeviceRequest(
                driver="nvidia",
                device_ids=("0", "1"),
                capabilities=("compute", "gpu"),
                options=(("a", "b"),),
            ),
        ),
        start_refused="start-failed",
    ),
    *one(
        "ports",
        (
            PortBinding(container=53, protocol="udp", host_ip="127.0.0.1"),
            PortBinding(container=80, host_ip="127.0.0.1", host=28_080),
            PortBinding(container=80, host_ip="127.0.0.1", host=28_081),
            PortBinding(container=90),
        ),
    ),
    *one(
        "networks",
        attached(),
        attached(aliases=("api", "db")),
        attached("fixed", ipv4_address="10.{n}.{m}.77", ipv6_address="fd00:{n}:{m}::77"),
        attached("fixed", link_local_ips=("169.254.8.8",)),
        attached(driver_opts=(("com.example.option", "1"),)),
        attached(priority=7),
        (
            *attached("back", aliases=("db",), driver_opts=(("com.example.option", "1"),)),
            *attached("fixed", ipv4_address="10.{n}.{m}.78"),
            *attached("front", aliases=("api",), priority=3),
        ),
    ),
    Case(
        id="networks-mac",
        spec={"networks": attached(mac_address="02:42:0a:00:00:01")},
        refused="engine-too-old",
    ),
    Case(
        id="networks-gateway",
        spec={"networks": attached(gw_priority=5)},
        refused="engine-too-old",
    ),
    *one("network_mode", "bridge", "host", "none"),
    *one("hostname", "edge", "edge.example.test"),
    *one("domainname", "example.test"),
    *one("mac_address", "02:42:0a:00:00:02"),
    *one("dns", ("9.9.9.9", "1.1.1.1", "fd00::1")),
    *one("dns_opt", ("edns0", "ndots:2")),
    *one("dns_search", ("b.test", "a.test")),
    *one(
        "extra_hosts",
        (("a", "192.0.2.1"), ("a", "192.0.2.2"), ("six", "fd00::1"), ("up", "host-gateway")),
    ),
    *one(
        "volumes",
        (
            Mount(target="/data", source="data"),
            Mount(target="/empty", source="more", no_copy=True),
            Mount(target="/read", source="data", read_only=True),
        ),
        (
            Mount(target="/host", source=FOLDER, kind=MountKind.BIND),
            Mount(target="/read", source=FOLDER, kind=MountKind.BIND, read_only=True),
            Mount(target="/slave", source=FOLDER, kind=MountKind.BIND, propagation="rslave"),
            Mount(target="/two", source=FOLDER, kind=MountKind.BIND, propagation="private"),
        ),
    ),
    *one(
        "tmpfs",
        (Tmpfs(target="/run"), Tmpfs(target="/scratch", options="mode=1777,noexec,size=65536")),
    ),
    *one(
        "secrets",
        (
            SecretUse(source="key", environment="KEY"),
            SecretUse(source="key", target="/run/secrets/key", uid=7, gid=8, mode=0o400),
        ),
    ),
    *one(
        "logging",
        Logging(driver="json-file", options=(("max-file", "3"), ("max-size", "1m"))),
        Logging(driver="", options=(("max-size", "1m"),)),
        Logging(driver="none"),
    ),
)

TOGETHER = {
    "command": ("sleep", "100"),
    "environment": (("X", Secret("y")),),
    "labels": (("com.example.owner", "me"),),
    "healthcheck": Healthcheck(test=("CMD", "true"), interval_ms=1_000),
    "mem_limit": 64 * MEBI,
    "nano_cpus": 500_000_000,
    "pids_limit": 50,
    "cap_drop": ("ALL",),
    "security_opt": ("no-new-privileges=true",),
    "read_only": True,
    "tmpfs": (Tmpfs(target="/run"),),
    "hostname": "edge",
    "dns": ("9.9.9.9",),
    "extra_hosts": (("a", "192.0.2.1"),),
    "mac_address": "02:42:0a:00:00:02",
    "networks": (
        *attached("back", aliases=("db",)),
        *attached("fixed", ipv4_address="10.{n}.{m}.79", aliases=("api",)),
    ),
    "volumes": (
        Mount(target="/data", source="data"),
        Mount(target="/host", source=FOLDER, kind=MountKind.BIND, read_only=True),
    ),
    "secrets": (SecretUse(source="key", target="/run/secrets/key"),),
    "ports": (PortBinding(container=80, host_ip="127.0.0.1"),),
    "logging": Logging(driver="json-file", options=(("max-size", "1m"),)),
}
"""A service that has a bit of everything, and can be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCase:
    """A network or a volume set so. `driver`: not every kernel has the driver."""

    id: str
    driver: bool = False
    spec: dict[str, Any] = field(default_factory=dict)


POOL = IpamPool(
    subnet=SUBNET,
    gateway="10.{n}.{m}.1",
    ip_range="10.{n}.{m}.128/25",
    aux_addresses=(("printer", "10.{n}.{m}.200"),),
)

NETWORK_CASES = (
    ObjectCase(id="nothing"),
    ObjectCase(id="driver", spec={"driver": "bridge"}),
    ObjectCase(
        id="other-driver",
        spec={"driver": "macvlan", "driver_opts": (("macvlan_mode", "bridge"),)},
        driver=True,
    ),
    ObjectCase(
        id="driver_opts", spec={"driver_opts": (("com.docker.network.bridge.enable_icc", "false"),)}
    ),
    ObjectCase(id="internal", spec={"internal": True}),
    ObjectCase(
        id="enable_ipv6",
        spec={
            "enable_ipv6": True,
            "ipam_pools": (IpamPool(subnet=SUBNET), IpamPool(subnet=SUBNET_6)),
        },
    ),
    ObjectCase(id="attachable", spec={"attachable": True}),
    ObjectCase(id="labels", spec={"labels": (("com.example.owner", "me"),)}),
    ObjectCase(id="ipam_pools", spec={"ipam_pools": (POOL,)}),
    ObjectCase(
        id="ipam_driver",
        spec={"ipam_driver": "default", "ipam_options": (("com.example.option", "1"),)},
    ),
)
VOLUME_CASES = (
    ObjectCase(id="nothing"),
    ObjectCase(id="driver", spec={"driver": "local"}),
    ObjectCase(
        id="driver_opts",
        spec={"driver_opts": (("device", "tmpfs"), ("o", "size=1m"), ("type", "tmpfs"))},
    ),
    ObjectCase(id="labels", spec={"labels": (("com.example.owner", "me"),)}),
)


def spec_of(values: dict[str, Any]) -> ServiceSpec:
    """A service with those fields."""
    return ServiceSpec(**{"image": parse_image(IMAGE, at="image"), **values})


def network_of(values: dict[str, Any], short_name: str = "own") -> NetworkSpec:
    """A network with those fields."""
    return NetworkSpec(short_name=short_name, **values)


def volume_of(values: dict[str, Any], short_name: str = "own") -> VolumeSpec:
    """A volume with those fields."""
    return VolumeSpec(short_name=short_name, **values)
