"""The host's figures as plain data. None: this host does not tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How the host fares. Percent are of the whole (all cores), 0-100; MiB are rounded down.

    Memory used is without caches and buffers. Storage is the partition that holds the agent's
    data. `uptime_s` is the host's.
    """

    cpu_percent: float
    cpu_cores: int
    load_1: float
    memory_used_mib: int
    memory_total_mib: int
    storage_used_mib: int | None
    storage_total_mib: int | None
    temperature_c: float | None
    uptime_s: int

    @property
    def memory_percent(self) -> float:
        """Share of the memory that is used."""
        return _percent(self.memory_used_mib, self.memory_total_mib)

    @property
    def storage_percent(self) -> float | None:
        """Share of the partition that is used."""
        if self.storage_used_mib is None or self.storage_total_mib is None:
            return None
        return _percent(self.storage_used_mib, self.storage_total_mib)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessUsage:
    """One process; percent of all cores since the last reading, and of the memory."""

    pid: int
    name: str
    cpu_percent: float
    memory_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkInterface:
    """One network interface. `is_default`: the way out to everywhere else."""

    name: str
    ip4: str | None
    ip6: str | None
    mac: str | None
    kind: str
    is_default: bool
    is_virtual: bool
    is_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRates:
    """What went through one interface since the reading before. `errors`, `drops`: how many,
    both ways.
    """

    name: str
    rx_bytes_per_s: float
    tx_bytes_per_s: float
    rx_packets_per_s: float
    tx_packets_per_s: float
    errors: int
    drops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """What one running container of ours uses. Percent are of all cores, and of its limit.

    Rates are since the reading before; None until there were two, and for what the engine does not
    tell.
    """

    app_id: int
    service_id: str
    service_name: str
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    rx_bytes_per_s: float | None = None
    tx_bytes_per_s: float | None = None
    read_bytes_per_s: float | None = None
    written_bytes_per_s: float | None = None
    pids: int | None = None

    @property
    def memory_percent(self) -> float | None:
        """Share of its limit."""
        if self.memory_bytes is None or not self.memory_limit_bytes:
            return None
        return _percent(self.memory_bytes, self.memory_limit_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What costs more to read, hence is read seldom: the busiest processes, the interfaces and
    what goes through those that lead somewhere else, the containers.
    """

    processes: tuple[ProcessUsage, ...] = ()
    interfaces: tuple[NetworkInterface, ...] = ()
    network: tuple[NetworkRates, ...] = ()
    containers: tuple[ContainerUsage, ...] = ()


def _percent(part: int, whole: int) -> float:
    return round(100.0 * part / whole, 1) if whole > 0 else 0.0
