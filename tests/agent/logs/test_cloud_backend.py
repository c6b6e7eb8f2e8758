"""The agent's own log on its way to the cloud."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec
import pytest

from iotistic.agent.logs import LogBook, LogLevel
from iotistic.agent.logs.cloud_backend import CARRIER_EVERY_S, CloudLogBackend, CloudLogSettings
from iotistic.agent.logs.lines import LINE_BYTES_MAX, fitting
from iotistic.model.errors import CloudUnavailable
from iotistic.model.records import RecordClass
from iotistic.model.secret import Secret
from iotistic.model.words import LogComponent
from tests.agent.virtual_clock import VirtualClock

ALL = dict.fromkeys(LogLevel, 1.0)


class Offered:
    """An outbox that remembers."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def offer(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> None:
        assert record_class is RecordClass.LOG
        assert at_ms == data["timestamp"]
        self.lines.append(data)

    @property
    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines]


class Device:
    """A log, and what the cloud gets of it."""

    def __init__(
        self,
        *,
        shares: Mapping[LogLevel, float] = ALL,
        seed: int = 1,
        level: LogLevel = LogLevel.DEBUG,
        records_max: int = 1000,
    ) -> None:
        self.clock = VirtualClock()
        self.book = LogBook(self.clock, level=level, records_max=records_max)
        self.settings = CloudLogSettings(enabled=True, shares=shares)
        self.offered = Offered()
        self.errors: list[int] = []
        self.backend = CloudLogBackend(
            self.book,
            self.offered,
            settings=lambda: self.settings,
            carriers=frozenset([LogComponent.CLOUD_SYNC]),
            on_error=lambda: self.errors.append(1),
            clock=self.clock,
            rng=Random(seed),
        )

    async def running(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.backend.run())
        await self.turn()
        return task

    async def turn(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def handed_over(device: Device) -> list[Mapping[str, Any]]:
    task = await device.running()
    await device.turn()
    task.cancel()
    await asyncio.wait([task])
    return device.offered.lines


async def test_a_line_has_the_form_of_the_wire() -> None:
    device = Device()
    log = device.book.logger().bind(component=LogComponent.DATABASE, operation="open", path="x")
    log.error("could not", error=CloudUnavailable("no answer"), attempt=2)

    (line,) = await handed_over(device)

    assert line == {
        "message": "could not",
        "timestamp": device.clock.wall_ms(),
        "level": "error",
        "source": {"type": "system", "name": "iotistic-agent"},
        "component": "database",
        "operation": "open",
        "context": {"path": "x", "attempt": 2},
        "error": {"code": "cloud-unavailable", "message": "no answer"},
        "isSystem": True,
        "boot": "boot-1",
    }


async def test_what_was_said_before_it_ran_and_at_the_very_end_is_handed_over_too() -> None:
    device = Device()
    device.book.logger().info("early")
    task = await device.running()
    device.book.logger().info("between")
    await device.turn()
    device.book.logger().info("last")
    task.cancel()
    await asyncio.wait([task])

    assert device.offered.messages == ["early", "between", "last"]


async def test_each_level_has_its_share_and_what_is_left_out_is_counted() -> None:
    device = Device(shares={**ALL, LogLevel.DEBUG: 0.1, LogLevel.INFO: 0.5})
    task = await device.running()
    for number in range(400):
        log = device.book.logger()
        for level, say in ((0, log.debug), (1, log.info), (2, log.warning)):
            say(f"message {number} of {level}")
        await device.turn()
    task.cancel()
    await asyncio.wait([task])

    by_level = dict.fromkeys(LogLevel, 0)
    for line in device.offered.lines:
        by_level[LogLevel(line["level"])] += 1
    assert 20 <= by_level[LogLevel.DEBUG] <= 65
    assert 160 <= by_level[LogLevel.INFO] <= 240
    assert by_level[LogLevel.WARN] == 400
    counts = device.backend.counts()
    assert counts["handedOver"] == len(device.offered.lines)
    assert counts["sampledOut"]["debug"] == 400 - by_level[LogLevel.DEBUG]
    assert counts["sampledOut"]["info"] == 400 - by_level[LogLevel.INFO]


async def test_the_same_seed_leaves_out_the_same_lines() -> None:
    taken = []
    for seed in (7, 7, 8):
        device = Device(shares={**ALL, LogLevel.INFO: 0.5}, seed=seed)
        for number in range(60):
            device.book.logger().info(f"message {number}")
        await handed_over(device)
        taken.append(device.offered.messages)

    assert taken[0] == taken[1] != taken[2]


async def test_a_change_of_settings_counts_at_once() -> None:
    device = Device()
    task = await device.running()
    device.book.logger().info("one")
    await device.turn()
    device.settings = CloudLogSettings(enabled=False, shares=ALL)
    device.book.logger().info("two")
    await device.turn()
    device.settings = CloudLogSettings(enabled=True, shares=ALL)
    device.book.logger().info("three")
    await device.turn()
    task.cancel()

    assert device.offered.messages == ["one", "three"]


async def test_what_went_out_of_memory_unread_is_counted() -> None:
    device = Device(records_max=10)
    for number in range(25):
        device.book.logger().info(f"message {number}")

    lines = await handed_over(device)

    assert len(lines) == 10
    assert device.backend.counts()["missed"] == 15


async def test_an_upload_that_fails_and_says_so_does_not_feed_itself() -> None:
    """Whoever carries records says something for every line that it is handed."""
    device = Device()
    carrier = device.book.logger().bind(component=LogComponent.CLOUD_SYNC)
    task = await device.running()
    device.book.logger().info("the first line")
    answered = 0
    for _ in range(500):
        await device.turn()
        for _line in device.offered.lines[answered:]:
            carrier.debug("sending")
            carrier.info("sent")
            carrier.warning("upload failed", attempt=answered)
        answered = len(device.offered.lines)
    quiet_after = len(device.offered.lines)
    device.clock._now_s += CARRIER_EVERY_S
    carrier.warning("upload failed", attempt=answered)
    await device.turn()
    task.cancel()

    assert quiet_after == 2
    assert device.offered.messages == ["the first line", "upload failed", "upload failed"]
    assert device.backend.counts()["heldBack"] == 5


async def test_an_error_is_told_of_at_once_unless_it_is_about_the_way_to_the_cloud() -> None:
    device = Device()
    device.book.logger().warning("no error")
    device.book.logger().bind(component=LogComponent.CLOUD_SYNC).error("no way")
    await handed_over(device)
    before = len(device.errors)
    device.book.logger().error("an error")
    await handed_over(device)

    assert (before, len(device.errors)) == (0, 1)


async def test_a_line_with_too_much_around_it_still_fits_into_a_record() -> None:
    device = Device()
    device.book.logger().warning("much", items=[["x" * 1999] * 49] * 20)

    (line,) = await handed_over(device)

    assert line["message"] == "much"
    assert len(json.dumps(line)) < LINE_BYTES_MAX


@pytest.mark.parametrize(
    "text", ["x" * 70_000, "\x1b" * 70_000, "ä€" * 40_000, "x" * 50_000 + '"' * 20_000]
)
def test_a_long_message_is_cut_so_that_it_fits_as_json(text: str) -> None:
    message, cut = fitting(text)

    assert cut
    assert 0.5 * LINE_BYTES_MAX < len(msgspec.json.encode(message)) <= LINE_BYTES_MAX
    assert fitting(message) == (message, False)


async def test_no_secret_leaves_the_device() -> None:
    device = Device()
    device.book.learn(Secret("s3cr3t-key-0123"))
    device.book.logger().error("told s3cr3t-key-0123", error=ValueError("s3cr3t-key-0123"), key="k")

    assert "s3cr3t" not in json.dumps([dict(line) for line in await handed_over(device)])
