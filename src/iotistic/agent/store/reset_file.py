"""A factory reset under way, in a file of its own, and its last part: forgetting everything.

    nothing ──begin──> begun ──mark_wipe──> wiping ──finish_wipe──> nothing

`begun` lasts while containers and volumes go (the provisioning room's work, repeated after a
crash). From `wiping` on there is no way back: the next start finishes it before anything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from iotistic.agent.host.files import durable_write, read_small, remove_durably, sync_folder
from iotistic.agent.store.files import StateFiles
from iotistic.agent.store.identity_file import load_identity, save_identity
from iotistic.agent.store.records import Identity, ProvisioningPhase, ResetOptions
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, decode_json

_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """How far a reset has come. `spent_key_hash` is known when it is `wiping`."""

    options: ResetOptions
    wiping: bool = False
    spent_key_hash: str | None = None


def load(path: Path) -> Journal | None:
    """The reset under way, None if there is none."""
    data = read_small(path, _BYTES_MAX)
    if data is None:
        return None
    try:
        fields = Fields(decode_json(data, at=path.name, bytes_max=_BYTES_MAX), path.name)
        return Journal(
            options=ResetOptions(
                keep_volumes=fields.boolean("keep_volumes", default=True),
                keep_identity=fields.boolean("keep_identity", default=True),
            ),
            wiping=fields.boolean("wiping", default=False),
            spent_key_hash=fields.optional_text("spent_key_hash"),
        )
    except InvalidField:
        # A damaged wish is no wish: better asked for again than wiped by mistake.
        return None


def save(path: Path, journal: Journal) -> None:
    """Store how far it has come, durably."""
    document = {
        "keep_volumes": journal.options.keep_volumes,
        "keep_identity": journal.options.keep_identity,
        "wiping": journal.wiping,
        "spent_key_hash": journal.spent_key_hash,
    }
    durable_write(path, canonical_json(document))


def settle(path: Path) -> ResetOptions | None:
    """There is an identity again, so a wipe is done; a reset that only began is still to do."""
    journal = load(path)
    if journal is None:
        return None
    if journal.wiping:
        remove_durably(path)
        return None
    return journal.options


def doomed(files: StateFiles, set_aside: Iterable[Path]) -> tuple[Path, ...]:
    """What a wipe removes beside the identity file, in its order."""
    return (
        files.last_target,
        *files.companions,
        files.database,
        files.fresh,
        *set_aside,
        files.outbox,
        files.key,
    )


def wipe_files(files: StateFiles, journal: Journal) -> None:
    """Remove everything; with `keep_identity` all but uuid and keys. May be repeated."""
    identity = _readable_identity(files.identity)
    if journal.options.keep_identity and identity is not None:
        save_identity(files.identity, stripped(identity, journal.spent_key_hash))
    else:
        files.identity.unlink(missing_ok=True)
    for path in doomed(files, files.set_aside()):
        path.unlink(missing_ok=True)
    # Its log and what was set aside: whoever has the device next must not get them.
    for path in files.folder.glob(f"{files.outbox.name}*"):
        path.unlink(missing_ok=True)
    sync_folder(files.folder)


def stripped(identity: Identity, spent_key_hash: str | None) -> Identity:
    """The same device, in no cloud."""
    return Identity(
        uuid=identity.uuid,
        creation_id=identity.creation_id,
        private_key_pem=identity.private_key_pem,
        hash_key=identity.hash_key,
        created_at_ms=identity.created_at_ms,
        machine_hash=identity.machine_hash,
        phase=ProvisioningPhase.NEW,
        spent_key_hash=spent_key_hash,
    )


def finish_wipe(files: StateFiles) -> bool:
    """Remove everything if a wipe was begun. The journal goes when there is a new identity."""
    journal = load(files.reset)
    if journal is None or not journal.wiping:
        return False
    wipe_files(files, journal)
    return True


def spent_key_hash(path: Path) -> str | None:
    """The provisioning key that must not be used again by itself, across a wipe."""
    journal = load(path)
    return journal.spent_key_hash if journal is not None and journal.wiping else None


def _readable_identity(path: Path) -> Identity | None:
    try:
        return load_identity(path)
    except InvalidField:
        return None
