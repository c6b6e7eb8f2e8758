"""What the link to the cloud costs: bytes counted by purpose, kept by day, held to a budget."""

from iotistic.agent.traffic.counting import Traffic, count_sent, head_bytes

__all__ = ["Traffic", "count_sent", "head_bytes"]
