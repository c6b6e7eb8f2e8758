"""What a simulated container is said to use: little, and evenly."""

from __future__ import annotations

from iotistic.engines.protocol import ContainerStats
from iotistic.engines.simulated.state import SimulatedContainer
from iotistic.model.words import ContainerState

CPU_SHARE = 0.01
"""Of one core."""
MEMORY_BYTES = 8 * 1024 * 1024
MEMORY_LIMIT_BYTES = 1024 * 1024 * 1024
NETWORK_BYTES_PER_S = 100
DISK_BYTES_PER_S = 10


def used(container: SimulatedContainer, now_s: float) -> ContainerStats | None:
    """By how long it has been running; None when it does not run."""
    if container.state not in (ContainerState.RUNNING, ContainerState.PAUSED):
        return None
    up_s = max(0.0, now_s - container.started_s)
    talks = container.network_mode not in ("host", "none")
    traffic = int(up_s * NETWORK_BYTES_PER_S) if talks else None
    return ContainerStats(
        cpu_ns=int(up_s * CPU_SHARE * 1e9),
        memory_bytes=MEMORY_BYTES,
        memory_limit_bytes=MEMORY_LIMIT_BYTES,
        rx_bytes=traffic,
        tx_bytes=traffic,
        read_bytes=int(up_s * DISK_BYTES_PER_S),
        written_bytes=int(up_s * DISK_BYTES_PER_S),
        pids=1,
    )
