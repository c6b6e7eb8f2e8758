from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from iotistic.agent.logs import LogBook, LogFormat, LogLevel
from iotistic.agent.logs.rate import BURST, WINDOW_S
from iotistic.model.errors import CloudUnavailable
from iotistic.model.secret import Secret
from iotistic.model.words import LogComponent
from tests.agent.virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def messages(book: LogBook) -> list[str]:
    return [record["message"] for record in book.records()]


def test_a_record_says_who_what_and_when(clock: VirtualClock) -> None:
    book = LogBook(clock)
    log = book.logger().bind(component=LogComponent.CLOUD_SYNC, channel="poll")

    log.warning("poll failed", attempt=3)

    assert book.records() == [
        {
            "seq": 1,
            "timestamp": clock.wall_ms(),
            "level": "warn",
            "component": "cloudSync",
            "message": "poll failed",
            "context": {"channel": "poll", "attempt": 3},
        }
    ]


def test_what_a_component_was_about_is_a_part_of_its_own(clock: VirtualClock) -> None:
    output = io.StringIO()
    book = LogBook(clock, output=output, form=LogFormat.TEXT)
    log = book.logger().bind(component=LogComponent.CLOUD_SYNC, operation="poll")

    with book:
        log.info("unchanged", version=7)

    (record,) = book.records()
    assert record["operation"] == "poll"
    assert record["context"] == {"version": 7}
    assert "info  cloudSync.poll: unchanged  version=7" in output.getvalue()


def test_what_is_below_the_level_is_left_out_and_the_level_may_change(
    clock: VirtualClock,
) -> None:
    book = LogBook(clock, level=LogLevel.WARN)
    log = book.logger()

    log.info("left out")
    book.level = LogLevel.DEBUG
    log.debug("kept")

    assert messages(book) == ["kept"]


def test_only_the_newest_records_are_kept(clock: VirtualClock) -> None:
    book = LogBook(clock, records_max=3)

    for number in range(5):
        book.logger().info(f"message {number}")

    assert [record["seq"] for record in book.records()] == [3, 4, 5]


def test_a_message_gone_wild_is_held_back_and_counted(clock: VirtualClock) -> None:
    book = LogBook(clock)
    log = book.logger()

    for _ in range(BURST + 7):
        log.warning("again")
    log.info("something else")
    clock._now_s += WINDOW_S
    log.info("later")

    assert messages(book).count("again") == BURST
    assert messages(book)[-3:] == ["something else", "more of the same, held back", "later"]
    assert book.records()[-2]["context"] == {"about": "again", "more": 7, "within_s": 60}


def test_an_error_of_ours_is_its_code_and_cause_another_brings_its_stack(
    clock: VirtualClock,
) -> None:
    book = LogBook(clock)
    ours = CloudUnavailable("no answer")
    ours.__cause__ = ConnectionResetError("reset")
    book.logger().warning("poll failed", error=ours)
    with pytest.raises(ValueError, match="odd") as raised:
        int("odd")
    book.logger().error("service crashed", error=raised.value)

    known, unknown = (record["context"]["error"] for record in book.records())
    assert known == {
        "code": "cloud-unavailable",
        "message": "no answer",
        "cause": "ConnectionResetError: reset",
    }
    assert unknown["type"] == "ValueError"
    assert "test_book.py" in unknown["stack"]


def test_what_libraries_say_is_recorded_while_entered(clock: VirtualClock) -> None:
    book = LogBook(clock)
    library = logging.getLogger("some.library")

    with book:
        library.warning("took %s", "long")
        library.info("not of interest")
        library.error("failed")
    library.warning("nobody listens")

    assert messages(book) == ["took long", "failed"]
    assert book.records()[0]["context"] == {"library": "some.library"}


@pytest.mark.parametrize("form", LogFormat)
def test_a_record_is_one_line_whatever_is_in_it(clock: VirtualClock, form: LogFormat) -> None:
    output = io.StringIO()

    with LogBook(clock, output=output, form=form) as book:
        book.logger().info("said\nfaked", text='a "b"\r\n2030-01-01 faked', bell="\x1b[2J", n=1)

    lines = output.getvalue().splitlines()
    assert len(lines) == 1
    assert "\x1b" not in lines[0]
    if form is LogFormat.JSON:
        assert json.loads(lines[0])["context"]["n"] == 1
    else:
        assert "info  agent: said\\u000afaked" in lines[0]


class StuckStream(io.StringIO):
    """Nobody reads at the other end."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.released.wait()
        return super().write(text)


def test_an_output_that_hangs_stops_nobody_and_what_is_lost_is_counted(
    clock: VirtualClock,
) -> None:
    output = StuckStream()
    book = LogBook(clock, output=output, level=LogLevel.DEBUG)

    with book:
        for number in range(5000):
            book.logger().debug("much to say", number=number)
        assert len(book.records()) == 1000
        assert book.dropped > 2000
        output.released.set()

    assert "log records dropped" in output.getvalue()


def test_an_output_that_was_closed_harms_nobody(clock: VirtualClock) -> None:
    output = io.StringIO()
    output.close()

    with LogBook(clock, output=output) as book:
        book.logger().info("into the void")

    assert messages(book) == ["into the void"]
    assert book.dropped == 1


async def test_a_follower_gets_each_record_once_also_from_another_thread(
    clock: VirtualClock,
) -> None:
    book = LogBook(clock)
    book.logger().info("before")
    follower = book.follow(after_seq=0)

    assert (await _next(follower))["message"] == "before"
    following = asyncio.ensure_future(_next(follower))
    await asyncio.to_thread(book.logger().info, "from a thread")
    assert (await following)["message"] == "from a thread"
    book.logger().info("one")
    book.logger().info("two")
    assert [(await _next(follower))["message"] for _ in range(2)] == ["one", "two"]


async def _next(follower: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async with asyncio.timeout(5):
        return await anext(follower)


def test_a_learned_secret_never_shows_again(clock: VirtualClock) -> None:
    output = io.StringIO()

    with LogBook(clock, output=output) as book:
        book.learn(Secret("s3cr3t-key-0123"))
        book.logger().error("told by s3cr3t-key-0123", why="url?key=s3cr3t-key-0123&x=1")

    assert "s3cr3t" not in output.getvalue() + str(book.records())
