"""The host's metrics as fields of the report. Pure."""

from __future__ import annotations

from typing import Any

from iotistic.agent.telemetry.metrics import Details, Metrics
from iotistic.agent.telemetry.points import service_point

FIELDS = (
    "cpu_usage",
    "cpu_cores",
    "load_1",
    "memory_usage",
    "memory_total",
    "memory_percent",
    "storage_usage",
    "storage_total",
    "storage_percent",
    "temperature",
    "cpu_temp",
    "uptime",
    "network_latency_ms",
)


def metric_fields(metrics: Metrics, latency_ms: float | None = None) -> dict[str, Any]:
    """The cheap ones. The temperature goes by both of the names that clouds look for."""
    fields = {
        "cpu_usage": round(metrics.cpu_percent),
        "cpu_cores": metrics.cpu_cores,
        "load_1": metrics.load_1,
        "memory_usage": metrics.memory_used_mib,
        "memory_total": metrics.memory_total_mib,
        "memory_percent": metrics.memory_percent,
        "storage_usage": metrics.storage_used_mib,
        "storage_total": metrics.storage_total_mib,
        "storage_percent": metrics.storage_percent,
        "temperature": metrics.temperature_c,
        "cpu_temp": metrics.temperature_c,
        "uptime": metrics.uptime_s,
        "network_latency_ms": latency_ms,
    }
    return {name: value for name, value in fields.items() if value is not None}


def detail_fields(details: Details) -> dict[str, Any]:
    """Processes and interfaces."""
    return {
        "top_processes": [
            {
                "pid": process.pid,
                "name": process.name,
                "cpu": process.cpu_percent,
                "mem": process.memory_percent,
            }
            for process in details.processes
        ],
        "network_interfaces": [
            {
                "name": interface.name,
                "ip4": interface.ip4,
                "ip6": interface.ip6,
                "mac": interface.mac,
                "type": interface.kind,
                "default": interface.is_default,
                "virtual": interface.is_virtual,
                "operstate": "up" if interface.is_up else "down",
            }
            for interface in details.interfaces
        ],
    }


def rate_fields(details: Details) -> dict[str, Any]:
    """What goes through the interfaces, and what the services use: by name, so that a difference
    holds only what is new. An older cloud does not know them.
    """
    services: dict[str, dict[str, Any]] = {}
    for usage in details.containers:
        services.setdefault(str(usage.app_id), {})[usage.service_name] = service_point(usage)
    return {
        "network_rates": {
            rates.name: {
                "rx_bytes_per_s": rates.rx_bytes_per_s,
                "tx_bytes_per_s": rates.tx_bytes_per_s,
                "rx_packets_per_s": rates.rx_packets_per_s,
                "tx_packets_per_s": rates.tx_packets_per_s,
                "errors": rates.errors,
                "drops": rates.drops,
            }
            for rates in details.network
        },
        "service_stats": services,
    }
