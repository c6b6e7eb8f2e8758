"""The host's figures: what it is, and how it fares.

    metrics  the values, as plain data
    source   class MetricsSource: reads them (psutil), off the event loop
    host     what hardly changes: system, architecture, local address

Reading never raises for a sensor that is not there: such a value is None. Nothing is kept; what
is worth a report is decided by `agent.sync`.
"""

from iotistic.agent.telemetry.host import HostFacts, read_host_facts
from iotistic.agent.telemetry.metrics import Details, Metrics, NetworkInterface, ProcessUsage
from iotistic.agent.telemetry.source import MetricsSource

__all__ = [
    "Details",
    "HostFacts",
    "Metrics",
    "MetricsSource",
    "NetworkInterface",
    "ProcessUsage",
    "read_host_facts",
]
