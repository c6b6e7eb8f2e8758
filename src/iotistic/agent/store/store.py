"""class Store: what must survive a power cut. Every write is on the disk when its call returns."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from iotistic.agent.clock import Clock
from iotistic.agent.host.crypto_child import CryptoRefused, in_child
from iotistic.agent.host.machine import machine_hash
from iotistic.agent.store import (
    agent_memory,
    backup,
    device_table,
    release_rows,
    reset_file,
    target_table,
)
from iotistic.agent.store.compaction import Bulk, compact, measure
from iotistic.agent.store.database import Worker
from iotistic.agent.store.files import StateFiles, lock_folder, swap_in
from iotistic.agent.store.identity_file import save_identity
from iotistic.agent.store.opening import MISSING, Opener
from iotistic.agent.store.records import (
    Finding,
    Identity,
    ResetOptions,
    StoredTarget,
    target_hash,
)
from iotistic.agent.store.sealing import Crypto
from iotistic.agent.store.space import NoSpace, Space
from iotistic.agent.store.tended import Tended
from iotistic.model.errors import Unavailable


class Store(Tended):
    """The state folder: one database, one identity file, one writer.

        async with Store.open(path, clock) as store:
            await store.save_identity(replace(store.identity, device_name="Pump 3"))

    Every method may raise DiskFull or DatabaseUnavailable (try again; nothing changed). What is
    found damaged, deleted or replaced is mended at once; DatabaseCorrupt: it could not be.
    """

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        crypto: Crypto = in_child,
        machine: str | None = None,
        space: Space | None = None,
        on_found: Callable[[Finding], None] = lambda _: None,
    ) -> AsyncIterator[Store]:
        """Open the database at `path` and heal what is broken, for as long as the block lasts.

        `machine` is this machine's hash, the host's own when None. `on_found` hears at once what
        is found and dealt with. Raises DatabaseLocked, DatabaseNewer, DatabaseUnusable, or what
        every method may.
        """
        files, space = StateFiles.of(path), space or NoSpace()
        worker = Worker(files.database)
        with contextlib.ExitStack() as held:
            held.callback(worker.close)
            try:
                await worker.run(lambda: lock_folder(files, held))
                found = machine if machine is not None else await worker.run(machine_hash)
                opener = Opener(files, worker, crypto, clock, found, space, held)
                store = cls(opener, await worker.finish(opener.open()), on_found=on_found)
                try:
                    yield store
                finally:
                    await worker.settle()
                    await worker.run(store._database.close)
            finally:
                # The lock is let go only when nothing writes any more.
                await worker.settle()

    # -- who this device is

    @property
    def identity(self) -> Identity:
        """Who this device is; always there."""
        return self._identity

    @property
    def database_was_missing(self) -> bool:
        """Somebody deleted the database: a wish to join the cloud again.

        Stays true over restarts until an identity is saved, which is how the wish is taken up.
        """
        return self._rebuilt_because == MISSING

    async def save_identity(self, identity: Identity) -> None:
        """The file first, which counts, then the database's sealed copy.

        Once the file is written the call succeeds, whatever becomes of the copy: the next start
        brings it up to date. Another uuid makes another device: target, failures and
        intents go.
        """
        await self._worker.finish(self._save_identity(identity))

    async def _save_identity(self, identity: Identity) -> None:
        async with self._writing:
            await self._put(lambda: save_identity(self._files.identity, identity))
            other = identity.uuid != self._identity.uuid
            self._identity = identity
            if other:
                self._target, self._target_known = None, True
            with contextlib.suppress(Unavailable):
                sealed = await self._sealer.seal(device_table.secrets_of(identity))
                # Its own at that moment: a database that is mended has another creation id.
                await self._database.write(
                    lambda db: _write_identity(db, self._identity, sealed, other=other)
                )
                self._database.outdate()
                self._rebuilt_because = None

    # -- what should run

    async def target(self) -> StoredTarget | None:
        """The accepted target; None if there is none or it cannot be read any more."""
        async with self._writing:
            if not self._target_known:
                self._target = await self._read_target()
                self._target_known = True
            return self._target

    async def _read_target(self) -> StoredTarget | None:
        path, uuid = self._files.last_target, self._identity.uuid
        kept = await self._database.read(
            lambda db: (
                target_table.read_target(db),
                target_table.load_last_target(path, uuid),
            )
        )
        for sealed in kept:
            if sealed is not None:
                try:
                    return await target_table.open_target(self._sealer, sealed)
                except CryptoRefused as error:
                    self._found(Finding(code="target-unreadable", message=error.message))
        return None

    async def save_target(self, target: StoredTarget, *, forgiven: Collection[int] = ()) -> None:
        """Store the target and its copy in `target-last-good.json`, before it is acted on.

        Nothing of the apps `forgiven` counts as rejected any more, from that instant on.
        Raises CryptoUnavailable when its secrets cannot be sealed; nothing is stored then.
        """
        if target.state_hash != target_hash(target.apps, target.config):
            raise ValueError("state_hash is not the hash of apps and config")
        await self._worker.finish(self._save_target(target, frozenset(forgiven)))

    async def _save_target(self, target: StoredTarget, forgiven: frozenset[int]) -> None:
        async with self._writing:
            sealed = await target_table.seal_target(self._sealer, target)

            def write(db: sqlite3.Connection) -> None:
                target_table.write_target(db, sealed)
                for app_id in forgiven:
                    release_rows.delete_rejections(db, app_id)

            await self._database.write(write)
            if forgiven:
                self._database.outdate()
            self._target, self._target_known = target, True
            path, uuid = self._files.last_target, self._identity.uuid
            # It is accepted by now. A copy that could not be written is written by `look_after`.
            self._target_file_is_stale = True
            with contextlib.suppress(Unavailable):
                await self._put(lambda: target_table.save_last_target(path, uuid, sealed))
                self._target_file_is_stale = False

    async def mark_applied(self, state_hash: str, at_ms: int) -> None:
        """The target with this hash has been reached; no effect if it is not held any more."""
        async with self._writing:
            await self._database.write(lambda db: target_table.write_applied(db, state_hash, at_ms))
            if self._target is not None and self._target.state_hash == state_hash:
                self._target = replace(self._target, applied_at_ms=at_ms)

    # -- starting over, saving a copy

    @property
    def reset_pending(self) -> ResetOptions | None:
        """A factory reset that was begun and is not done."""
        return self._reset

    def files(self) -> tuple[str, ...]:
        """The files a wipe removes."""
        names = (self._files.identity, *reset_file.doomed(self._files, self._set_aside))
        return tuple(str(path) for path in names)

    async def begin_reset(self, options: ResetOptions) -> None:
        """Store the wish, durably; the target goes with it, so that nothing is started anew."""
        await self._worker.finish(self._begin_reset(options))

    async def _begin_reset(self, options: ResetOptions) -> None:
        async with self._writing:
            journal = reset_file.Journal(options=options)
            await self._put(lambda: reset_file.save(self._files.reset, journal))
            self._reset = options
            self._target, self._target_known = None, True
            await self._database.write(target_table.delete_target)
            await self._worker.run(lambda: self._files.last_target.unlink(missing_ok=True))

    async def wipe(self, *, keep_identity: bool, spent_key_hash: str | None) -> None:
        """Forget everything, and with it that a reset was pending.

        Afterwards the store is that of a new device (of the same uuid and keys with
        `keep_identity`) in no cloud, which will not use the key of `spent_key_hash` by itself.
        Killed in between, the next start completes it.
        """
        await self._worker.finish(self._wipe(keep_identity, spent_key_hash))

    async def _wipe(self, keep_identity: bool, spent_key_hash: str | None) -> None:
        async with self._writing:
            journal = reset_file.Journal(
                options=ResetOptions(keep_identity=keep_identity),
                wiping=True,
                spent_key_hash=spent_key_hash,
            )
            await self._put(lambda: reset_file.save(self._files.reset, journal))
            async with self._database.exchanging():
                await self._reopen()

    async def backup(self, file: Path) -> None:
        """Write a copy of the database to a new file of mode 0600.

        Its secrets stay sealed: it is of use on this device only, which has the key.
        Raises Conflict (`file-exists`).
        """
        await self._database.read(lambda db: backup.write_backup(db, file))

    async def bulk(self) -> Bulk:
        """How large the database is, and how much of it is empty."""
        return await self._database.read(lambda db: measure(db, self._files.database))

    async def compact(self) -> Bulk:
        """Give back what is empty; how large it is now. Blocks other work for that time."""
        return await self._database.read(lambda db: compact(db, self._files.database))

    async def restore(self, file: Path) -> Path | None:
        """Put a backup into the place of the database, which is kept under the name returned.

        Who this device is does not change: identity.json counts. Raises DatabaseUnusable if the
        file is no sound backup of this device, DatabaseNewer if a newer agent made it; the
        database in use then goes on.
        """
        return await self._worker.finish(self._restore(file))

    async def _restore(self, file: Path) -> Path | None:
        async with self._writing, self._database.exchanging():
            uuid = self._identity.uuid
            await self._worker.run(lambda: backup.prepare(self._files, file, uuid))
            await self._worker.run(self._database.close)
            now_ms = self._clock.wall_ms()
            aside = await self._worker.run(
                lambda: swap_in(self._files, kind="replaced", wall_ms=now_ms)
            )
            await self._reopen()
            return aside


def _write_identity(
    db: sqlite3.Connection, identity: Identity, sealed: Mapping[str, str], *, other: bool
) -> None:
    device_table.write_device(db, identity, sealed)
    device_table.write_rebuilt_because(db, None)
    if other:
        target_table.delete_target(db)
        agent_memory.forget_device(db)
