"""Bringing a database to the form this version works with. Loaded at start only."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from iotistic.cloud.db.database import WRITES, prepare_sqlite
from iotistic.model.errors import InvalidField, Refused

HEAD = "head"
BUSY_TIMEOUT_S = 10.0
"""Longer than when serving: another process may be migrating, and nobody waits for an answer."""
_FOLDER = Path(__file__).parent / "migrations"
# Alembic does not await: these are the drivers that do not either.
_DRIVERS = {"sqlite+aiosqlite": "sqlite"}


class DatabaseTooNew(Refused):
    """A newer version of the cloud wrote this database; it is left untouched."""

    code = "database-too-new"


class MigrationFailed(Refused):
    """A migration did not go through; the database is as it was."""

    code = "migration-failed"


def migrate(url: str, *, to: str = HEAD) -> None:
    """Run the migrations that are missing, all in one transaction; blocks.

    The transaction holds the database's write lock from its first statement on, so of two
    processes that start at once the second waits and then finds nothing left to do. Raises
    DatabaseTooNew, MigrationFailed, InvalidField.
    """
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.drivername]
    except (ArgumentError, KeyError) as error:
        expected = f"a URL of {' or '.join(_DRIVERS)}"
        # Not shown: a URL of a database may hold a password.
        raise InvalidField("--database", expected=expected, found=url, secret=True) from error
    engine = create_engine(parsed.set(drivername=driver), poolclass=NullPool)
    prepare_sqlite(engine, busy_timeout_s=BUSY_TIMEOUT_S)
    try:
        with engine.connect() as connection:
            writing = connection.execution_options(**{WRITES: True})
            with writing.begin():
                _upgrade(writing, to)
    except DBAPIError as error:
        raise MigrationFailed(
            f"the database cannot be brought to this version's form: {error.orig}",
            remedy="nothing was changed; if another process holds it, try again",
        ) from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
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
