"""A file that is broken, newer, removed, unreadable or on a full disk ends nothing."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from iotistic.agent.outbox import DropReason, Outbox
from iotistic.agent.outbox.layout import VERSION
from iotistic.agent.store.errors import DatabaseUnavailable, DatabaseUnusable, DiskFull
from iotistic.model.records import RecordClass
from tests.agent.outbox.builders import EVERYTHING, all_waiting, opened

LOG, EVENT = RecordClass.LOG, RecordClass.EVENT
PAGE = 4096


def database(folder: Path) -> Path:
    return folder / "outbox.sqlite"


def set_aside(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.iterdir()
        if not path.name.endswith(("-wal", "-shm")) and path != database(folder)
    )


async def filled(folder: Path, many: int = 400) -> None:
    async with opened(folder) as outbox:
        await outbox.put_all(
            LOG, [(1, {"n": n, "text": "x" * 100}) for n in range(many)], cursor=("web", "7")
        )
        await outbox.put(EVENT, {"n": -1})


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def no_database(file: Path) -> None:
    file.write_bytes(b"This is no database. " * 300)


def a_page_overwritten(file: Path) -> None:
    content = bytearray(file.read_bytes())
    place = len(content) // PAGE // 2 * PAGE
    content[place : place + PAGE] = Random(1).randbytes(PAGE)
    file.write_bytes(content)


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2 + 100])


def another_programs(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE notes (text)")


@pytest.mark.parametrize(
    ("damage", "some_left"),
    [
        (zeroed, False),
        (no_database, False),
        (a_page_overwritten, True),
        (truncated, True),
        (another_programs, False),
    ],
)
async def test_a_broken_file_is_set_aside_and_what_can_be_read_of_it_is_kept(
    tmp_path: Path, damage: Callable[[Path], None], some_left: bool
) -> None:
    await filled(tmp_path)
    damage(database(tmp_path))

    async with opened(tmp_path) as outbox:
        (finding,) = outbox.findings
        left = [data["n"] for data in await all_waiting(outbox, LOG)]
        found = outbox.ledger()[LOG]
        put = await outbox.put(LOG, {"n": 1000})

    assert finding.code == "outbox-corrupt"
    assert set_aside(tmp_path)[0].startswith("outbox.sqlite.corrupt-")
    assert left == sorted(left)
    assert bool(left) == some_left
    assert found.balanced
    assert found.dropped.get(DropReason.CORRUPT, 0) in (0, 400 - len(left))
    assert put.seq == 1
    async with opened(tmp_path) as outbox:
        assert outbox.findings == ()


async def test_records_that_outlive_damage_keep_their_ids(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with opened(tmp_path) as outbox:
        before = await outbox.take({LOG}, records_max=1000, bytes_max=10**7)
    a_page_overwritten(database(tmp_path))
    async with opened(tmp_path) as outbox:
        after = await outbox.take({LOG}, records_max=1000, bytes_max=10**7)

    assert before is not None
    assert after is not None
    assert set(map(str, after.records)) <= set(map(str, before.records))


async def test_a_file_that_breaks_while_in_use_is_healed_and_the_caller_notices_nothing(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put_all(LOG, [(1, {"n": n, "text": "x" * 100}) for n in range(2000)])
        await make_unreadable(outbox, tmp_path)

        put = await outbox.put(EVENT, {"n": 1})
        left = await all_waiting(outbox, LOG)

        ledger = outbox.ledger()
        assert [finding.code for finding in outbox.findings] == ["outbox-corrupt"]
        assert put.seq == 1
        assert await all_waiting(outbox, EVENT) == [{"n": 1}]
        assert ledger[LOG].written == 2000
        assert ledger[LOG].waiting == len(left)
        assert all(found.balanced for found in ledger.values())


async def make_unreadable(outbox: Outbox, folder: Path) -> None:
    """Overwrite the file in use behind SQLite's back, all but its first page."""

    def overwrite() -> None:
        connection = outbox._file._connection
        assert connection is not None
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute("PRAGMA shrink_memory")
        connection.execute("PRAGMA cache_size = 0")
        with database(folder).open("r+b") as file:
            file.seek(PAGE)
            file.write(b"\xff" * PAGE * 40)

    await outbox._worker.run(overwrite)


