"""The releases of apps: which is being watched, which was well last, which were taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.host.crypto_child import CryptoRefused
from iotistic.agent.store import release_rows
from iotistic.agent.store.database import Database, Kept
from iotistic.agent.store.records import Finding
from iotistic.agent.store.release_rows import Document, ReleaseRows
from iotistic.agent.store.sealed_document import (
    sealed_values,
    secret_values,
    with_opened,
    with_values,
)
from iotistic.agent.store.sealing import Sealer
from iotistic.planner.world import Candidate, GoodRelease, Rejection, Releases


@dataclass(frozen=True, slots=True)
class _Opened:
    """A document as it was given, and the sealed form it has in the row (None: cannot be read)."""

    sealed: Document
    document: Document | None


class ReleaseTable:
    """What is remembered of releases; looking costs nothing when nothing changed.

    The documents of good releases are the apps' wire JSON. Their secret values are sealed in the
    file and open in memory, as the target's are.
    """

    def __init__(
        self,
        database: Database,
        sealer: Callable[[], Sealer],
        clock: Clock,
        found: Callable[[Finding], None],
    ) -> None:
        self._kept: Kept[ReleaseRows] = Kept(database, release_rows.read)
        self._sealer = sealer
        self._clock = clock
        self._found = found
        self._opening = asyncio.Lock()
        self._opened: dict[int, _Opened] = {}

    async def all(self) -> Releases:
        """Good, watched and rejected releases of all apps; rejected ones oldest first."""
        return (await self._kept.get()).releases

    async def good_documents(self) -> Mapping[int, Document]:
        """The apps of the good releases as the wire had them, by app id.

        Without those that cannot be opened any more: their devices cannot go back to them. Raises
        CryptoUnavailable when that cannot be told now.
        """
        async with self._opening:
            rows = (await self._kept.get()).documents
            known = {
                app_id: opened
                for app_id, opened in self._opened.items()
                if opened.sealed == rows.get(app_id)
            }
            unread = {app_id: row for app_id, row in rows.items() if app_id not in known}
            self._opened = known | await self._open(unread)
            return {
                app_id: opened.document
                for app_id, opened in self._opened.items()
                if opened.document is not None
            }

    async def _open(self, rows: Mapping[int, Document]) -> dict[int, _Opened]:
        sealed = {
            _named(app_id, place): text
            for app_id, document in rows.items()
            for place, text in sealed_values(document).items()
        }
        try:
            # One child process for all of them, none if there is nothing to open.
            texts = await self._sealer().unseal(sealed)
        except CryptoRefused:
            if len(rows) == 1:
                return {app_id: self._unreadable(app_id, row) for app_id, row in rows.items()}
            one_by_one = [await self._open({app_id: row}) for app_id, row in rows.items()]
            return {app_id: opened for each in one_by_one for app_id, opened in each.items()}
        return {
            app_id: _Opened(
                document,
                with_opened(
                    document,
                    {place: texts[_named(app_id, place)] for place in sealed_values(document)},
                ),
            )
            for app_id, document in rows.items()
        }

    def _unreadable(self, app_id: int, sealed: Document) -> _Opened:
        self._found(
            Finding(
                code="good-release-unreadable",
                message=f"the last good release of app {app_id} cannot be opened any more: the"
                " device cannot go back to it",
            )
        )
        return _Opened(sealed, None)

    async def begin(self, candidate: Candidate) -> None:
        """Watch a release from now on, in the place of another one of the app.

        The deadline of a release that is being watched already becomes the later of the two.
        """
        clock = self._clock
        await self._kept.change(lambda db: release_rows.write_candidate(db, candidate, clock))

    async def drop_candidate(self, app_id: int) -> None:
        """Watch no release of the app any more: it was wanted no longer."""
        await self._kept.change(lambda db: release_rows.delete_candidate(db, app_id))

    async def commit(self, good: GoodRelease, document: Mapping[str, Any]) -> None:
        """The release is well: the one to go back to from now on. It is watched no more.

        Costs a child process if there are secrets and the document is a new one. Raises
        CryptoUnavailable when its secrets cannot be sealed; nothing is stored then.
        """
        app_id, document = good.app_id, dict(document)
        async with self._opening:
            opened = self._opened.get(app_id)
            if opened is None or opened.document != document:
                opened = await self._seal(app_id, document)
            sealed = opened.sealed
            await self._kept.change(lambda db: release_rows.write_good(db, good, sealed))
            self._opened[app_id] = opened

    async def _seal(self, app_id: int, document: Document) -> _Opened:
        values = secret_values(document)
        texts = await self._sealer().seal({_named(app_id, p): text for p, text in values.items()})
        return _Opened(
            with_values(document, {place: texts[_named(app_id, place)] for place in values}),
            document,
        )

    async def reject(self, rejection: Rejection) -> None:
        """Remember that a release was taken back; it is watched no more.

        The newest 20 of an app are kept, and of each the last 50 lines. They stand in the file as
        they are given: what is secret in them has to be masked before.
        """
        await self._kept.change(lambda db: release_rows.write_rejection(db, rejection))

    async def clear_rejections(self, app_id: int) -> None:
        """Nothing of the app counts as rejected any more: somebody wants it tried again."""
        await self._kept.change(lambda db: release_rows.delete_rejections(db, app_id))

    def remembered(self) -> ReleaseRows | None:
        """All, if it is known without reading the file; documents as they stand in it."""
        return self._kept.remembered()


def _named(app_id: int, place: str) -> str:
    """Under which name a value is sealed: it opens neither in another app nor in a target."""
    return f"good/{app_id}{place}"
