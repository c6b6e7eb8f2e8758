"""What a device goes back to, and what it does not try again, outlives everything."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.host.crypto_child import CryptoUnavailable, Operation
from iotistic.agent.store.release_rows import LAST_WORDS_CHARACTERS, REJECTED_MAX
from iotistic.agent.store.store import Store
from iotistic.planner.world import Releases
from tests.agent.store.builders import (
    AGENT_LOCK,
    CANDIDATE,
    GOOD,
    MACHINE,
    REJECTED,
    BootClock,
    app,
    changes,
    codes,
    crypto,
    database_in,
    no_crypto,
    opened,
)


async def test_a_new_device_knows_of_no_releases(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.releases.all() == Releases()
        assert await store.releases.good_documents() == {}


async def test_a_good_release_and_its_app_are_back_to_the_letter(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        assert await store.releases.good_documents() == {1001: app()}
    async with opened(tmp_path) as store:
        assert (await store.releases.all()).good == (GOOD,)
        assert await store.releases.good_documents() == {1001: app()}


async def test_no_secret_of_a_good_release_stands_in_the_clear(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.backup(tmp_path / "backup.sqlite")
        for file in (*database_in(tmp_path).parent.iterdir(), tmp_path / "backup.sqlite"):
            assert b"hunter2" not in file.read_bytes(), file.name


async def test_a_release_that_is_good_is_neither_watched_nor_rejected(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        releases = store.releases
        await releases.begin(CANDIDATE)
        await releases.reject(replace(REJECTED, release_hash=GOOD.release_hash))
        await releases.reject(REJECTED)
        await releases.begin(CANDIDATE)

        await releases.commit(GOOD, app())

        assert await releases.all() == Releases(good=(GOOD,), rejected=(REJECTED,))


async def test_a_release_that_is_rejected_is_not_watched(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.releases.begin(CANDIDATE)
        rejected = replace(REJECTED, release_hash=CANDIDATE.release_hash)
        await store.releases.reject(rejected)
        expected = Releases(good=(GOOD,), rejected=(rejected,))
        assert await store.releases.all() == expected
    async with opened(tmp_path) as store:
        assert await store.releases.all() == expected
        await store.releases.clear_rejections(1001)
        assert await store.releases.all() == Releases(good=(GOOD,))


async def test_only_the_newest_rejections_of_an_app_are_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        other = replace(REJECTED, app_id=1002)
        await store.releases.reject(other)
        for n in range(REJECTED_MAX + 5):
            await store.releases.reject(replace(REJECTED, release_hash=str(n)))
        rejected = (await store.releases.all()).rejected
        assert other in rejected
        hashes = [r.release_hash for r in rejected if r.app_id == 1001]
        assert hashes == [str(n) for n in range(5, REJECTED_MAX + 5)]


async def test_last_words_are_shortened_from_the_front(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        lines = tuple(f"line {n}" for n in range(100))
        await store.releases.reject(replace(REJECTED, last_words=lines))
        await store.releases.reject(
            replace(REJECTED, release_hash="d", last_words=("x" * 20_000, "the end"))
        )
        one, two = (await store.releases.all()).rejected
        assert one.last_words == lines[-50:]
        assert len("\n".join(two.last_words)) == LAST_WORDS_CHARACTERS
        assert two.last_words[-1] == "the end"


async def test_of_two_deadlines_of_a_watched_release_the_later_counts(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.begin(CANDIDATE)
        await store.releases.begin(replace(CANDIDATE, deadline_s=1.0))
        assert (await store.releases.all()).candidates == (CANDIDATE,)
        longer = replace(CANDIDATE, deadline_s=9999.0)
        await store.releases.begin(longer)
        assert (await store.releases.all()).candidates == (longer,)
        another = replace(CANDIDATE, release_hash="e", deadline_s=9999.0)
        await store.releases.begin(another)
        assert (await store.releases.all()).candidates == (another,)
        await store.releases.drop_candidate(1001)
        assert await store.releases.all() == Releases()


async def test_after_a_reboot_a_watched_release_has_the_time_it_had_left(tmp_path: Path) -> None:
    clock = BootClock("boot-1", now_s=1000.0)
    async with opened(tmp_path, clock) as store:
        await store.releases.begin(CANDIDATE)  # 300 s
        await clock.sleep(100.0)
        await store.save_time_left()
    rebooted = BootClock("boot-2", now_s=5.0)
    async with opened(tmp_path, rebooted) as store:
        (candidate,) = (await store.releases.all()).candidates
        assert candidate.deadline_s == 5.0 + 200.0 - 30.0
        await rebooted.sleep(10_000.0)
    # Only the agent was away: nobody watched meanwhile, and most of the time is kept.
    async with opened(tmp_path, rebooted) as store:
        (candidate,) = (await store.releases.all()).candidates
        assert candidate.deadline_s == pytest.approx(10_005.0 + 0.8 * 170.0)


async def test_a_release_that_makes_the_device_boot_again_and_again_runs_out_of_time(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.releases.begin(CANDIDATE)
    for boot in range(2, 13):
        async with opened(tmp_path, BootClock(f"boot-{boot}", now_s=4.0)) as store:
            await store.save_time_left()
    async with opened(tmp_path, BootClock("boot-13", now_s=4.0)) as store:
        assert [c.deadline_s for c in (await store.releases.all()).candidates] == [4.0]


async def test_time_left_is_written_seldom_and_only_if_time_runs(tmp_path: Path) -> None:
    clock = BootClock()
    async with opened(tmp_path, clock) as store:
        await store.locks.save(AGENT_LOCK)
        await clock.sleep(60.0)
        before = await changes(store)
        await store.save_time_left()
        assert await changes(store) == before
        await clock.sleep(60.0)
        await store.releases.begin(CANDIDATE)
        begun = await changes(store)
        await store.save_time_left()
        written = await changes(store)
        assert written > begun
        await clock.sleep(29.0)
        await store.save_time_left()
        assert await changes(store) == written


async def test_looking_again_costs_no_reading_and_no_child_process(tmp_path: Path) -> None:
    calls = []

    async def counted(operation: Operation, payload: Mapping[str, Any], /) -> Mapping[str, Any]:
        calls.append(operation)
        return await crypto(operation, payload)

    path = database_in(tmp_path)
    async with Store.open(path, BootClock(), crypto=crypto, machine=MACHINE) as store:
        await store.releases.commit(GOOD, app())
        await store.releases.commit(replace(GOOD, app_id=1002), app())
    async with Store.open(path, BootClock(), crypto=counted, machine=MACHINE) as store:
        for _ in range(3):
            assert len(await store.releases.good_documents()) == 2
        assert calls == ["open"]
        assert await store.releases.all() is await store.releases.all()
        await store.releases.commit(replace(GOOD, release_hash="f"), app())
        assert calls == ["open"]  # the same app under a new name needs no sealing
        await store.releases.commit(GOOD, app("web:2"))
        assert calls == ["open", "seal"]
        assert (await store.releases.good_documents())[1001] == app("web:2")
        assert calls == ["open", "seal"]


async def test_without_a_child_process_nothing_is_stored_half(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.begin(CANDIDATE)
    path = database_in(tmp_path)
    async with Store.open(path, BootClock(), crypto=no_crypto, machine=MACHINE) as store:
        with pytest.raises(CryptoUnavailable):
            await store.releases.commit(GOOD, app())
        known = await store.releases.all()
        assert (known.good, [c.release for c in known.candidates]) == ((), [CANDIDATE.release])
        plain = {"services": [{"imageName": "web:1"}]}
        await store.releases.commit(GOOD, plain)
        assert await store.releases.good_documents() == {1001: plain}


async def test_a_release_that_cannot_be_opened_any_more_does_not_take_others_along(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
    (database_in(tmp_path).parent / "database.key").unlink()
    async with opened(tmp_path) as store:
        await store.releases.commit(replace(GOOD, app_id=1002), app())
    async with opened(tmp_path) as store:
        assert await store.releases.good_documents() == {1002: app()}
        assert codes(store) == ["good-release-unreadable"]
        await store.releases.commit(GOOD, app())
        assert await store.releases.good_documents() == {1001: app(), 1002: app()}


async def test_a_sealed_value_does_not_open_in_another_app(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
    with sqlite3.connect(database_in(tmp_path)) as db:
        db.execute("UPDATE release_good SET app_id = 1002")
    db.close()
    async with opened(tmp_path) as store:
        assert await store.releases.good_documents() == {}
        assert codes(store) == ["good-release-unreadable"]


async def test_an_app_that_a_dying_disk_changed_is_not_gone_back_to(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.change_settings({"LOG_LEVEL": "debug"})
    with sqlite3.connect(database_in(tmp_path)) as db:
        db.execute("UPDATE release_good SET document = replace(document, 'web:1', 'wea:1')")
    db.close()
    async with opened(tmp_path) as store:
        assert "database-corrupt" in codes(store)
        assert await store.releases.good_documents() == {}
        assert await store.settings() == {"LOG_LEVEL": "debug"}


async def test_what_was_read_before_a_restore_does_not_count_after_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.backup(tmp_path / "backup.sqlite")
        await store.releases.commit(replace(GOOD, release="newer"), app("web:2"))
        await store.releases.reject(REJECTED)
        await store.restore(tmp_path / "backup.sqlite")
        assert await store.releases.all() == Releases(good=(GOOD,))
        assert await store.releases.good_documents() == {1001: app()}


async def test_a_wiped_device_has_no_releases(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.wipe(keep_identity=True, spent_key_hash=None)
        assert await store.releases.all() == Releases()
        assert await store.releases.good_documents() == {}


async def test_another_device_has_no_releases_of_this_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.releases.begin(CANDIDATE)
        await store.releases.reject(REJECTED)
        renewed = replace(store.identity, uuid="11111111-2222-4333-8444-555555555555")
        await store.save_identity(renewed)
        assert await store.releases.all() == Releases()
        assert await store.releases.good_documents() == {}
