"""What `GET /containers/ID/json` holds, as far as it says how a container was made."""

from __future__ import annotations

import msgspec

Texts = list[str] | None
Map = dict[str, str] | None


class State(msgspec.Struct):
    """Where it is in its life."""

    StartedAt: str = ""


class Healthcheck(msgspec.Struct):
    """How the engine asks it how it is; spans in nanoseconds, 0 is not said."""

    Test: Texts = None
    Interval: int = 0
    Timeout: int = 0
    StartPeriod: int = 0
    StartInterval: int = 0
    Retries: int = 0


class Config(msgspec.Struct):
    """What concerns the process."""

    Image: str
    Hostname: str = ""
    Domainname: str = ""
    User: str = ""
    Tty: bool = False
    OpenStdin: bool = False
    Env: Texts = None
    Cmd: Texts = None
    Healthcheck: Healthcheck | None = None
    WorkingDir: str = ""
    Entrypoint: Texts = None
    MacAddress: str = ""
    Labels: Map = None
    StopSignal: str = ""
    StopTimeout: int | None = None


class RestartPolicy(msgspec.Struct):
    """What the engine does when it ends."""

    Name: str = ""
    MaximumRetryCount: int = 0


class LogConfig(msgspec.Struct):
    """Where its output is kept."""

    Type: str = ""
    Config: Map = None


class Binding(msgspec.Struct):
    """Where a port is published."""

    HostIp: str = ""
    HostPort: str = ""


class VolumeOptions(msgspec.Struct):
    """How a volume is mounted."""

    NoCopy: bool = False


class Mount(msgspec.Struct):
    """A mount as it was asked for."""

    Target: str = ""
    VolumeOptions: VolumeOptions | None = None


class MountPoint(msgspec.Struct):
    """A mount as it is."""

    Type: str = ""
    Name: str = ""
    Source: str = ""
    Destination: str = ""
    RW: bool = True
    Propagation: str = ""


class Device(msgspec.Struct):
    """A device of the host."""

    PathOnHost: str = ""
    PathInContainer: str = ""
    CgroupPermissions: str = ""


class DeviceRequest(msgspec.Struct):
    """Devices by what they can do."""

    Driver: str = ""
    Count: int = 0
    DeviceIDs: Texts = None
    Capabilities: list[list[str]] | None = None
    Options: Map = None


class Ulimit(msgspec.Struct):
    """A limit of the kernel."""

    Name: str
    Soft: int = 0
    Hard: int = 0


class HostConfig(msgspec.Struct):
    """What concerns the host; 0 and "" are not said."""

    LogConfig: LogConfig = msgspec.field(default_factory=LogConfig)
    NetworkMode: str = ""
    PortBindings: dict[str, list[Binding] | None] | None = None
    RestartPolicy: RestartPolicy = msgspec.field(default_factory=RestartPolicy)
    Mounts: list[Mount] | None = None
    Annotations: Map = None
    CapAdd: Texts = None
    CapDrop: Texts = None
    CgroupnsMode: str = ""
    Dns: Texts = None
    DnsOptions: Texts = None
    DnsSearch: Texts = None
    ExtraHosts: Texts = None
    GroupAdd: Texts = None
    IpcMode: str = ""
    OomScoreAdj: int = 0
    PidMode: str = ""
    Privileged: bool = False
    ReadonlyRootfs: bool = False
    SecurityOpt: Texts = None
    StorageOpt: Map = None
    Tmpfs: Map = None
    UTSMode: str = ""
    UsernsMode: str = ""
    ShmSize: int = 0
    Sysctls: Map = None
    Runtime: str = ""
    CpuShares: int = 0
    Memory: int = 0
    NanoCpus: int = 0
    CgroupParent: str = ""
    CpuPeriod: int = 0
    CpuQuota: int = 0
    CpuRealtimePeriod: int = 0
    CpuRealtimeRuntime: int = 0
    CpusetCpus: str = ""
    Devices: list[Device] | None = None
    DeviceCgroupRules: Texts = None
    DeviceRequests: list[DeviceRequest] | None = None
    MemoryReservation: int = 0
    MemorySwap: int = 0
    MemorySwappiness: int | None = None
    OomKillDisable: bool | None = None
    PidsLimit: int | None = None
    Ulimits: list[Ulimit] | None = None
    Init: bool | None = None
    MaskedPaths: Texts = None
    ReadonlyPaths: Texts = None


class IpamConfig(msgspec.Struct):
    """Addresses that were asked for."""

    IPv4Address: str = ""
    IPv6Address: str = ""
    LinkLocalIPs: Texts = None


class Endpoint(msgspec.Struct):
    """How it is in one network."""

    IPAMConfig: IpamConfig | None = None
    Aliases: Texts = None
    DriverOpts: Map = None
    MacAddress: str = ""
    GwPriority: int = 0


class NetworkSettings(msgspec.Struct):
    """The networks it is in, by the engine's names."""

    Networks: dict[str, Endpoint | None] | None = None


class Document(msgspec.Struct):
    """One container as the engine shows it."""

    Id: str
    State: State
    Config: Config
    HostConfig: HostConfig
    RestartCount: int = 0
    Mounts: list[MountPoint] | None = None
    NetworkSettings: NetworkSettings = msgspec.field(default_factory=NetworkSettings)
