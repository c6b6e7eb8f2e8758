"""Images that this agent pulled: what a reference meant when it was pulled for a release.

By this a tag that moves later is no difference, and only what was pulled here is ever removed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from iotistic.agent.store.database import Database, Kept
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.planner.world import PulledImage

SAME_IMAGE_MAX = 10
"""For how many releases it is remembered that the same image was pulled for them."""


class ImageTable:
    """One image for each (app, reference, release)."""

    def __init__(self, database: Database) -> None:
        self._kept: Kept[tuple[PulledImage, ...]] = Kept(database, read)

    async def pulled(self) -> tuple[PulledImage, ...]:
        """All of them, in the order in which they were pulled."""
        return await self._kept.get()

    async def save(self, image: PulledImage) -> None:
        """Insert or replace by (app, reference, release)."""
        if image not in await self._kept.get():
            await self._kept.change(lambda db: write(db, image))

    async def forget(self, image_ids: Collection[str]) -> None:
        """These images are not here any more."""
        known = {image.image_id for image in await self._kept.get()}
        gone = [(image_id,) for image_id in known.intersection(image_ids)]
        if gone:
            await self._kept.change(
                lambda db: db.executemany("DELETE FROM pulled_image WHERE image_id = ?", gone)
            )

    def remembered(self) -> tuple[PulledImage, ...] | None:
        """All of them, if they are known without reading the file."""
        return self._kept.remembered()


def read(connection: sqlite3.Connection) -> tuple[PulledImage, ...]:
    """All rows; raises DatabaseCorrupt."""
    rows = connection.execute(
        "SELECT reference, image_id, app_id, release_hash, at_ms FROM pulled_image ORDER BY id"
    ).fetchall()
    try:
        return tuple(
            PulledImage(
                reference=reference,
                image_id=image_id,
                app_id=int(app_id),
                release_hash=release_hash,
                at_ms=int(at_ms),
            )
            for reference, image_id, app_id, release_hash, at_ms in rows
        )
    except (TypeError, ValueError) as error:
        raise DatabaseCorrupt(f"pulled_image: {error}") from error


def write(connection: sqlite3.Connection, image: PulledImage) -> None:
    """Insert or replace; releases long past that had the very same image are forgotten."""
    connection.execute(
        "INSERT OR REPLACE INTO pulled_image (app_id, reference, release_hash, image_id, at_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        (image.app_id, image.reference, image.release_hash, image.image_id, image.at_ms),
    )
    connection.execute(
        "DELETE FROM pulled_image WHERE app_id = ?1 AND reference = ?2 AND image_id = ?3 AND id <="
        " (SELECT id FROM pulled_image WHERE app_id = ?1 AND reference = ?2 AND image_id = ?3"
        " ORDER BY id DESC LIMIT 1 OFFSET ?4)",
        (image.app_id, image.reference, image.image_id, SAME_IMAGE_MAX),
    )
