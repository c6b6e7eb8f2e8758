"""Virtual time for a device that hands over records."""

from __future__ import annotations

import asyncio

from iotistic.agent.outbox import Outbox
from tests.agent.sync.device import Device

_NOT_EXACT_S = 1e-6
"""Sums of times are not exact: whoever sleeps until now may still have this to sleep."""


async def passes(device: Device, outbox: Outbox, span_s: float) -> None:
    """Let time pass, and each batch that falls due in it come to its end."""
    end_s = device.clock.now_s() + span_s
    while True:
        await batches_done(device, outbox)
        left_s = end_s - device.clock.now_s()
        if left_s <= 0:
            return
        session = device.sync._session
        next_s = session.courier.rounds.next_in_s() if session else left_s
        await device.passes(min(left_s, next_s + _NOT_EXACT_S, 1.0))


async def batches_done(device: Device, outbox: Outbox) -> None:
    """Wait until the courier waits: the network and the disk take no time on the clock."""
    async with asyncio.timeout(10):
        await device.clock.settled()
        await outbox.cursors("")
        while device.sync._session and device.sync._session.courier.rounds.next_in_s() <= 0:
            await device.passes(_NOT_EXACT_S)
            await outbox.cursors("")
