"""Reads the host's figures, off the event loop: files below /proc may block on a busy host."""

from __future__ import annotations

import asyncio
import heapq
import os
import socket
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import psutil

from iotistic.agent.telemetry.metrics import (
    Details,
    Metrics,
    NetworkInterface,
    NetworkRates,
    ProcessUsage,
)
from iotistic.agent.telemetry.rates import LinkCounters, network_rates

PROCESSES_MAX = 10
INTERFACES_MAX = 32
_MIB = 1024 * 1024
_NAME_LENGTH_MAX = 64
_CPU_SENSORS = ("coretemp", "k10temp", "cpu_thermal", "cpu-thermal", "soc_thermal", "zenpower")
_PLAUSIBLE_C = (-40.0, 150.0)
_STARTTIME = 19
"""Of the fields behind the name in /proc/PID/stat (starttime, the 22nd of all), in ticks."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NET = Path("/sys/class/net")
_ROUTES = Path("/proc/net/route")


class MetricsSource:
    """The figures of this host. Each reading says how the CPU fared since the one before, the
    first since the host's start.

    `data_path` is in the partition whose fill level is told. One reading at a time.
    """

    def __init__(self, data_path: Path) -> None:
        self._data_path = data_path
        self._reading = asyncio.Lock()
        self._process_times: dict[tuple[int, float], float] = {}
        self._processes_read_s = _now_s()
        self._cpu_times = (0.0, 0.0)
        self._links: dict[str, LinkCounters] = {}
        self._links_read_s = 0.0

    async def read(self) -> Metrics:
        """The figures that are cheap to read: well below a millisecond of CPU."""
        async with self._reading:
            return await asyncio.to_thread(self._read)

    async def read_details(self) -> Details:
        """Processes and interfaces: some ten milliseconds on a host with many processes."""
        async with self._reading:
            return await asyncio.to_thread(self._read_details)

    def _read(self) -> Metrics:
        memory = psutil.virtual_memory()
        used, total = self._storage()
        return Metrics(
            cpu_percent=self._cpu_percent(),
            cpu_cores=psutil.cpu_count() or 1,
            load_1=round(os.getloadavg()[0], 2),
            memory_used_mib=memory.used // _MIB,
            memory_total_mib=memory.total // _MIB,
            storage_used_mib=used,
            storage_total_mib=total,
            temperature_c=_temperature_c(),
            uptime_s=int(_now_s()),
        )

    def _cpu_percent(self) -> float:
        times: dict[str, float] = psutil.cpu_times()._asdict()
        # What guests used is in the other figures as well.
        total = sum(spent for name, spent in times.items() if not name.startswith("guest"))
        idle = times.get("idle", 0.0) + times.get("iowait", 0.0)
        (total_before, idle_before), self._cpu_times = self._cpu_times, (total, idle)
        span = total - total_before
        if span <= 0:
            return 0.0
        return round(min(100.0, max(0.0, 100.0 * (1.0 - (idle - idle_before) / span))), 1)

    def _storage(self) -> tuple[int | None, int | None]:
        try:
            usage = psutil.disk_usage(str(self._data_path))
        except OSError:
            return None, None
        return usage.used // _MIB, usage.total // _MIB

    def _read_details(self) -> Details:
        interfaces = _interfaces()
        outward = {i.name for i in interfaces if i.is_default or not i.is_virtual}
        return Details(
            processes=self._processes(),
            interfaces=interfaces,
            network=self._network(outward),
        )

    def _network(self, names: Collection[str]) -> tuple[NetworkRates, ...]:
        now_s, links = _now_s(), _links(names)
        rates = network_rates(self._links, links, now_s - self._links_read_s)
        self._links, self._links_read_s = links, now_s
        return rates

    def _processes(self) -> tuple[ProcessUsage, ...]:
        now_s = _now_s()
        span_s = max(0.001, now_s - self._processes_read_s)
        cores = psutil.cpu_count() or 1
        total = psutil.virtual_memory().total
        seen: dict[tuple[int, float], float] = {}
        usages = []
        for process in psutil.process_iter():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    key = (process.pid, born_s(process.pid))
                    resident = process.memory_info().rss
                    name = process.name()
            except (psutil.Error, OSError, ValueError, IndexError):
                continue  # it ended meanwhile, or is not ours to look at
            seen[key] = times.user + times.system
            before_s = self._process_times.get(key)
            if before_s is None:  # not seen before: on average since its birth
                spent_s, over_s = seen[key], max(1.0, now_s - key[1])
            else:
                spent_s, over_s = seen[key] - before_s, span_s
            usages.append(
                ProcessUsage(
                    pid=process.pid,
                    name=name[:_NAME_LENGTH_MAX],
                    cpu_percent=round(min(100.0, 100.0 * max(0.0, spent_s) / over_s / cores), 1),
                    memory_percent=round(100.0 * resident / total, 1),
                )
            )
        self._process_times = seen
        self._processes_read_s = now_s
        # psutil remembers every process it saw, which is memory for nothing here.
        psutil.process_iter.cache_clear()
        return _busiest(usages)


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def born_s(pid: int) -> float:
    """When a process began, on the boot clock: by the wall clock it would be born anew with each
    correction of the time. Raises OSError, ValueError, IndexError for what is no longer there.
    """
    # The name, in parentheses, may hold anything; what follows it is numbers.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return int(fields[_STARTTIME]) / _TICKS_PER_S


def _links(names: Collection[str]) -> dict[str, LinkCounters]:
    found = psutil.net_io_counters(pernic=True, nowrap=False)
    return {
        name: LinkCounters(
            index=_index(name),
            rx_bytes=counters.bytes_recv,
            tx_bytes=counters.bytes_sent,
            rx_packets=counters.packets_recv,
            tx_packets=counters.packets_sent,
            errors=counters.errin + counters.errout,
            drops=counters.dropin + counters.dropout,
        )
        for name, counters in found.items()
        if name in names
    }


def _index(name: str) -> int:
    text = _text(_NET / name / "ifindex").strip()
    return int(text) if text.isdigit() else 0


def _busiest(usages: Iterable[ProcessUsage]) -> tuple[ProcessUsage, ...]:
    def weight(usage: ProcessUsage) -> tuple[float, float, int]:
        return (usage.cpu_percent, usage.memory_percent, -usage.pid)

    return tuple(heapq.nlargest(PROCESSES_MAX, usages, key=weight))


def _temperature_c() -> float | None:
    """The processor's, or the first that is plausible."""
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    try:
        sensors: dict[str, list[Any]] = psutil.sensors_temperatures()
    except (OSError, ValueError):
        return None  # drivers that list a sensor and then cannot read it
    for name in sorted(sensors, key=lambda name: (name not in _CPU_SENSORS, name)):
        for reading in sensors[name]:
            low, high = _PLAUSIBLE_C
            if reading.current is not None and low < reading.current < high:
                return round(float(reading.current), 1)
    return None


