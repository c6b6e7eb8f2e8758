"""Makes a complete database beside the one it is going to replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from iotistic.agent.clock import Clock
from iotistic.agent.host.files import create_owner_only, sync_folder
from iotistic.agent.store import agent_memory, device_table, target_table
from iotistic.agent.store.agent_memory import Salvage
from iotistic.agent.store.database import connect, transaction
from iotistic.agent.store.files import StateFiles
from iotistic.agent.store.migrations import migrate
from iotistic.agent.store.records import Identity


def build(
    files: StateFiles,
    identity: Identity,
    sealed: Mapping[str, str],
    saved: Salvage,
    reason: str | None,
    clock: Clock,
) -> None:
    """Build it at `files.fresh`, of identity, last target and what could be saved of an old one."""
    files.fresh.with_name(f"{files.fresh.name}-journal").unlink(missing_ok=True)
    create_owner_only(files.fresh)
    connection = connect(files.fresh, wal=False)
    try:
        migrate(connection)
        with transaction(connection):
            device_table.write_device(connection, identity, sealed)
            device_table.write_rebuilt_because(connection, reason)
            target = target_table.load_last_target(files.last_target, identity.uuid)
            if target is not None:
                # Without an ETag, so that the next poll brings the whole target in any case.
                target_table.write_target(
                    connection, target_table.SealedTarget(replace(target, etag=None))
                )
            agent_memory.put_back(connection, saved, clock)
    finally:
        connection.close()
    sync_folder(files.folder)
