"""The host's and the services' figures: read, recorded, never kept here.

    metrics     the values, as plain data
    source      class MetricsSource: reads the host's (psutil), off the event loop
    containers  class ContainerReader: asks the engine what the containers use
    rates       from counters to rates (pure)
    readings    class Readings: both, read once for everybody who wants them
    points      the names and units by which figures are recorded (pure)
    recorder    class Recorder: a record for the host and each container, at intervals
    host        what hardly changes: system, architecture, local address

Reading never raises for a sensor that is not there: such a value is None. What is worth a report
is decided by `agent.sync`; records wait in `agent.outbox`.
"""

from iotistic.agent.telemetry.containers import ContainerReader
from iotistic.agent.telemetry.host import HostFacts, read_host_facts
from iotistic.agent.telemetry.metrics import (
    ContainerUsage,
    Details,
    Metrics,
    NetworkInterface,
    NetworkRates,
    ProcessUsage,
)
from iotistic.agent.telemetry.readings import Readings
from iotistic.agent.telemetry.recorder import Recorder
from iotistic.agent.telemetry.source import MetricsSource

__all__ = [
    "ContainerReader",
    "ContainerUsage",
    "Details",
    "HostFacts",
    "Metrics",
    "MetricsSource",
    "NetworkInterface",
    "NetworkRates",
    "ProcessUsage",
    "Readings",
    "Recorder",
    "read_host_facts",
]
