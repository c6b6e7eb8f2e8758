"""class OutboxFile: the file on the disk, opened, changed, healed. On the thread.

One that is broken, or of a newer agent, is set aside, and a new one takes its place with all that
could be read of it. What cannot be opened now (rights, a full disk) is tried again later: the
agent runs without, and says so.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from iotistic.agent.clock import Clock
from iotistic.agent.host.files import ensure_folder, keep_private, sync_folder
from iotistic.agent.outbox import salvage
from iotistic.agent.outbox.account import Account
from iotistic.agent.outbox.content import Content
from iotistic.agent.outbox.layout import APPLICATION_ID, VERSION, check_schema, migrate, version_of
from iotistic.agent.outbox.ledger import DropReason
from iotistic.agent.outbox.quota import Quota
from iotistic.agent.store.database import check, connect, transaction
from iotistic.agent.store.errors import DatabaseCorrupt, translated
from iotistic.agent.store.records import Finding
from iotistic.model.errors import Refused
from iotistic.model.records import RecordClass

T = TypeVar("T")
Change = Callable[[Content], Any]

SET_ASIDE_MAX = 2
"""Each may be as large as the outbox may get."""
LOG_PAGES_MAX = 1000
LOG_BYTES_MAX = 4 * 1024 * 1024
FREE_PAGES_MIN = 256
GIVEN_BACK_PAGES_MAX = 2048
"""Of the room that is free in the file, at once: what still lies behind it has to be moved."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that was refused, and changed nothing."""

    error: Refused


