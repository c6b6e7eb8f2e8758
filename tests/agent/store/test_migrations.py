"""Each migration carries yesterday's data across; a broken one changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotistic.agent.store import agent_memory, agent_tables, migrations
from iotistic.agent.store.database import connect
from iotistic.agent.store.migrations import APPLICATION_ID, NEWEST, migrate, version_of

DOCUMENTED = {
    "device": "id uuid deviceId deviceName deviceType apiKey apiEndpoint registeredAt provisioned"
    " mqttBrokerUrl mqttUsername mqttPassword mqttBrokerConfig apiTlsConfig createdAt updatedAt",
    "target_state": "id apps config state_hash version updatedAt",
    "device_sensors": "id configId name type protocol config enabled createdAt updatedAt",
    "sensor_outputs": "id sensorId name dataType unit topic config",
    "anomaly_detections": "id metric value expected deviation method severity confidence timestamp"
    " metadata",
}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "device.sqlite")
    yield connection
    connection.close()


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def test_the_documented_tables_have_their_columns_first_and_in_order(
    db: sqlite3.Connection,
) -> None:
    migrate(db)
    for table, documented in DOCUMENTED.items():
        expected = documented.split()
        assert columns(db, table)[: len(expected)] == expected, table


def test_the_number_of_files_is_the_newest_version(db: sqlite3.Connection) -> None:
    assert migrate(db) == 0
    assert version_of(db) == NEWEST
    assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID


def test_a_second_run_changes_nothing(db: sqlite3.Connection) -> None:
    migrate(db)
    before = list(db.iterdump())
    assert migrate(db) == NEWEST
    assert list(db.iterdump()) == before


def test_1_takes_what_the_documented_statements_insert(db: sqlite3.Connection) -> None:
    migrate(db, newest=1)
    db.execute("INSERT INTO device (uuid, deviceName, provisioned) VALUES ('u', 'n', TRUE)")
    db.execute("INSERT INTO target_state (apps, version) VALUES ('{}', 3)")
    db.execute(
        "INSERT INTO device_sensors (configId, name, type, protocol, config)"
        " VALUES ('c', 'n', 'modbus', 'modbus', '{}')"
    )
    db.execute(
        "INSERT INTO sensor_outputs (sensorId, name, dataType, topic) VALUES (1, 'n', 't', 'o')"
    )
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(
            "INSERT INTO sensor_outputs (sensorId, name, dataType, topic) VALUES (9, 'n', 't', 'o')"
        )
    db.execute("DELETE FROM device_sensors")
    assert db.execute("SELECT count(*) FROM sensor_outputs").fetchone()[0] == 0


def test_2_carries_a_database_of_version_1_across(db: sqlite3.Connection) -> None:
    migrate(db, newest=1)
    db.execute("INSERT INTO device (uuid, creationId, identity) VALUES ('u', 'c', 'v1:x')")
    db.execute("INSERT INTO target_state (apps, version, etag) VALUES ('{\"1\": {}}', 3, 'e')")
    db.execute(
        "INSERT INTO anomaly_detections (metric, value, method, severity, confidence, timestamp)"
        " VALUES ('cpu_temp', 1.5, 'mad', 'low', 0.5, 7)"
    )

    assert migrate(db, newest=2) == 1

    assert db.execute("SELECT uuid, creationId, identity FROM device").fetchall() == [
        ("u", "c", "v1:x")
    ]
    assert db.execute("SELECT apps, version, etag FROM target_state").fetchall() == [
        ('{"1": {}}', 3, "e")
    ]
    assert db.execute("SELECT metric, value FROM anomaly_detections").fetchall() == [
        ("cpu_temp", 1.5)
    ]
    for table in ("step_failure", "intent", "setting"):
        assert columns(db, table), table


def test_3_carries_a_database_of_version_2_across(db: sqlite3.Connection) -> None:
    migrate(db, newest=2)
    db.execute("INSERT INTO device (uuid, creationId) VALUES ('u', 'c')")
    db.execute(
        "INSERT INTO step_failure VALUES"
        " (1001, 'service', '1', 'pull', 3, 'boot-1', 1030.0, 30.0, 'p', 'not-found', 'gone')"
    )
    db.execute(
        "INSERT INTO intent (kind, app_id, service_id, until_release, purpose, container_id, at_ms)"
        " VALUES ('stop', 1001, '1', 0, '', '', 5)"
    )
    db.execute("INSERT INTO setting VALUES ('LOG_LEVEL', 'debug')")

    assert migrate(db, newest=3) == 2

    (failure,) = agent_tables.read_attempts(db)
    assert (failure.count, failure.code, failure.not_before_s) == (3, "not-found", 1030.0)
    assert failure.failed_at_ms == 0
    (intent,) = agent_tables.read_intents(db)
    assert (intent.app_id, intent.until_release) == (1001, False)
    assert agent_tables.read_settings(db) == {"LOG_LEVEL": "debug"}
    agent_memory.read_everything(db)


def test_a_step_that_fails_in_the_middle_leaves_the_step_before(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(db, newest=1)
    before = list(db.iterdump())
    scripts = [
        "",
        "CREATE TABLE half (a); INSERT INTO half VALUES (1); INSERT INTO nowhere VALUES (1);",
    ]
    monkeypatch.setattr(migrations, "_scripts", lambda: scripts)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db)
    assert list(db.iterdump()) == before
    assert version_of(db) == 1
    assert not db.in_transaction


VERSIONS = range(1, NEWEST + 1)


def statements(script: str) -> list[str]:
    found, text = [], ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found


def at_each_statement(number: int, act: str) -> list[str]:
    """The script of a migration, with `act` before each of its statements, one at a time."""
    parts = statements(migrations._scripts()[number - 1])
    return ["".join([*parts[:n], act, *parts[n:]]) for n in range(len(parts) + 1)]


@pytest.mark.parametrize("number", VERSIONS)
def test_a_migration_that_fails_at_whichever_statement_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    scripts = migrations._scripts()
    for n, failing in enumerate(at_each_statement(number, "INSERT INTO nowhere VALUES (1);\n")):
        db = connect(tmp_path / f"{n}.sqlite")
        migrate(db, newest=number - 1)
        before = list(db.iterdump())
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "_scripts", lambda s=failing: [*scripts[: number - 1], s])
            with pytest.raises(sqlite3.OperationalError):
                migrate(db, newest=number)
        assert list(db.iterdump()) == before
        assert migrate(db) == number - 1
        assert version_of(db) == NEWEST
        db.close()


@pytest.mark.parametrize("number", VERSIONS)
def test_a_migration_killed_at_whichever_statement_is_done_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    whole = connect(tmp_path / "whole.sqlite")
    migrate(whole)
    scripts, wanted = migrations._scripts(), list(whole.iterdump())
    whole.close()
    for n, watched in enumerate(at_each_statement(number, "SELECT killed_now();\n")):
        path = tmp_path / f"{n}.sqlite"
        db = connect(path)
        migrate(db, newest=number - 1)

        def killed_now(path: Path = path) -> None:
            """What would be on the disk if the process ended here."""
            for name in (path.name, f"{path.name}-wal"):
                found = path.with_name(name)
                path.with_name(f"killed-{name}").write_bytes(found.read_bytes())

        db.create_function("killed_now", 0, killed_now)
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "_scripts", lambda s=watched: [*scripts[: number - 1], s])
            migrate(db, newest=number)
        db.close()
        left = connect(path.with_name(f"killed-{path.name}"))
        assert migrate(left) == number - 1
        assert list(left.iterdump()) == wanted
        left.close()