def _interfaces() -> tuple[NetworkInterface, ...]:
    stats = psutil.net_if_stats()
    default = default_interface(_text(_ROUTES))
    return tuple(
        _interface(name, addresses, is_default=name == default, is_up=_is_up(stats.get(name)))
        for name, addresses in sorted(
            psutil.net_if_addrs().items(), key=lambda item: (item[0] != default, item[0])
        )[:INTERFACES_MAX]
        if name != "lo"
    )


def _is_up(stats: Any) -> bool:
    return bool(stats and stats.isup)


def _interface(
    name: str, addresses: Iterable[Any], *, is_default: bool, is_up: bool
) -> NetworkInterface:
    found: dict[int, str] = {}
    for address in addresses:
        found.setdefault(int(address.family), address.address.partition("%")[0])
    return NetworkInterface(
        name=name,
        ip4=found.get(int(socket.AF_INET)),
        ip6=found.get(int(socket.AF_INET6)),
        mac=found.get(int(psutil.AF_LINK)),
        kind="wireless" if (_NET / name / "wireless").is_dir() else "wired",
        is_default=is_default,
        is_virtual=not (_NET / name / "device").exists(),
        is_up=is_up,
    )


def default_interface(routes: str) -> str | None:
    """The interface of the route to everywhere with the lowest metric, from /proc/net/route."""
    found = []
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 8 and fields[1] == "00000000" and fields[7] == "00000000":
            found.append((int(fields[6]) if fields[6].isdigit() else 0, fields[0]))
    return min(found)[1] if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
