"""Yesterday's data goes along, tomorrow's is left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from iotistic.cloud.db.migrate import DatabaseTooNew, MigrationFailed, migrate
from iotistic.cloud.db.tables import metadata
from iotistic.model.errors import InvalidField
from tests.cloud.running import url_of

YESTERDAY = {
    # What each revision's tables held, as that version wrote it.
    "0001": """
        INSERT INTO users VALUES (1, 'ada', '$argon2id$x', 'admin', 1, 1000, 1000);
        INSERT INTO sessions VALUES ('h1', 1, 1000, 2000);
        INSERT INTO provisioning_keys VALUES
            ('k1', 'lookup', 'default-fleet', 'line 3', 5, 1, 1000, 'ada', 9000, NULL, NULL);
        INSERT INTO devices (id, uuid, name, type, fleet_id, dialect, state, is_active, signs,
                provisioning_key_id, created_at, registered_at)
            VALUES (7, 'u-7', 'press', 'edge', 'default-fleet', 'v2', 'registered', 1, 1, 'k1',
                1000, 1000);
        INSERT INTO credentials VALUES (1, 7, 'key-hash', NULL, 1, 1000, NULL);
        INSERT INTO target_versions VALUES (7, 3, x'0102', 1000, 'ada', 'why', 1000);
        INSERT INTO device_targets VALUES (7, 'epoch', 3, 3, 1000, '"etag"', x'0304');
        INSERT INTO current_states VALUES (7, x'0506', 'hash', 3, 9, 1000);
        INSERT INTO audit VALUES (1, 1000, 'user:ada', 'login', 'user:ada', '::1', '{}');
        INSERT INTO facts VALUES ('server-key', 'fingerprint');
    """,
}
RECORDS = """
    INSERT INTO record_streams VALUES (7, 'log', 1, 2, 1, 0, 0, 0, 1000, 1000);
    INSERT INTO record_epochs VALUES (7, 'log', 'abcd1234', 3, 1, 0, 2, 0, 1000, 1000);
    INSERT INTO record_gaps VALUES (1, 7, 'log', 'abcd1234', 1, 2, 1000);
    INSERT INTO device_logs VALUES
        (1, 7, 1000, 1000, 1, 2, 'abcd1234', 3, 'info', 'web', '{}');
    INSERT INTO metric_points VALUES (1, 7, 1000, 1000, 1, 2, NULL, NULL, '{}');
    INSERT INTO device_records VALUES (1, 7, 'event', 1000, 1000, 1, 2, NULL, NULL, '{}');
    INSERT INTO seen_log_ids VALUES (7, 'hash', 1000);
"""
YESTERDAY["0002"] = YESTERDAY["0001"] + RECORDS
ASKED = (
    ("SELECT username, role FROM users", ("ada", "admin")),
    ("SELECT used_devices, description FROM provisioning_keys", (1, "line 3")),
    ("SELECT uuid, state, signs FROM devices", ("u-7", "registered", 1)),
    ("SELECT key_hash, settled FROM credentials", ("key-hash", 1)),
    ("SELECT version, body_sealed, author FROM target_versions", (3, b"\x01\x02", "ada")),
    ("SELECT deployed_version, etag FROM device_targets", (3, '"etag"')),
    ("SELECT hash, version FROM current_states", ("hash", 3)),
    ("SELECT action FROM audit", ("login",)),
)
ASKED_OF = {
    "0002": (
        ("SELECT watermark, missing FROM record_epochs", (3, 2)),
        ("SELECT level, service, body FROM device_logs", ("info", "web", "{}")),
        ("SELECT class, body FROM device_records", ("event", "{}")),
    )
}


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA foreign_keys=ON; BEGIN; {script}; COMMIT;")


def one(path: Path, question: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchone()


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("revision", sorted(YESTERDAY))
def test_yesterdays_data_goes_along(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "cloud.sqlite"
    migrate(url_of(path), to=revision)
    run(path, YESTERDAY[revision])

    migrate(url_of(path))

    for question, answer in (*ASKED, *ASKED_OF.get(revision, ())):
        assert one(path, question) == answer, question


def test_the_migrations_make_the_tables_that_the_code_works_with(tmp_path: Path) -> None:
    path = tmp_path / "cloud.sqlite"
    migrate(url_of(path))

    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "cloud.sqlite"
    migrate(url_of(path))
    run(path, "UPDATE alembic_version SET version_num = '9999'")
    before = dump(path)

    with pytest.raises(DatabaseTooNew, match="9999"):
        migrate(url_of(path))

    assert dump(path) == before


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "cloud.sqlite"
    run(path, "CREATE TABLE devices (mine TEXT)")  # collides in the middle of the first revision

    with pytest.raises(MigrationFailed, match="devices"):
        migrate(url_of(path))

    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
    assert tables == [("devices",)]


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cloud.sqlite"
    migrate(url_of(path))
    before = dump(path)

    migrate(url_of(path))

    assert dump(path) == before


@pytest.mark.parametrize("url", ["", "not a url", "mysql+aiomysql://root:hush@host/x"])
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidField) as refused:
        migrate(url)
    assert "hush" not in str(refused.value)
