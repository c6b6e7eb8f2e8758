"""Rows about releases: out of the database and into it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.store import time_left
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField
from iotistic.model.reader import decode_json
from iotistic.planner.world import Candidate, GoodRelease, Rejection, Releases

REJECTED_MAX = 20
LAST_WORDS_LINES = 50
LAST_WORDS_CHARACTERS = 8 * 1024
_BYTES_MAX = 64 * 1024 * 1024

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRows:
    """All of them. `documents` are the good ones' by app id, sealed."""

    releases: Releases = field(default_factory=Releases)
    documents: Mapping[int, Document] = field(default_factory=dict)


def read(connection: sqlite3.Connection) -> ReleaseRows:
    """Everything; raises DatabaseCorrupt for a row that makes no sense."""
    try:
        good, documents = _read_good(connection)
        return ReleaseRows(
            releases=Releases(
                good=good,
                candidates=_read_candidates(connection),
                rejected=_read_rejected(connection),
            ),
            documents=documents,
        )
    except (TypeError, ValueError, AttributeError, InvalidField) as error:
        raise DatabaseCorrupt(f"releases: {error}") from error


def _read_good(
    connection: sqlite3.Connection,
) -> tuple[tuple[GoodRelease, ...], dict[int, Document]]:
    rows = connection.execute(
        "SELECT app_id, release_hash, release, at_ms, document, document_hash FROM release_good"
        " ORDER BY app_id"
    ).fetchall()
    good, documents = [], {}
    for app_id, release_hash, release, at_ms, document, document_hash in rows:
        if _hash(document) != document_hash:
            # What a dying disk made of an image's name must not be what the device goes back to.
            raise DatabaseCorrupt(f"release_good: the document of app {app_id} was changed")
        good.append(
            GoodRelease(
                app_id=int(app_id), release_hash=release_hash, release=release, at_ms=int(at_ms)
            )
        )
        documents[int(app_id)] = decode_json(document.encode(), bytes_max=_BYTES_MAX)
    return tuple(good), documents


def _read_candidates(connection: sqlite3.Connection) -> tuple[Candidate, ...]:
    rows = connection.execute(
        "SELECT app_id, release_hash, release, deadline_s, began_ms FROM release_candidate"
        " ORDER BY app_id"
    ).fetchall()
    return tuple(
        Candidate(
            app_id=int(app_id),
            release_hash=release_hash,
            release=release,
            deadline_s=float(deadline_s),
            began_ms=int(began_ms),
        )
        for app_id, release_hash, release, deadline_s, began_ms in rows
    )


def _read_rejected(connection: sqlite3.Connection) -> tuple[Rejection, ...]:
    rows = connection.execute(
        "SELECT app_id, release_hash, release, reason, service_name, last_words, at_ms"
        " FROM release_rejected ORDER BY id"
    ).fetchall()
    return tuple(
        Rejection(
            app_id=int(app_id),
            release_hash=release_hash,
            release=release,
            reason=reason,
            service_name=service_name,
            last_words=tuple(str(line) for line in decode_json(last_words.encode())),
            at_ms=int(at_ms),
        )
        for app_id, release_hash, release, reason, service_name, last_words, at_ms in rows
    )


def write_candidate(connection: sqlite3.Connection, candidate: Candidate, clock: Clock) -> None:
    """Insert, or replace by app; of the same release the later deadline counts."""
    connection.execute(
        "DELETE FROM release_candidate WHERE app_id = ? AND (release_hash != ? OR deadline_s < ?)",
        (candidate.app_id, candidate.release_hash, candidate.deadline_s),
    )
    connection.execute(
        "INSERT OR IGNORE INTO release_candidate"
        " (app_id, release_hash, release, boot_id, deadline_s, remaining_s, began_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            candidate.app_id,
            candidate.release_hash,
            candidate.release,
            clock.boot_id,
            candidate.deadline_s,
            time_left.remaining_s(candidate.deadline_s, clock),
            candidate.began_ms,
        ),
    )


def delete_candidate(connection: sqlite3.Connection, app_id: int) -> None:
    """No release of the app is watched any more."""
    connection.execute("DELETE FROM release_candidate WHERE app_id = ?", (app_id,))


def write_good(
    connection: sqlite3.Connection, good: GoodRelease, sealed: Mapping[str, Any]
) -> None:
    """Insert or replace by app; neither watched nor rejected any more."""
    document = canonical_json(sealed).decode()
    connection.execute(
        "INSERT OR REPLACE INTO release_good"
        " (app_id, release_hash, release, at_ms, document, document_hash)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            good.app_id,
            good.release_hash,
            good.release,
            good.at_ms,
            document,
            _hash(document),
        ),
    )
    delete_candidate(connection, good.app_id)
    connection.execute(
        "DELETE FROM release_rejected WHERE app_id = ? AND release_hash = ?",
        (good.app_id, good.release_hash),
    )


def write_rejection(connection: sqlite3.Connection, rejection: Rejection) -> None:
    """Insert or replace by (app, release); it is watched no more, and old ones are forgotten."""
    connection.execute(
        "INSERT OR REPLACE INTO release_rejected"
        " (app_id, release_hash, release, reason, service_name, last_words, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            rejection.app_id,
            rejection.release_hash,
            rejection.release,
            rejection.reason,
            rejection.service_name,
            canonical_json(_limited(rejection.last_words)).decode(),
            rejection.at_ms,
        ),
    )
    connection.execute(
        "DELETE FROM release_rejected WHERE app_id = ?1 AND id <= (SELECT id FROM release_rejected"
        " WHERE app_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (rejection.app_id, REJECTED_MAX),
    )
    connection.execute(
        "DELETE FROM release_candidate WHERE app_id = ? AND release_hash = ?",
        (rejection.app_id, rejection.release_hash),
    )


def delete_rejections(connection: sqlite3.Connection, app_id: int) -> None:
    """Nothing of the app was rejected."""
    connection.execute("DELETE FROM release_rejected WHERE app_id = ?", (app_id,))


def _limited(lines: tuple[str, ...]) -> list[str]:
    return "\n".join(lines)[-LAST_WORDS_CHARACTERS:].splitlines()[-LAST_WORDS_LINES:]


def _hash(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()
