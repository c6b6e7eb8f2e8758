"""From a folder in whatever state to an open store; the rules are in the room's docstring.

Killed after any line, the next start ends with the same identity.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from iotistic.agent.clock import Clock
from iotistic.agent.host.crypto_child import CryptoRefused, CryptoUnavailable
from iotistic.agent.host.files import keep_private
from iotistic.agent.store import (
    agent_memory,
    device_table,
    inspection,
    reset_file,
    target_table,
    time_left,
)
from iotistic.agent.store.agent_memory import Salvage
from iotistic.agent.store.building import build
from iotistic.agent.store.database import Worker, check, connect, transaction
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.agent.store.files import StateFiles, move_log_aside, set_identity_aside, swap_in
from iotistic.agent.store.identity_file import decode_identity, load_identity, save_identity
from iotistic.agent.store.inspection import Fate, Seen
from iotistic.agent.store.migrations import migrate
from iotistic.agent.store.records import Finding, Identity, ProvisioningPhase, ResetOptions
from iotistic.agent.store.sealing import Crypto, Sealer, load_key, make_key
from iotistic.agent.store.space import Space, with_room
from iotistic.model.errors import InvalidField
from iotistic.model.secret import Secret

MISSING = "missing"
_HASH_KEY_BYTES = 32


class _NotThisDevice(Exception):
    """With the log applied, the database turns out to be another device's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A store ready for use."""

    connection: sqlite3.Connection
    identity: Identity
    sealer: Sealer
    rebuilt_because: str | None
    reset: ResetOptions | None
    set_aside: tuple[Path, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Opener:
    """Everything that opening a state folder takes, as often as it is opened."""

    files: StateFiles
    worker: Worker
    crypto: Crypto
    clock: Clock
    machine: str
    space: Space
    held: ExitStack
    """What keeps other agents out of the folder."""

    async def open(self, known: Mapping[str, Any] | None = None, *, force: bool = False) -> Opened:
        """Open it, with room made if need be; `force`: give the database up in any case."""

        async def opened() -> Opened:
            return await Opening(
                self.files,
                self.worker,
                self.crypto,
                self.clock,
                self.machine,
                known=known,
                is_corrupt=force,
            ).run()

        return await with_room(opened, self.space)


class Opening:
    """One opening of one state folder, whose lock is held."""

    def __init__(
        self,
        files: StateFiles,
        worker: Worker,
        crypto: Crypto,
        clock: Clock,
        machine: str,
        *,
        known: Mapping[str, Any] | None = None,
        is_corrupt: bool = False,
    ) -> None:
        """`known`: parts of a `Salvage` that need not be read out of a database given up.

        `is_corrupt`: it is given up even if nothing is found wrong with it.
        """
        self._known = known or {}
        self._is_corrupt = is_corrupt
        self._files = files
        self._worker = worker
        self._crypto = crypto
        self._clock = clock
        self._machine = machine
        self._findings: list[Finding] = []
        self._key_is_new = False

    async def run(self) -> Opened:
        """Open, heal, or make anew. Raises DatabaseNewer before anything is touched."""
        files, run = self._files, self._worker.run
        seen = await run(lambda: inspection.inspect(files))
        if await run(lambda: reset_file.finish_wipe(files)):
            self._found("reset-finished", "everything was forgotten, as a factory reset asked for")
            seen = await run(lambda: inspection.inspect(files))
        identity = await run(self._load_identity)
        key = await run(lambda: load_key(files.key))
        if identity is None:
            identity = await self._identity_without_file(seen, key)
            made = identity
            await run(lambda: save_identity(files.identity, made))
        if key is None:
            key = await run(lambda: make_key(files.key))
            self._key_is_new = True
        sealer = Sealer(self._crypto, key)
        identity, connection = await self._database(seen, identity, sealer)
        try:
            return await self._complete(identity, connection, sealer)
        except BaseException:
            await run(connection.close)
            raise

    async def _complete(
        self, identity: Identity, connection: sqlite3.Connection, sealer: Sealer
    ) -> Opened:
        files, run = self._files, self._worker.run
        # Only now: until there is an identity again, the journal holds what is left of the old one.
        pending = await run(lambda: reset_file.settle(files.reset))
        if pending is not None:
            await run(lambda: target_table.delete_target(connection))
            await run(lambda: files.last_target.unlink(missing_ok=True))
        elif await run(lambda: target_table.take_newer(connection, files.last_target, identity)):
            self._found("target-newer-kept", "the last accepted target is newer than the database")
        row = await run(lambda: device_table.read_device(connection))
        # A copy that is sealed with a key that was lost would be none when it is needed.
        if row is not None and (
            self._key_is_new or row.identity_hash != device_table.hash_of(identity)
        ):
            await self._bring_row_up_to_date(connection, identity, sealer)
        return Opened(
            connection=connection,
            identity=identity,
            sealer=sealer,
            rebuilt_because=row.rebuilt_because if row is not None else None,
            reset=pending,
            set_aside=await run(lambda: tuple(files.set_aside())),
            findings=tuple(self._findings),
        )

    # -- the identity

    def _load_identity(self) -> Identity | None:
        try:
            return load_identity(self._files.identity)
        except InvalidField as error:
            aside = set_identity_aside(self._files, wall_ms=self._clock.wall_ms())
            self._found("identity-corrupt", f"{error.message}; it was set aside as {aside.name}")
            return None

    async def _identity_without_file(self, seen: Seen, key: Secret | None) -> Identity:
        """From the database's sealed copy if there is one, else a device that never was."""
        row = seen.recent
        if row is None:
            return await self._new_identity()
        if key is not None and row.sealed_identity is not None:
            try:
                opened = await Sealer(self._crypto, key).unseal(
                    {device_table.IDENTITY: row.sealed_identity}
                )
                identity = decode_identity(
                    opened[device_table.IDENTITY].encode(), self._files.identity
                )
            except (CryptoRefused, InvalidField) as error:
                self._found("identity-copy-unreadable", error.message)
            else:
                self._found("identity-restored", "identity.json was made again of the database")
                return _paired(identity, seen)
        if not _is_uuid(row.uuid):
            return await self._new_identity()
        self._found(
            "identity-keys-lost",
            "identity.json is gone and the database's copy cannot be opened: the uuid is kept, the"
            " keys are new, and the cloud lets this device in again only by an operator's word",
        )
        return _paired(replace(await self._new_identity(), uuid=row.uuid), seen)

    async def _new_identity(self) -> Identity:
        pair = await self._crypto("generate-keypair", {})
        return Identity(
            uuid=str(uuid4()),
            creation_id=_new_creation_id(),
            private_key_pem=Secret(pair["private_key_pem"]),
            hash_key=Secret(secrets.token_hex(_HASH_KEY_BYTES)),
            created_at_ms=self._clock.wall_ms(),
            machine_hash=self._machine,
            spent_key_hash=await self._worker.run(
                lambda: reset_file.spent_key_hash(self._files.reset)
            ),
        )

    # -- the database

    async def _database(
        self, seen: Seen, identity: Identity, sealer: Sealer
    ) -> tuple[Identity, sqlite3.Connection]:
        fate = Fate.REPLACE_CORRUPT if self._is_corrupt else inspection.judge(seen, identity)
        if fate in (Fate.KEEP_WITHOUT_LOG, Fate.REPLACE_FOREIGN) and await self._worker.run(
            lambda: inspection.is_half_checkpointed(self._files, seen, identity)
        ):
            fate = Fate.KEEP
        if fate in (Fate.KEEP, Fate.KEEP_WITHOUT_LOG):
            try:
                return identity, await self._worker.run(lambda: self._open(fate, identity))
            except DatabaseCorrupt as error:
                self._found("database-corrupt", error.message)
                fate = Fate.REPLACE_CORRUPT
            except _NotThisDevice:
                fate = Fate.REPLACE_FOREIGN
        renewed = replace(identity, creation_id=_new_creation_id())
        sealed = await sealer.seal(device_table.secrets_of(renewed))
        await self._worker.run(lambda: self._replace(fate, renewed, sealed))
        return renewed, await self._worker.run(lambda: self._open(Fate.KEEP, renewed))

    def _open(self, fate: Fate, identity: Identity) -> sqlite3.Connection:
        keep_private(self._files.database)
        if fate is Fate.KEEP_WITHOUT_LOG:
            self._adopt(identity)
        connection = connect(self._files.database)
        try:
            check(connection)
            migrate(connection)
            _read_everything(connection, identity)
            with transaction(connection):
                time_left.carry(connection, self._clock)
        except BaseException:
            connection.close()
            raise
        return connection

    def _adopt(self, identity: Identity) -> None:
        """Pair a restored backup with the identity file."""
        move_log_aside(self._files, kind=Fate.KEEP_WITHOUT_LOG.value, wall_ms=self._clock.wall_ms())
        # Written without a log: were it in the log alone, the next start would see the old id in
        # the file and take the log, with everything acknowledged since, for a stranger's.
        connection = connect(self._files.database, wal=False)
        try:
            device_table.write_creation_id(connection, identity.creation_id)
        finally:
            connection.close()
        self._found("database-restored", "a database of an earlier time was put into place")

    def _replace(self, fate: Fate, identity: Identity, sealed: Mapping[str, str]) -> None:
        """Build a complete database beside the old one, then let it take its place."""
        files = self._files
        saved = (
            inspection.salvage(files, self._clock) if fate is Fate.REPLACE_CORRUPT else Salvage()
        )
        saved = replace(saved, **self._known)
        # A device that never asked anything of a cloud has nothing to ask again.
        known = identity.phase is not ProvisioningPhase.NEW
        reason = (MISSING if known else None) if fate is Fate.CREATE else fate.value
        build(files, identity, sealed, saved, reason, self._clock)
        aside = swap_in(
            files,
            kind="stale" if fate is Fate.CREATE else fate.value,
            wall_ms=self._clock.wall_ms(),
        )
        # The database first: it has no log yet, so if we are killed here the next start takes it
        # for a restored backup and loses nothing.
        save_identity(files.identity, identity)
        if aside is not None or known:
            name = aside.name if aside is not None else "nothing"
            self._found(
                f"database-{fate.value if fate is not Fate.CREATE else MISSING}",
                f"the database was made anew of identity and last target; set aside: {name}",
            )

    async def _bring_row_up_to_date(
        self, connection: sqlite3.Connection, identity: Identity, sealer: Sealer
    ) -> None:
        try:
            sealed = await sealer.seal(device_table.secrets_of(identity))
        except CryptoUnavailable as error:
            # The file is what counts; the copy is tried again at the next start.
            self._found("identity-copy-stale", error.message)
            return
        await self._worker.run(lambda: device_table.write_device(connection, identity, sealed))

    def _found(self, code: str, message: str) -> None:
        self._findings.append(Finding(code=code, message=message))


def _read_everything(connection: sqlite3.Connection, identity: Identity) -> None:
    """A damaged value is found now, while the database can still be rebuilt quietly."""
    row = device_table.read_device(connection)
    if row is None:
        raise DatabaseCorrupt("the device row is gone")
    if row.uuid != identity.uuid:
        raise _NotThisDevice
    target_table.read_target(connection)
    agent_memory.read_everything(connection)


def _paired(identity: Identity, seen: Seen) -> Identity:
    """The identity with the creation id of the database it comes from, whose log is its own."""
    found = seen.device.creation_id if seen.device is not None else None
    return replace(identity, creation_id=found) if found else identity


def _new_creation_id() -> str:
    return secrets.token_hex(16)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
