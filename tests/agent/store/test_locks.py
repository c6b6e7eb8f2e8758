"""Locks of persons and of the agent: in force for their time, whatever happens meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.store.lock_table import LOCK_SPAN_MAX_S, parse_lock_span_s
from iotistic.model.errors import InvalidField
from iotistic.planner.world import LockOwner
from tests.agent.store.builders import AGENT_LOCK, LOCK, BootClock, opened


@pytest.mark.parametrize(
    ("text", "span_s"),
    [
        ("2h", 7200.0),
        ("30m", 1800.0),
        ("45s", 45.0),
        ("1h30m", 5400.0),
        ("1d", 86400.0),
        ("30d", LOCK_SPAN_MAX_S),
        (" 2H ", 7200.0),
    ],
)
def test_a_span_is_read(text: str, span_s: float) -> None:
    assert parse_lock_span_s(text, "for") == span_s


@pytest.mark.parametrize(
    "text", ["", "0h", "2", "h", "-1h", "1.5h", "30m1h", "31d", "721h", "2 hours", "9" * 30 + "h"]
)
def test_what_is_no_span_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidField, match="for: expected a span from 1s to 30d"):
        parse_lock_span_s(text, "for")


async def test_each_owner_has_one_lock_of_an_app(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.locks.save(LOCK)
        await store.locks.save(AGENT_LOCK)
        longer = replace(LOCK, holder="ben", until_s=None)
        await store.locks.save(longer)
    async with opened(tmp_path) as store:
        assert await store.locks.all() == (AGENT_LOCK, longer)
        await store.locks.remove(1001, LockOwner.PERSON)
        await store.locks.remove(1001, LockOwner.PERSON)
        assert await store.locks.all() == (AGENT_LOCK,)


async def test_a_lock_that_has_run_out_is_none(tmp_path: Path) -> None:
    clock = BootClock(now_s=1000.0)
    async with opened(tmp_path, clock) as store:
        await store.locks.save(LOCK)
        await clock.sleep(7199.0)
        assert await store.locks.all() == (LOCK,)
        await clock.sleep(1.0)
        assert await store.locks.all() == ()


async def test_after_a_reboot_a_person_keeps_what_was_left_and_the_agent_holds_nothing(
    tmp_path: Path,
) -> None:
    clock = BootClock("boot-1", now_s=1000.0)
    async with opened(tmp_path, clock) as store:
        await store.locks.save(LOCK)  # 7200 s
        await store.locks.save(replace(LOCK, app_id=1002, until_s=None))
        await store.locks.save(AGENT_LOCK)
        await clock.sleep(3600.0)
        await store.save_time_left()
    async with opened(tmp_path, BootClock("boot-2", now_s=5.0)) as store:
        one, two = await store.locks.all()
        assert one == replace(LOCK, until_s=5.0 + 3600.0 - 30.0, boot_id="boot-2")
        assert two == replace(LOCK, app_id=1002, until_s=None, boot_id="boot-2")


async def test_a_restart_of_the_agent_alone_changes_no_lock(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.locks.save(LOCK)
        await store.locks.save(AGENT_LOCK)
    async with opened(tmp_path, BootClock(now_s=2000.0)) as store:
        assert await store.locks.all() == (AGENT_LOCK, LOCK)


async def test_a_lock_of_a_service_does_not_belong_here(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(ValueError, match="control folder"):
            await store.locks.save(replace(LOCK, owner=LockOwner.SERVICE))
