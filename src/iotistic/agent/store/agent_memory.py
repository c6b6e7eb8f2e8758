"""What concerns all of the agent's own tables at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from iotistic.agent.clock import Clock
from iotistic.agent.store import (
    agent_tables,
    container_table,
    image_table,
    lock_table,
    release_rows,
)
from iotistic.agent.store.container_table import Born
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.agent.store.release_rows import ReleaseRows
from iotistic.planner.world import Completed, Intent, Lock, PulledImage

T = TypeVar("T")

_FORGET_DEVICE = (
    "DELETE FROM step_failure",
    "DELETE FROM intent",
    "DELETE FROM release_good",
    "DELETE FROM release_candidate",
    "DELETE FROM release_rejected",
    "DELETE FROM app_lock",
    "DELETE FROM completed",
    "DELETE FROM pulled_image",
    "DELETE FROM container_born",
    "DELETE FROM journal",
)
_FORGET_APP = (
    "DELETE FROM release_good WHERE app_id = ?",
    "DELETE FROM release_candidate WHERE app_id = ?",
    "DELETE FROM release_rejected WHERE app_id = ?",
    "DELETE FROM app_lock WHERE app_id = ?",
    "DELETE FROM completed WHERE app_id = ?",
)
# Not `pulled_image`: the images are still here and are to be collected. Not `journal`: it is
# bounded by itself, and tells why an app is gone.


def read_everything(connection: sqlite3.Connection) -> None:
    """Raises DatabaseCorrupt if anything cannot be read.

    But for the journal: an entry that cannot be read is no reason to give up all the rest.
    """
    agent_tables.read_attempts(connection)
    agent_tables.read_intents(connection)
    agent_tables.read_settings(connection)
    release_rows.read(connection)
    lock_table.read(connection)
    image_table.read(connection)
    container_table.read_completed(connection)
    container_table.read_born(connection)


def forget_device(connection: sqlite3.Connection) -> None:
    """Forget all but settings: it was another device's."""
    for statement in _FORGET_DEVICE:
        connection.execute(statement)


def forget_apps(connection: sqlite3.Connection, app_ids: Collection[int]) -> None:
    """Forget what goes with these apps."""
    for statement in _FORGET_APP:
        connection.executemany(statement, [(app_id,) for app_id in sorted(app_ids)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What the agent would miss most, read out of a database that is given up.

    What persons told it, what it can go back to and what it must not try again, and what it knows
    of images and containers. Failures are counted anew, and releases watched anew.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    intents: tuple[Intent, ...] = ()
    locks: tuple[Lock, ...] = ()
    releases: ReleaseRows = field(default_factory=ReleaseRows)
    pulled: tuple[PulledImage, ...] = ()
    completed: frozenset[Completed] = frozenset()
    born: Mapping[str, Born] = field(default_factory=dict)


def salvage(connection: sqlite3.Connection, clock: Clock, before: Salvage) -> Salvage:
    """Read what can be read; of what cannot, the part of `before` stays."""

    def part(read: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        try:
            return read(connection) or otherwise
        except (sqlite3.Error, DatabaseCorrupt, UnicodeError):
            return otherwise

    return Salvage(
        settings=part(agent_tables.read_settings, before.settings),
        intents=part(agent_tables.read_intents, before.intents),
        locks=part(lambda db: lock_table.read_of_persons(db, clock), before.locks),
        releases=part(release_rows.read, before.releases),
        pulled=part(image_table.read, before.pulled),
        completed=part(container_table.read_completed, before.completed),
        born=part(container_table.read_born, before.born),
    )


def is_behind(connection: sqlite3.Connection, known: Mapping[str, Any], clock: Clock) -> bool:
    """Whether the file lacks something that was in it: pages of its log that are gone, say."""
    found = salvage(connection, clock, Salvage())

    def lasting(part: object) -> object:
        if not isinstance(part, ReleaseRows):
            return part
        # What is being watched is carried over with less time left whenever a file is opened.
        return part.releases.good, part.releases.rejected, part.documents

    return any(lasting(getattr(found, name)) != lasting(part) for name, part in known.items())


def put_back(connection: sqlite3.Connection, saved: Salvage, clock: Clock) -> None:
    """Write it into a new database."""
    agent_tables.write_settings(connection, saved.settings)
    for intent in saved.intents:
        agent_tables.write_intent(connection, intent)
    for lock in saved.locks:
        lock_table.write(connection, lock, clock)
    for good in saved.releases.releases.good:
        release_rows.write_good(connection, good, saved.releases.documents[good.app_id])
    for rejection in saved.releases.releases.rejected:
        release_rows.write_rejection(connection, rejection)
    for image in saved.pulled:
        image_table.write(connection, image)
    container_table.write_completed(connection, gone=(), new=saved.completed)
    for container_id, fields in saved.born.items():
        container_table.write_born(connection, container_id, fields)
