"""Bringing a database to the form this version works with. Loaded at start only."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from iotistic.cloud.db.database import Database
from iotistic.model.errors import Refused

_FOLDER = Path(__file__).parent / "migrations"


class DatabaseTooNew(Refused):
    """A newer version of the cloud wrote this database; it is left untouched."""

    code = "database-too-new"


async def migrate(database: Database, *, to: str = "head") -> None:
    """Run the migrations that are missing, all in one transaction. Raises DatabaseTooNew.

    The transaction holds the database's write lock from its first statement on, so of two
    processes that start at once the second waits and then finds nothing left to do.
    """
    config = await asyncio.to_thread(_config)
    async with database.write() as connection:
        await connection.run_sync(_upgrade, config, to)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _upgrade(connection: Connection, config: Config, to: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = set(MigrationContext.configure(connection).get_current_heads())
    if unknown := found - known:
        raise DatabaseTooNew(
            f"the database is at revision {', '.join(sorted(unknown))}, which this version does "
            f"not know (it knows up to {max(known)})",
            remedy="start the version that wrote it, or restore a backup made before",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, to)
