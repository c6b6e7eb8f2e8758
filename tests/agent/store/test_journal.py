"""The journal tells the newest of what happened, and never grows without bound."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from iotistic.agent.store.journal_table import ENTRIES_MAX, OF_APP_MAX, read, write
from iotistic.agent.store.migrations import migrate
from iotistic.agent.store.records import JournalEntry, JournalEvent
from tests.agent.store.builders import opened

DONE = JournalEntry(
    at_ms=1,
    app_id=1001,
    event=JournalEvent.STEP_DONE,
    service_id="1",
    service_name="web",
    release="r1",
    reason="image differs",
    detail={"step": "stop", "differences": [{"field": "image", "wanted": "2", "found": "1"}]},
)
GOOD = JournalEntry(at_ms=2, app_id=1001, event=JournalEvent.RELEASE_GOOD, release="r1")


async def test_what_happened_is_told_newest_first_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.journal.add([DONE, GOOD])
        await store.journal.add([replace(DONE, service_id="2")])
        await store.journal.add([])
    async with opened(tmp_path) as store:
        assert await store.journal.of(1001) == (
            replace(DONE, service_id="2", id=3),
            replace(GOOD, id=2),
            replace(DONE, id=1),
        )
        assert [e.id for e in await store.journal.of(1001, "1")] == [2, 1]
        assert [e.id for e in await store.journal.of(1001, limit=1)] == [3]
        assert await store.journal.of(1002) == ()


async def test_an_entry_is_small_and_without_secrets(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.journal.add(
            [
                replace(DONE, reason="x" * 5000, detail={"environment": {"A": "hunter2"}}),
                replace(DONE, detail={"much": "x" * 100_000}),
            ]
        )
        second, first = await store.journal.of(1001)
        assert len(first.reason) == 1000
        assert first.detail == {"environment": {"A": "***"}}
        assert second.detail == {"shortened": True}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 15), st.integers(1, 500)), min_size=1, max_size=15))
def test_the_newest_entries_of_each_app_and_of_all_are_kept_in_order(
    batches: list[tuple[int, int]],
) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db)
    expected: list[tuple[int, int]] = []
    number = 0
    for app_id, count in batches:
        entries = [replace(DONE, app_id=app_id, at_ms=number + n) for n in range(count)]
        write(db, entries)
        expected += [(app_id, number + n) for n in range(count)]
        number += count
        of_app = [entry for entry in expected if entry[0] == app_id][-OF_APP_MAX:]
        expected = [entry for entry in expected if entry[0] != app_id or entry in of_app]
        expected = expected[-ENTRIES_MAX:]
    for app_id in range(1, 16):
        found = [(e.app_id, e.at_ms) for e in read(db, app_id, None, ENTRIES_MAX)]
        assert found == [entry for entry in expected if entry[0] == app_id][::-1]
    db.close()