async def test_a_file_that_is_removed_while_in_use_is_made_anew_and_the_loss_counted(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put_all(LOG, [(1, {"n": n}) for n in range(5)])
        for path in list_of(tmp_path):
            path.unlink()

        await outbox.put(LOG, {"n": 5})

        assert [finding.code for finding in outbox.findings] == ["outbox-removed"]
        assert outbox.ledger()[LOG].dropped == {DropReason.CORRUPT: 5}
        assert outbox.ledger()[LOG].balanced
    async with opened(tmp_path) as outbox:
        assert await all_waiting(outbox, LOG) == [{"n": 5}]


def list_of(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_file_of_a_newer_agent_is_set_aside_untouched(tmp_path: Path) -> None:
    await filled(tmp_path)
    with closing(sqlite3.connect(database(tmp_path))) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    content = database(tmp_path).read_bytes()

    async with opened(tmp_path) as outbox:
        assert [finding.code for finding in outbox.findings] == ["outbox-newer"]
        assert await all_waiting(outbox, LOG) == []
        await outbox.put(LOG, {"n": 1})

    (aside,) = set_aside(tmp_path)
    assert (tmp_path / aside).read_bytes() == content


async def test_no_more_than_two_broken_files_are_kept(tmp_path: Path) -> None:
    for _ in range(4):
        await filled(tmp_path)
        no_database(database(tmp_path))
    async with opened(tmp_path):
        pass

    assert len(set_aside(tmp_path)) == 2


async def test_a_log_of_a_file_that_is_gone_is_not_taken_for_the_new_ones(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put(LOG, {"n": 1})
        shutil.copy(f"{database(tmp_path)}-wal", tmp_path / "kept")
    database(tmp_path).unlink()
    (tmp_path / "kept").rename(f"{database(tmp_path)}-wal")

    async with opened(tmp_path) as outbox:
        assert await all_waiting(outbox, LOG) == []
        assert outbox.findings == ()


async def test_without_a_usable_place_the_outbox_opens_and_recovers_later(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file where a folder should be")
    async with opened(folder) as outbox:
        outbox.offer(LOG, {"n": 1})
        with pytest.raises((DatabaseUnavailable, DatabaseUnusable)):
            await outbox.put(LOG, {"n": 2})
        with pytest.raises((DatabaseUnavailable, DatabaseUnusable)):
            await outbox.take(EVERYTHING, records_max=1, bytes_max=1)

        folder.unlink()
        await outbox.put(LOG, {"n": 3})

        assert await all_waiting(outbox, LOG) == [{"n": 1}, {"n": 3}]


async def test_on_a_full_disk_everything_can_still_be_cleared(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put_all(LOG, [(1, {"n": n}) for n in range(500)])
        await limit_pages(outbox)
        with pytest.raises(DiskFull):
            await outbox.put_all(LOG, [(1, {"text": "x" * 9000})] * 50)
        before = outbox.ledger()[LOG]

        assert await outbox.clear(None, DropReason.DISK_FULL) == 500

        after = outbox.ledger()[LOG]
        assert (before.waiting, after.waiting) == (500, 0)
        assert after.dropped == {DropReason.DISK_FULL: 500}
        assert after.balanced
        await outbox.put(LOG, {"n": 1})


async def limit_pages(outbox: Outbox) -> None:
    """SQLite's own way of having no room left."""

    def limit() -> None:
        connection = outbox._file._connection
        assert connection is not None
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await outbox._worker.run(limit)


async def test_what_was_offered_waits_for_room_on_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as outbox:
        await outbox.put(LOG, {"n": 0})
        await limit_pages(outbox)
        outbox.offer(LOG, {"n": 1, "text": "x" * 30_000})
        with pytest.raises(DiskFull):
            await outbox.put(LOG, {"n": 2, "text": "x" * 30_000})
        await make_room(outbox)
        await outbox.put(LOG, {"n": 3})

        assert [data["n"] for data in await all_waiting(outbox, LOG)] == [0, 1, 3]


async def make_room(outbox: Outbox) -> None:
    def unlimited() -> None:
        connection = outbox._file._connection
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 1000000").fetchone()

    await outbox._worker.run(unlimited)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(500))
def test_any_damage_ends_in_an_outbox_that_works(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    asyncio.run(filled(tmp_path, many=rng.choice([0, 3, 200])))
    file = database(tmp_path)
    content = bytearray(file.read_bytes())
    match rng.randrange(4):
        case 0:
            del content[rng.randrange(len(content)) :]
        case 1:
            place = rng.randrange(len(content))
            content[place : place + PAGE] = rng.randbytes(PAGE)
        case 2:
            place = rng.randrange(0, len(content), PAGE)
            content[place : place + PAGE] = bytes(PAGE)
        case _:
            for _ in range(rng.randint(1, 30)):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)
    asyncio.run(check_it_works(tmp_path))


async def check_it_works(folder: Path) -> None:
    async with opened(folder) as outbox:
        for kind in EVERYTHING:
            await all_waiting(outbox, kind)
        put = await outbox.put(EVENT, {"n": 1})
        await outbox.acknowledge(EVENT, {put.epoch: put.seq})
        await outbox.dead_letters()
        assert all(found.balanced for found in outbox.ledger().values())