class OutboxFile:
    """One file with one writer."""

    def __init__(self, path: Path, clock: Clock, quotas: Mapping[RecordClass, Quota]) -> None:
        self._path = path.absolute()
        self._clock = clock
        self._quotas = quotas
        self._connection: sqlite3.Connection | None = None
        self._content: Content | None = None
        self._place: tuple[int, int] | None = None
        self._known: dict[RecordClass, Account] | None = None
        """The figures of a file that was in use and is not any more."""
        self._findings: list[Finding] = []

    def accounts(self) -> Mapping[RecordClass, Account]:
        """The figures as of the last change; empty before it could be opened."""
        return self._content.accounts if self._content is not None else self._known or {}

    def take_findings(self) -> tuple[Finding, ...]:
        """What was found broken since this was last asked."""
        found = tuple(self._findings)
        del self._findings[: len(found)]
        return found

    def open(self) -> None:
        """Open it, or a new one in its place; does nothing when it is open."""
        if self._content is None:
            with _told(self._path):
                self._open()

    def change(self, changes: Sequence[Change], right_ms: int | None) -> list[Any]:
        """Make changes in one transaction; on the disk when this returns, with their results.

        One that is refused gives a Refusal, and the others go on. `right_ms` is the wall clock's
        time where it is known to be right.
        """
        results = self._healing(lambda: self._transact(changes, right_ms))
        # What is on the disk is not made undone by what cannot be tidied up.
        with suppress(sqlite3.Error):
            self._give_back()
        return results

    def read(self, read: Callable[[Content], T]) -> T:
        """Look something up."""

        def looked_up() -> T:
            with _told(self._path):
                return read(self._in_use())

        return self._healing(looked_up)

    def start_over(self, reason: DropReason) -> int:
        """Drop everything that waits by dropping the file, which needs no room on the disk."""
        with _told(self._path):
            known = self._let_go()
            number = sum(figures.waiting for figures in known.values()) if known else 0
            for figures in (known or {}).values():
                figures.drop(reason, figures.waiting)
                figures.waiting = figures.waiting_bytes = 0
            self._known = known
            self._remove()
            self._create(broken=None)
            self._open()
        return number

    def close(self) -> None:
        """Close it; may be repeated."""
        with suppress(sqlite3.Error):
            self._let_go()

    # -- opening

    def _in_use(self) -> Content:
        self.open()
        if self._content is None:
            raise AssertionError("open")
        return self._content

    def _open(self) -> None:
        ensure_folder(self._path.parent)
        if not self._path.exists() or not self._path.stat().st_size:
            self._create(broken=None)
        try:
            self._connect()
        except DatabaseCorrupt as error:
            self._replace(error)
            self._connect()

    def _connect(self) -> None:
        keep_private(self._path)
        with _told(self._path):
            connection = connect(self._path)
            try:
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}").fetchone()
                connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}").fetchone()
                _judge(connection)
                migrate(connection)
                check_schema(connection)
                self._content = _content(connection, self._clock, self._quotas)
            except BaseException:
                connection.close()
                raise
        seen = self._path.stat()
        self._connection, self._place = connection, (seen.st_dev, seen.st_ino)
        self._known = None

    # -- changing

    def _transact(self, changes: Sequence[Change], right_ms: int | None) -> list[Any]:
        content = self._in_use()
        saved = content.begin()
        try:
            with _told(self._path), transaction(_there(self._connection)):
                results = [_attempt(change, content) for change in changes]
                content.complete(right_ms)
            self._check_place()
        except BaseException:
            content.undo(saved)
            raise
        return results

    def _check_place(self) -> None:
        """Somebody may have taken the file away: then what was written is nowhere."""
        try:
            seen = self._path.stat()
        except FileNotFoundError:
            raise _Deleted("it was removed while in use") from None
        if (seen.st_dev, seen.st_ino) != self._place:
            raise _Deleted("another file was put in its place while in use")

    def _give_back(self) -> None:
        db = _there(self._connection)
        free = db.execute("PRAGMA freelist_count").fetchone()[0]
        if free < FREE_PAGES_MIN or free * 4 < 3 * db.execute("PRAGMA page_count").fetchone()[0]:
            return
        # As a script: it is a statement of one step a page, and `execute` would take the first.
        db.executescript(f"PRAGMA incremental_vacuum({GIVEN_BACK_PAGES_MAX})")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- healing

    def _healing(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except DatabaseCorrupt as error:
            with _told(self._path):
                self._known = self._let_go()
                self._replace(error)
                self._connect()
            return work()

    def _let_go(self) -> dict[RecordClass, Account] | None:
        """Close the connection; the figures as they were."""
        known = self._content.accounts if self._content is not None else self._known
        connection, self._connection, self._content = self._connection, None, None
        if connection is not None:
            connection.close()
        return known

    def _replace(self, error: DatabaseCorrupt) -> None:
        """Put a new file into the place of the broken one, which is kept beside it."""
        if isinstance(error, _Deleted):
            # Whoever removes the file wants to be rid of what is in it.
            self._remove()
            self._create(broken=None)
            self._found(code="outbox-removed", message=f"the outbox was made anew: {error.message}")
            return
        newer = isinstance(error, _Newer)
        self._limit_set_aside(SET_ASIDE_MAX - 1)
        found = self._create(broken=None if newer else self._path, in_place=False)
        aside = self._set_aside("newer" if newer else "corrupt")
        self._fresh.replace(self._path)
        sync_folder(self._path.parent)
        lost = sum(figures.dropped.get(DropReason.CORRUPT, 0) for figures in found.values())
        message = (
            f"the outbox was made anew, the old one is {aside.name}: {error.message};"
            f" {sum(figures.waiting for figures in found.values())} records are in the new one,"
            f" {lost} were lost so"
        )
        if newer:
            self._found(code="outbox-newer", message=message)
        else:
            self._found(code="outbox-corrupt", message=message)

    @property
    def _fresh(self) -> Path:
        return self._path.with_name(f"{self._path.name}.new")

    def _companions(self) -> tuple[Path, Path]:
        name = self._path.name
        return self._path.with_name(f"{name}-wal"), self._path.with_name(f"{name}-shm")

    def _create(self, *, broken: Path | None, in_place: bool = True) -> dict[RecordClass, Account]:
        try:
            found = salvage.build(
                self._fresh, self._clock.wall_ms(), broken=broken, known=self._known
            )
        except BaseException:
            self._fresh.unlink(missing_ok=True)
            raise
        if in_place:
            # A log that is left of a file that is gone is not this one's.
            for path in self._companions():
                path.unlink(missing_ok=True)
            self._fresh.replace(self._path)
            sync_folder(self._path.parent)
        return found

    def _set_aside(self, kind: str) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock.wall_ms() / 1000))
        aside = self._path.with_name(f"{self._path.name}.{kind}-{stamp}")
        number = 1
        while aside.exists():  # the wall clock may stand still or go back
            number += 1
            aside = self._path.with_name(f"{self._path.name}.{kind}-{stamp}-{number}")
        try:
            os.link(self._path, aside)
        except OSError:
            shutil.copyfile(self._path, aside)  # a file system without hard links
            aside.chmod(0o600)
        log, index = self._companions()
        if log.exists():
            log.replace(aside.with_name(f"{aside.name}-wal"))
        index.unlink(missing_ok=True)
        return aside

    def _limit_set_aside(self, kept: int) -> None:
        name = self._path.name
        found = [
            path
            for kind in ("corrupt", "newer")
            for path in self._path.parent.glob(f"{name}.{kind}-*")
            if not path.name.endswith("-wal")
        ]
        found.sort(key=lambda path: path.name.rsplit(".", 1)[1].split("-", 1)[1])
        for path in found[: len(found) - kept]:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}-wal").unlink(missing_ok=True)

    def _remove(self) -> None:
        for path in (self._path, *self._companions()):
            path.unlink(missing_ok=True)

    def _found(self, code: str, message: str) -> None:
        self._findings.append(Finding(code=code, message=message))


class _Newer(DatabaseCorrupt):
    """Made by a newer agent."""


class _Deleted(DatabaseCorrupt):
    """Not where it was."""


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the system as ours; also where its words are no text any more."""
    try:
        with translated(path):
            yield
    except UnicodeError as error:
        raise DatabaseCorrupt(f"{path}: {error}") from error


def _judge(connection: sqlite3.Connection) -> None:
    check(connection)
    application_id, version = version_of(connection)
    if application_id != APPLICATION_ID:
        raise DatabaseCorrupt("it is no outbox")
    if version > VERSION:
        raise _Newer(f"it has version {version}, this agent knows up to {VERSION}")


def _attempt(change: Change, content: Content) -> Any:
    try:
        return change(content)
    except Refused as error:
        return Refusal(error)


def _content(
    connection: sqlite3.Connection, clock: Clock, quotas: Mapping[RecordClass, Quota]
) -> Content:
    try:
        content = Content(connection, clock, quotas)
    except (KeyError, ValueError, TypeError) as error:
        raise DatabaseCorrupt(f"its content makes no sense: {error!r}") from error
    if wrong := [str(kind) for kind, found in content.accounts.items() if found.balance()]:
        raise DatabaseCorrupt(f"its ledger does not add up: {', '.join(wrong)}")
    return content


def _there(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise AssertionError("open")
    return connection
