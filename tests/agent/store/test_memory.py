"""What is known of images and containers, and forgetting it in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iotistic.agent.store.image_table import SAME_IMAGE_MAX
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.planner.world import Attempt, Releases, StepKind, Subject
from tests.agent.store.builders import (
    CANDIDATE,
    GOOD,
    LOCK,
    ONE_SHOT,
    PULLED,
    REJECTED,
    BootClock,
    app,
    changes,
    opened,
)


async def test_when_something_failed_is_kept(tmp_path: Path) -> None:
    subject = Subject(app_id=1001, kind="service", name="1")
    failed = Attempt(
        subject=subject, step=StepKind.PULL, count=1, not_before_s=1001.0, failed_at_ms=17
    )
    async with opened(tmp_path) as store:
        await store.save_attempt(failed)
    async with opened(tmp_path) as store:
        assert await store.attempts() == (failed,)


async def test_what_a_tag_meant_is_known_for_each_release(tmp_path: Path) -> None:
    moved = replace(PULLED, image_id="sha256:2", release_hash="later")
    async with opened(tmp_path) as store:
        await store.images.save(PULLED)
        await store.images.save(moved)
        await store.images.save(replace(moved, image_id="sha256:3"))
    async with opened(tmp_path) as store:
        newest = replace(moved, image_id="sha256:3")
        assert await store.images.pulled() == (PULLED, newest)
        await store.images.forget({"sha256:1", "sha256:unknown"})
        assert await store.images.pulled() == (newest,)


async def test_one_image_of_many_releases_is_remembered_for_the_newest(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for n in range(SAME_IMAGE_MAX + 3):
            await store.images.save(replace(PULLED, release_hash=str(n)))
        kept = [image.release_hash for image in await store.images.pulled()]
        assert kept == [str(n) for n in range(3, SAME_IMAGE_MAX + 3)]


async def test_one_shots_that_ended_well_are_the_ones_that_were_saved_last(tmp_path: Path) -> None:
    other = replace(ONE_SHOT, service_id="4")
    async with opened(tmp_path) as store:
        await store.containers.save_completed({ONE_SHOT})
        await store.containers.save_completed({ONE_SHOT, other})
    async with opened(tmp_path) as store:
        assert await store.containers.completed() == {ONE_SHOT, other}
        await store.containers.save_completed({other})
        assert await store.containers.completed() == {other}


async def test_births_are_forgotten_with_their_containers(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.containers.save_born("c1", {"hostname": "aa"})
        await store.containers.save_born("c1", {"hostname": "ab"})
        await store.containers.save_born("c2", {})
    async with opened(tmp_path) as store:
        assert await store.containers.born() == {"c1": {"hostname": "ab"}, "c2": {}}
        await store.containers.forget_born({"c1", "c3"})
        assert await store.containers.born() == {"c1": {"hostname": "ab"}}


async def test_an_app_that_is_gone_leaves_its_images_to_be_collected_and_its_journal(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        for app_id in (1001, 1002):
            await store.releases.commit(replace(GOOD, app_id=app_id), app())
            await store.releases.begin(replace(CANDIDATE, app_id=app_id))
            await store.releases.reject(replace(REJECTED, app_id=app_id))
            await store.locks.save(replace(LOCK, app_id=app_id))
            await store.images.save(replace(PULLED, app_id=app_id))
            await store.journal.add(
                [JournalEntry(at_ms=1, app_id=app_id, event=JournalEvent.LOCKED)]
            )
        await store.containers.save_completed({ONE_SHOT, replace(ONE_SHOT, app_id=1002)})

        await store.forget_apps({1002, 1003})

        releases = await store.releases.all()
        assert releases == Releases(
            good=(replace(GOOD, app_id=1002),),
            candidates=(replace(CANDIDATE, app_id=1002),),
            rejected=(replace(REJECTED, app_id=1002),),
        )
        assert list(await store.releases.good_documents()) == [1002]
        assert await store.locks.all() == (replace(LOCK, app_id=1002),)
        assert await store.containers.completed() == {replace(ONE_SHOT, app_id=1002)}
        assert len(await store.images.pulled()) == 2
        assert len(await store.journal.of(1001)) == 1


async def test_forgetting_nothing_writes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.containers.save_completed({ONE_SHOT})
        await store.containers.save_born("c1", {})
        await store.images.save(PULLED)
        before = await changes(store)
        await store.forget_apps({1001})
        await store.containers.save_completed({ONE_SHOT})
        await store.containers.forget_born({"c1"})
        await store.images.save(PULLED)
        await store.images.forget(())
        assert await changes(store) == before


async def test_of_a_database_that_breaks_all_that_can_be_read_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.releases.commit(GOOD, app())
        await store.releases.begin(CANDIDATE)
        await store.releases.reject(REJECTED)
        await store.locks.save(LOCK)
        await store.images.save(PULLED)
        await store.containers.save_completed({ONE_SHOT})
        await store.containers.save_born("c1", {"hostname": "aa"})
        await store._database.write(lambda db: db.execute("DROP TABLE step_failure"))
    async with opened(tmp_path, BootClock("boot-2", now_s=5.0)) as store:
        assert "database-corrupt" in [finding.code for finding in store.findings]
        assert await store.releases.all() == Releases(good=(GOOD,), rejected=(REJECTED,))
        assert await store.releases.good_documents() == {1001: app()}
        assert await store.locks.all() == (replace(LOCK, until_s=7205.0, boot_id="boot-2"),)
        assert await store.images.pulled() == (PULLED,)
        assert await store.containers.completed() == {ONE_SHOT}
        assert await store.containers.born() == {"c1": {"hostname": "aa"}}
