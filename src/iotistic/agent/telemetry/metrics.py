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
class Details:
    """What costs more to read, hence is read seldom: the busiest processes, the interfaces."""

    processes: tuple[ProcessUsage, ...] = ()
    interfaces: tuple[NetworkInterface, ...] = ()


def _percent(part: int, whole: int) -> float:
    return round(100.0 * part / whole, 1) if whole > 0 else 0.0
