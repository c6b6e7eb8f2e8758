"""From counters to rates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iotistic.agent.telemetry.metrics import NetworkRates

SPAN_MIN_S = 0.5
"""Two readings closer than that say nothing about a rate."""
_WRAP = 1 << 32
_HIGH, _LOW = _WRAP // 4 * 3, _WRAP // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCounters:
    """An interface's counters since it was made. `index` is the kernel's number of it: another
    one means another interface, even of the same name.
    """

    index: int
    rx_bytes: int
    tx_bytes: int
    rx_packets: int
    tx_packets: int
    errors: int
    drops: int


def grown(before: int, after: int) -> int | None:
    """By how much a counter grew; None when it began anew.

    Some drivers count with 32 bits: from near the end to near the beginning is once around.
    """
    if after >= before:
        return after - before
    if _HIGH <= before < _WRAP and after < _LOW:
        return after + _WRAP - before
    return None


def per_s(before: int | None, after: int | None, span_s: float) -> float | None:
    """How fast a counter grew; None when that cannot be said."""
    if before is None or after is None or span_s < SPAN_MIN_S:
        return None
    growth = grown(before, after)
    return None if growth is None else round(growth / span_s, 1)


def network_rates(
    before: Mapping[str, LinkCounters], after: Mapping[str, LinkCounters], span_s: float
) -> tuple[NetworkRates, ...]:
    """Of the interfaces that were there both times, by name; one that began anew is left out."""
    found = (_rates(name, before.get(name), after[name], span_s) for name in sorted(after))
    return tuple(rates for rates in found if rates is not None)


def _rates(
    name: str, before: LinkCounters | None, after: LinkCounters, span_s: float
) -> NetworkRates | None:
    if before is None or before.index != after.index:
        return None
    rx, tx = (
        per_s(before.rx_bytes, after.rx_bytes, span_s),
        per_s(before.tx_bytes, after.tx_bytes, span_s),
    )
    rx_packets, tx_packets = (
        per_s(before.rx_packets, after.rx_packets, span_s),
        per_s(before.tx_packets, after.tx_packets, span_s),
    )
    errors, drops = grown(before.errors, after.errors), grown(before.drops, after.drops)
    if rx is None or tx is None or rx_packets is None or tx_packets is None:
        return None
    return NetworkRates(
        name=name,
        rx_bytes_per_s=rx,
        tx_bytes_per_s=tx,
        rx_packets_per_s=rx_packets,
        tx_packets_per_s=tx_packets,
        errors=errors or 0,
        drops=drops or 0,
    )
