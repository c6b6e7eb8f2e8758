"""Metric points: the names and units by which figures are recorded and shown. Pure.

docs/reference/metrics.md lists them; a test holds it complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.agent.telemetry.metrics import ContainerUsage, Details, Metrics

HOST_UNITS: Mapping[str, str] = {
    "cpu_usage_percent": "percent",
    "load_1": "",
    "cpu_temp": "celsius",
    "memory_usage": "mebibytes",
    "memory_percent": "percent",
    "storage_usage": "mebibytes",
    "storage_percent": "percent",
    "uptime": "seconds",
    "network_latency_ms": "milliseconds",
    "network_rx_bytes_per_s": "bytes/s",
    "network_tx_bytes_per_s": "bytes/s",
    "network_rx_packets_per_s": "packets/s",
    "network_tx_packets_per_s": "packets/s",
    "network_errors": "",
    "network_drops": "",
}
"""Of the host. The network's are the sums over the interfaces that lead somewhere else."""
SERVICE_UNITS: Mapping[str, str] = {
    "cpu_usage_percent": "percent",
    "memory_bytes": "bytes",
    "memory_limit_bytes": "bytes",
    "memory_percent": "percent",
    "network_rx_bytes_per_s": "bytes/s",
    "network_tx_bytes_per_s": "bytes/s",
    "block_read_bytes_per_s": "bytes/s",
    "block_write_bytes_per_s": "bytes/s",
    "pids": "",
}
"""Of the container of a service."""


def host_point(
    metrics: Metrics, details: Details, latency_ms: float | None = None
) -> dict[str, float]:
    """The host's figures by name; what the host does not tell is left out."""
    network = details.network
    point = {
        "cpu_usage_percent": metrics.cpu_percent,
        "load_1": metrics.load_1,
        "cpu_temp": metrics.temperature_c,
        "memory_usage": metrics.memory_used_mib,
        "memory_percent": metrics.memory_percent,
        "storage_usage": metrics.storage_used_mib,
        "storage_percent": metrics.storage_percent,
        "uptime": metrics.uptime_s,
        "network_latency_ms": latency_ms,
    }
    if network:
        point |= {
            "network_rx_bytes_per_s": round(sum(n.rx_bytes_per_s for n in network), 1),
            "network_tx_bytes_per_s": round(sum(n.tx_bytes_per_s for n in network), 1),
            "network_rx_packets_per_s": round(sum(n.rx_packets_per_s for n in network), 1),
            "network_tx_packets_per_s": round(sum(n.tx_packets_per_s for n in network), 1),
            "network_errors": sum(n.errors for n in network),
            "network_drops": sum(n.drops for n in network),
        }
    return _known(point)


def service_point(usage: ContainerUsage) -> dict[str, float]:
    """A container's figures by name."""
    return _known(
        {
            "cpu_usage_percent": usage.cpu_percent,
            "memory_bytes": usage.memory_bytes,
            "memory_limit_bytes": usage.memory_limit_bytes,
            "memory_percent": usage.memory_percent,
            "network_rx_bytes_per_s": usage.rx_bytes_per_s,
            "network_tx_bytes_per_s": usage.tx_bytes_per_s,
            "block_read_bytes_per_s": usage.read_bytes_per_s,
            "block_write_bytes_per_s": usage.written_bytes_per_s,
            "pids": usage.pids,
        }
    )


def host_record(point: Mapping[str, float]) -> dict[str, Any]:
    """A point of the host as the data of a record."""
    return {"scope": "host", "metrics": dict(point)}


def service_record(usage: ContainerUsage) -> dict[str, Any]:
    """A point of a container as the data of a record."""
    return {
        "scope": "service",
        "appId": usage.app_id,
        "serviceId": usage.service_id,
        "serviceName": usage.service_name,
        "metrics": service_point(usage),
    }


def _known(point: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in point.items() if value is not None}
