"""Events on their way to the outbox: once, also over restarts, and not without end."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from iotistic.agent.events import EventTeller
from iotistic.agent.events.teller import BURST, EVERY_S, LOOK_EVERY_S, SETTLE_S
from iotistic.agent.logs import LogBook
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.model.errors import EngineUnavailable, IotisticError, Unavailable
from iotistic.model.records import RecordClass
from tests.agent.virtual_clock import VirtualClock

LOST = EngineUnavailable("no container engine answers")


class Kept:
    """What an outbox keeps of it."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.held: dict[str, str] = {}
        self.full = False

    async def put_all(
        self,
        record_class: RecordClass,
        items: Sequence[tuple[int, Mapping[str, Any]]],
        *,
        cursor: tuple[str, str] | None = None,
    ) -> None:
        assert record_class is RecordClass.EVENT
        if self.full:
            raise Unavailable("no room", code="disk-full")
        self.events += [data for _, data in items]
        if cursor is not None:
            self.held[cursor[0]] = cursor[1]

    async def cursors(self, prefix: str) -> Mapping[str, str]:
        return {name: at for name, at in self.held.items() if name.startswith(prefix)}


class Device:
    def __init__(self) -> None:
        self.clock = VirtualClock(sleepers=1)
        self.kept = Kept()
        self.snapshot = Snapshot(rounds=1)
        self.warned: list[IotisticError] = []
        self.start()

    def start(self) -> None:
        self.teller = EventTeller(
            self.kept,
            snapshot=lambda: self.snapshot,
            warnings=lambda: self.warned,
            clock=self.clock,
            log=LogBook(self.clock, output=io.StringIO()).logger(),
        )
        self.task = asyncio.ensure_future(self.teller.run())

    async def killed(self) -> None:
        """It ends at once, and nothing more is written."""
        self.kept.full = True
        await self.ended()
        self.kept.full = False

    async def ended(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def knows(self, **fields: Any) -> None:
        self.snapshot = replace(self.snapshot, **fields)
        self.teller.changed()
        await self.clock.advance(SETTLE_S + 0.1)

    @property
    def told(self) -> list[str]:
        return [event["event"] for event in self.kept.events]


async def test_why_the_agent_started_is_told() -> None:
    device = Device()
    await device.clock.advance(5)
    await device.ended()
    device.start()
    await device.clock.advance(5)
    await device.killed()
    device.start()
    await device.clock.advance(5)
    await device.ended()
    device.clock.boot_id = "boot-2"
    device.start()
    await device.clock.advance(5)
    await device.ended()

    starts = [(e["reason"], e["endedInOrder"], e["bootId"]) for e in device.kept.events]
    assert starts == [
        ("first", False, "boot-1"),
        ("restart", True, "boot-1"),
        ("crash", False, "boot-1"),
        ("reboot", True, "boot-2"),
    ]


async def test_a_restart_tells_nothing_again_and_what_changed_meanwhile_once() -> None:
    device = Device()
    await device.knows(engine_error=LOST)
    await device.killed()
    device.start()
    await device.clock.advance(5)
    await device.killed()
    device.snapshot = Snapshot(rounds=1)
    device.start()
    await device.clock.advance(5)
    await device.ended()

    assert [event for event in device.told if event != "agent-started"] == [
        "engine-lost",
        "engine-back",
    ]


async def test_without_room_nothing_is_lost_that_still_holds() -> None:
    device = Device()
    device.kept.full = True
    await device.knows(engine_error=LOST)
    assert device.told == []

    device.kept.full = False
    await device.clock.advance(LOOK_EVERY_S + SETTLE_S + 1)
    await device.ended()

    assert device.told == ["agent-started", "engine-lost"]


async def test_what_goes_to_and_fro_all_day_is_told_now_and_then() -> None:
    device = Device()
    changes = 0
    for _ in range(600):
        await device.knows(engine_error=None if device.snapshot.engine_error else LOST)
        changes += 1
    await device.ended()

    assert changes > BURST
    assert len(device.told) <= 1 + BURST + changes * (SETTLE_S + 0.1) / EVERY_S + 1
    assert device.told[1:3] == ["engine-lost", "engine-back"]


async def test_what_passes_within_a_moment_is_not_told() -> None:
    device = Device()
    await device.clock.advance(5)
    device.warned = [IotisticError("no room", code="disk-low")]
    device.teller.changed()
    await device.clock.advance(SETTLE_S / 2)
    device.warned = []
    await device.clock.advance(60)
    await device.ended()

    assert device.told == ["agent-started"]
