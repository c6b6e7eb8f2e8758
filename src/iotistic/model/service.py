"""The specification of one service: compose's words, in one form each.

Parsing takes the short and the long forms and makes one of them, so that two ways to write the
same thing are equal afterwards. Holding a `ServiceSpec` means it was validated; whether this
device *allows* it is another question (`iotistic.planner.policy`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from iotistic.model.image import ImageRef
from iotistic.model.secret import Secret

Pairs = tuple[tuple[str, str], ...]
"""Names with their values, sorted by name."""


class MountKind(StrEnum):
    """Where a mount's data lives."""

    VOLUME = "volume"
    BIND = "bind"


class RestartName(StrEnum):
    """The engine's restart policies."""

    NO = "no"
    ALWAYS = "always"
    UNLESS_STOPPED = "unless-stopped"
    ON_FAILURE = "on-failure"


class PullPolicy(StrEnum):
    """When an image is pulled, beyond: when it is missing and may be pulled."""

    MISSING = "missing"
    ALWAYS = "always"
    """Once for every release, although it is here: the tag may have moved."""
    NEVER = "never"
    """It has to be here already."""


class Condition(StrEnum):
    """What a service waits for in another one before it is started."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PortBinding:
    """One published port. `host` None lets the engine choose; `host_ip` "" is every address."""

    container: int
    protocol: str = "tcp"
    host_ip: str = ""
    host: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mount:
    """A named volume of the app, or a path of the host, inside the container.

    `no_copy`: a new volume stays empty instead of taking what the image has at `target`.
    `propagation` is of a bind mount ("" is the engine's own, rprivate).
    """

    target: str
    source: str
    kind: MountKind = MountKind.VOLUME
    read_only: bool = False
    no_copy: bool = False
    propagation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tmpfs:
    """A file system in memory; `options` as mount(8) takes them, sorted ("mode=1777,size=64")."""

    target: str
    options: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class NetworkAttachment:
    """A network of the app that the service joins, with the names it answers to there."""

    name: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    gw_priority: int = 0
    priority: int = 0
    """Networks are joined in falling order of it; the first is the one given at creation."""
    driver_opts: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RestartPolicy:
    """What the engine does when the service ends. `retries_max` 0 is without limit."""

    name: RestartName = RestartName.UNLESS_STOPPED
    retries_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """How the engine finds out whether the service is well.

    `test`: None is the image's own, ("NONE",) none at all, else ("CMD", word...) or
    ("CMD-SHELL", line). A None elsewhere is the image's or the engine's own as well.
    """

    test: tuple[str, ...] | None = None
    interval_ms: int | None = None
    timeout_ms: int | None = None
    start_period_ms: int | None = None
    start_interval_ms: int | None = None
    retries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Ulimit:
    """A limit of the kernel on the service's processes; -1 is none."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Device:
    """A device of the host, where it appears inside, and which of `rwm` may be done with it."""

    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DeviceRequest:
    """Devices by what they can do (graphics cards, say). `count` -1 is all of them."""

    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ("gpu",)
    options: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Where the engine keeps the output, and how much of it."""

    driver: str
    options: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SecretUse:
    """A secret of the app as this service gets it.

    A file at `target` (absolute), owned by `uid`:`gid` with `mode`; or, only when asked for, the
    environment variable `environment` (`target` is then "").
    """

    source: str
    target: str = ""
    environment: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0o444


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Dependency:
    """Another service of the app that must be in a condition before this one is started.

    `required` False: if it is not there or cannot get there, the start does not wait for it.
    `restart`: this service is made anew when the other one is.
    """

    service: str
    condition: Condition = Condition.STARTED
    required: bool = True
    restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """Everything that makes a container what it is. A change of any field means a new one.

    None, "" in a name, and () mean "not said": the image's or the engine's own holds. Exceptions:
    `command`, `entrypoint` () is none at all. Pairs and sets are sorted; `dns`, `dns_search` and
    `command` keep their order. `networks` is empty when `network_mode` is set. Memory is in bytes,
    `cpus` in billionths of one.
    """

    image: ImageRef

    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    tty: bool | None = None
    stdin_open: bool | None = None
    init: bool | None = None
    stop_signal: str | None = None
    stop_grace_period_ms: int | None = None
    healthcheck: Healthcheck | None = None
    restart: RestartPolicy = RestartPolicy()

    environment: tuple[tuple[str, Secret], ...] = ()
    labels: Pairs = ()
    annotations: Pairs = ()
    platform: str | None = None

    nano_cpus: int | None = None
    cpu_shares: int | None = None
    cpu_quota: int | None = None
    cpu_period: int | None = None
    cpu_rt_runtime: int | None = None
    cpu_rt_period: int | None = None
    cpuset: str | None = None
    mem_limit: int | None = None
    mem_reservation: int | None = None
    memswap_limit: int | None = None
    mem_swappiness: int | None = None
    pids_limit: int | None = None
    shm_size: int | None = None
    oom_score_adj: int | None = None
    oom_kill_disable: bool | None = None
    ulimits: tuple[Ulimit, ...] = ()
    storage_opt: Pairs = ()

    privileged: bool | None = None
    read_only: bool | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    sysctls: Pairs = ()
    userns_mode: str | None = None
    pid: str | None = None
    ipc: str | None = None
    uts: str | None = None
    cgroup: str | None = None
    cgroup_parent: str | None = None
    runtime: str | None = None

    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[DeviceRequest, ...] = ()

    ports: tuple[PortBinding, ...] = ()
    networks: tuple[NetworkAttachment, ...] = ()
    network_mode: str | None = None
    """`bridge`, `host`, `none`, `service:NAME`, or `container:ID`."""
    hostname: str | None = None
    domainname: str | None = None
    mac_address: str | None = None
    dns: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()

    volumes: tuple[Mount, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    secrets: tuple[SecretUse, ...] = ()

    logging: Logging | None = None
