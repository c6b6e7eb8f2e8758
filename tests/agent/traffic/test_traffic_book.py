"""The account of traffic: by day, over restarts, in a file that may be damaged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.logs import LogBook
from iotistic.agent.traffic import DAYS_KEPT, Stage, Traffic, TrafficBook, load_days
from iotistic.agent.traffic.days import (
    Days,
    day_of,
    decode_days,
    elapsed_share,
    encode_days,
    projected_bytes,
)
from iotistic.agent.traffic.traffic_book import TRAFFIC_FILE
from tests.agent.virtual_clock import VirtualClock

NOON_MS = 1_781_524_800_000  # 2026-06-15, 12:00 UTC
DAY_S = 86_400.0
COUNTS = st.dictionaries(
    st.sampled_from(["poll", "report", "logs"]),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
    max_size=3,
)
DATES = st.dates(date(2000, 1, 1), date(2090, 12, 31))


@dataclass
class Account:
    """A device's account in a folder, as one run of the agent has it."""

    folder: Path
    clock: VirtualClock
    budget_mb: int = 0
    changes: list[Stage] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[TrafficBook]:
        days, self.error = await asyncio.to_thread(load_days, self.folder, self.clock.wall_ms())
        self.traffic = Traffic()
        log = LogBook(self.clock).logger()
        book = TrafficBook(
            folder=self.folder,
            days=days,
            traffic=self.traffic,
            budget_mb=lambda: self.budget_mb,
            on_change=lambda: self.changes.append(book.allowance.stage),
            clock=self.clock,
            log=log,
        )
        task = asyncio.create_task(book.run())
        try:
            await self.clock.settled()
            yield book
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    clock = VirtualClock(sleepers=1)
    clock.wall_offset_ms = NOON_MS - int(clock.now_s() * 1000)
    return Account(tmp_path, clock)


def today(book: TrafficBook) -> dict[str, Any]:
    found: dict[str, Any] = book.as_json(days=1)["today"]
    return found


async def test_what_went_is_counted_over_restarts_and_by_day(account: Account) -> None:
    async with account.opened() as book:
        account.traffic.count("poll", sent=300, received=150)
        assert today(book)["purposes"] == {"poll": {"sent": 300, "received": 150}}
        await account.clock.advance(DAY_S)
        account.traffic.count("poll", sent=1, received=2)

    async with account.opened() as book:
        account.traffic.count("report", sent=10)
        found = book.as_json(days=3)

    assert found["today"]["bytes"] == 13
    assert found["month"]["bytes"] == 463
    assert [(day["day"], day["bytes"]) for day in found["days"]] == [
        ("2026-06-15", 450),
        ("2026-06-16", 13),
    ]


async def test_a_crash_loses_minutes_and_no_more(account: Account, tmp_path: Path) -> None:
    async with account.opened():
        account.traffic.count("poll", sent=300)
        await account.clock.advance(11 * 60)
        account.traffic.count("poll", sent=7)
        async with asyncio.timeout(10):
            while not await asyncio.to_thread((tmp_path / TRAFFIC_FILE).exists):
                await account.clock.settled()
        at_the_crash, _ = await asyncio.to_thread(load_days, tmp_path, 0)

    assert at_the_crash.of_day(date(2026, 6, 15)) == {"poll": (300, 0)}


@pytest.mark.parametrize("content", [b"", b"{", b'{"since_ms":1,"days":{"monday":{}}}', b"\xff"])
async def test_a_damaged_account_begins_anew(
    account: Account, tmp_path: Path, content: bytes
) -> None:
    await asyncio.to_thread((tmp_path / TRAFFIC_FILE).write_bytes, content)

    async with account.opened() as book:
        account.traffic.count("poll", sent=5)
        assert today(book)["bytes"] == 5

        assert account.error is not None
    async with account.opened():
        assert account.error is None


async def test_a_budget_that_is_used_up_is_told_and_holds_until_the_month_ends(
    account: Account,
) -> None:
    account.budget_mb = 1
    async with account.opened() as book:
        account.traffic.count("logs", sent=1_000_000)
        await account.clock.advance(61)
        (warning,) = book.warnings()
        stage = book.allowance.stage
        await account.clock.advance(16 * DAY_S)

        assert (warning.code, stage) == ("traffic-budget", Stage.EXHAUSTED)
        assert book.warnings() == ()
        assert account.changes == [Stage.EXHAUSTED, Stage.FREE]


def test_a_month_goes_on_as_it_went() -> None:
    days = Days(NOON_MS - 10 * 86_400_000).plus(date(2026, 6, 14), {"poll": (600, 400)})

    found = projected_bytes(days, NOON_MS)

    assert found == pytest.approx(1000 + 1000 / 10 * 15.5, abs=1)


@given(st.lists(st.tuples(DATES, COUNTS), max_size=100))
def test_so_many_days_are_kept_and_today_always(
    counted: list[tuple[date, dict[str, tuple[int, int]]]],
) -> None:
    days = Days(0)
    for day, found in counted:
        days = days.plus(day, found)
        assert len(days.days) <= DAYS_KEPT
        assert days.of_day(day).keys() >= found.keys()

    assert decode_days(encode_days(days)) == days


@given(st.integers(-(10**15), 10**17))
def test_any_clock_has_a_day_and_a_share_of_a_month(wall_ms: int) -> None:
    assert isinstance(day_of(wall_ms), date)
    assert 0.0 <= elapsed_share(wall_ms) <= 1.0
