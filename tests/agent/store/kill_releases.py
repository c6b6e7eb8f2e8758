"""What is done to releases in the sweep of `kill_sweep`, and what must hold afterwards."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from tests.agent.killing import Scenario
from tests.agent.store.builders import (
    CANDIDATE,
    GOOD,
    LOCK,
    REJECTED,
    app,
    database_in,
    opened,
    provisioned,
    target,
)

OLD_GOOD = replace(GOOD, release_hash="0" * 24, release="r0")


async def just_open(folder: Path) -> None:
    async with opened(folder):
        pass


async def watching(folder: Path) -> None:
    """A release is on trial, and there is one to go back to."""
    async with opened(folder) as store:
        await store.save_identity(provisioned(store.identity))
        await store.save_target(target())
        await store.releases.commit(OLD_GOOD, app("web:0"))
        await store.releases.begin(CANDIDATE)


async def commit_release(folder: Path) -> None:
    async with opened(folder) as store:
        await store.releases.commit(replace(GOOD, release_hash=CANDIDATE.release_hash), app())


async def was_committed_or_not(folder: Path) -> None:
    async with opened(folder) as store:
        assert store.findings == ()
        releases = await store.releases.all()
        (good,) = releases.good
        documents = await store.releases.good_documents()
        if good == OLD_GOOD:
            watched = [candidate.release_hash for candidate in releases.candidates]
            assert (watched, documents) == ([CANDIDATE.release_hash], {1001: app("web:0")})
        else:
            assert good.release_hash == CANDIDATE.release_hash
            assert (releases.candidates, documents) == ((), {1001: app()})


async def reject_release(folder: Path) -> None:
    async with opened(folder) as store:
        await store.releases.reject(replace(REJECTED, release_hash=CANDIDATE.release_hash))


async def was_rejected_or_not(folder: Path) -> None:
    async with opened(folder) as store:
        releases = await store.releases.all()
        assert releases.good == (OLD_GOOD,)
        assert len(releases.candidates) + len(releases.rejected) == 1


async def damaged_with_releases(folder: Path) -> None:
    """Everything can still be read but for the failures."""
    await watching(folder)
    async with opened(folder) as store:
        await store.releases.reject(REJECTED)
        await store.locks.save(LOCK)
    with sqlite3.connect(database_in(folder)) as db:
        db.execute("DROP TABLE step_failure")
    db.close()


async def has_its_releases(folder: Path) -> None:
    async with opened(folder) as store:
        releases = await store.releases.all()
        assert (releases.good, releases.rejected) == ((OLD_GOOD,), (REJECTED,))
        assert await store.releases.good_documents() == {1001: app("web:0")}
        assert await store.locks.all() == (LOCK,)


SCENARIOS = {
    "commit-release": Scenario(watching, commit_release, was_committed_or_not),
    "reject-release": Scenario(watching, reject_release, was_rejected_or_not),
    "damaged-with-releases": Scenario(damaged_with_releases, just_open, has_its_releases),
}
