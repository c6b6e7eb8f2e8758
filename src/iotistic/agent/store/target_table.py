"""The accepted target at rest: the `target_state` row, and `target-last-good.json` beside it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any, NewType

from iotistic.agent.host.crypto_child import CryptoRefused
from iotistic.agent.host.files import durable_write, keep_private, read_small
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.agent.store.records import Identity, StoredTarget, target_hash
from iotistic.agent.store.sealed_document import (
    sealed_values,
    secret_values,
    with_opened,
    with_values,
)
from iotistic.agent.store.sealing import Sealer
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, decode_json

SealedTarget = NewType("SealedTarget", StoredTarget)
"""A target whose secret values are sealed; the documents' form is otherwise the same."""

FORMAT = 1
BYTES_MAX = 64 * 1024 * 1024


async def seal_target(sealer: Sealer, target: StoredTarget) -> SealedTarget:
    """Seal the secret values, in one child process; none if there are no such values."""
    whole = {"apps": target.apps, "config": target.config}
    document = with_values(whole, await sealer.seal(secret_values(whole)))
    return SealedTarget(replace(target, apps=document["apps"], config=document["config"]))


async def open_target(sealer: Sealer, sealed: SealedTarget) -> StoredTarget:
    """The target as it was accepted, to the letter; raises CryptoRefused if it is not that.

    The hash covers what is not sealed, such as an image's name that a dying disk changed.
    """
    whole = {"apps": sealed.apps, "config": sealed.config}
    document = with_opened(whole, await sealer.unseal(sealed_values(whole)))
    target = replace(sealed, apps=document["apps"], config=document["config"])
    if target_hash(target.apps, target.config) != target.state_hash:
        raise CryptoRefused("the stored target does not match its hash")
    return target


def write_target(connection: sqlite3.Connection, target: SealedTarget) -> None:
    """Insert or replace the one row."""
    connection.execute(
        "INSERT OR REPLACE INTO target_state"
        " (id, apps, config, state_hash, version, epoch, etag, received_at, applied_at)"
        " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            canonical_json(target.apps).decode(),
            canonical_json(target.config).decode(),
            target.state_hash,
            target.version,
            target.epoch,
            target.etag,
            target.received_at_ms,
            target.applied_at_ms,
        ),
    )


def write_applied(connection: sqlite3.Connection, state_hash: str, at_ms: int) -> None:
    """The target with this hash was reached; nothing happens to a newer one."""
    connection.execute(
        "UPDATE target_state SET applied_at = ? WHERE state_hash = ?", (at_ms, state_hash)
    )


def delete_target(connection: sqlite3.Connection) -> None:
    """No target any more."""
    connection.execute("DELETE FROM target_state")


def read_target(connection: sqlite3.Connection) -> SealedTarget | None:
    """The row; raises DatabaseCorrupt if it makes no sense."""
    row = connection.execute(
        "SELECT apps, config, state_hash, version, epoch, etag, received_at, applied_at"
        " FROM target_state ORDER BY id LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    try:
        return _parse(
            {
                "apps": decode_json(row[0].encode(), bytes_max=BYTES_MAX),
                "config": decode_json((row[1] or "{}").encode(), bytes_max=BYTES_MAX),
                "state_hash": row[2],
                "version": row[3],
                "epoch": row[4],
                "etag": row[5],
                "received_at_ms": row[6],
                "applied_at_ms": row[7],
            },
            "target_state",
        )
    except (InvalidField, AttributeError, UnicodeError) as error:
        raise DatabaseCorrupt(f"the stored target cannot be read: {error}") from error


def save_last_target(path: Path, uuid: str, target: SealedTarget) -> None:
    """Write the copy for the day the database breaks, durably."""
    document = {
        "format": FORMAT,
        "uuid": uuid,
        "apps": target.apps,
        "config": target.config,
        "version": target.version,
        "epoch": target.epoch,
        "etag": target.etag,
        "state_hash": target.state_hash,
        "received_at_ms": target.received_at_ms,
        "applied_at_ms": target.applied_at_ms,
    }
    durable_write(path, canonical_json(document))


def load_last_target(path: Path, uuid: str) -> SealedTarget | None:
    """The copy; None if there is none for this device or it makes no sense."""
    data = read_small(path, BYTES_MAX)
    if data is None:
        return None
    keep_private(path)
    try:
        raw = decode_json(data, at=path.name, bytes_max=BYTES_MAX)
        fields = Fields(raw, path.name)
        if fields.integer("format") != FORMAT or fields.text("uuid") != uuid:
            return None
        return _parse(raw, path.name)
    except InvalidField:
        return None


def take_newer(connection: sqlite3.Connection, path: Path, identity: Identity) -> bool:
    """Write the copy into the database if it is newer: that one is of an earlier time, then.

    So a restored backup does not bring the services of its day back.
    """
    copy, held = load_last_target(path, identity.uuid), read_target(connection)
    if copy is None or (held is not None and not _is_newer(copy, held)):
        return False
    # Without an ETag, so that the next poll brings the whole target in any case.
    write_target(connection, SealedTarget(replace(copy, etag=None)))
    return True


def _is_newer(one: StoredTarget, other: StoredTarget) -> bool:
    """By their versions where those can be compared, else by when they were accepted."""
    if one.epoch == other.epoch and None not in (one.version, other.version):
        return (one.version or 0) > (other.version or 0)
    return one.received_at_ms > other.received_at_ms


def _parse(raw: Any, at: str) -> SealedTarget:
    fields = Fields(raw, at)
    target = StoredTarget(
        apps=fields.mapping("apps"),
        config=fields.mapping("config"),
        version=fields.optional_integer("version"),
        epoch=fields.optional_text("epoch"),
        etag=fields.optional_text("etag"),
        state_hash=fields.text("state_hash", length_max=64),
        received_at_ms=fields.integer("received_at_ms"),
        applied_at_ms=fields.optional_integer("applied_at_ms"),
    )
    return SealedTarget(target)
