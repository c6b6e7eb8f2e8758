"""The tables the agent keeps for itself: failures, intents, settings.

Readers raise DatabaseCorrupt for a row that makes no sense; opening the store reads everything
once, so that a damaged value is found then and not in the middle of the night.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from iotistic.agent.clock import Clock
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.planner.world import Attempt, Intent, IntentKind, StepKind, Subject


def read_attempts(connection: sqlite3.Connection) -> tuple[Attempt, ...]:
    """All failures in a row, in the order of their subjects."""
    rows = connection.execute(
        "SELECT app_id, kind, name, step, count, not_before_s, purpose, code, message, failed_at_ms"
        " FROM step_failure ORDER BY app_id, kind, name, step"
    ).fetchall()
    try:
        return tuple(
            Attempt(
                subject=Subject(app_id=int(app_id), kind=kind, name=name),
                step=StepKind(step),
                count=int(count),
                not_before_s=float(not_before_s),
                purpose=purpose,
                code=code,
                message=message,
                failed_at_ms=int(failed_at_ms),
            )
            for (
                app_id,
                kind,
                name,
                step,
                count,
                not_before_s,
                purpose,
                code,
                message,
                failed_at_ms,
            ) in rows
        )
    except (TypeError, ValueError) as error:
        raise DatabaseCorrupt(f"step_failure: {error}") from error


def write_attempt(connection: sqlite3.Connection, attempt: Attempt, clock: Clock) -> None:
    """Insert or replace; the deadline is kept with its boot and the span that remains."""
    subject = attempt.subject
    connection.execute(
        "INSERT OR REPLACE INTO step_failure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            subject.app_id,
            subject.kind,
            subject.name,
            attempt.step.value,
            attempt.count,
            clock.boot_id,
            attempt.not_before_s,
            max(0.0, attempt.not_before_s - clock.now_s()),
            attempt.purpose,
            attempt.code,
            attempt.message,
            attempt.failed_at_ms,
        ),
    )


def delete_attempts(
    connection: sqlite3.Connection, subject: Subject, step: StepKind | None
) -> None:
    """Forget the failures of a subject, of every kind of step when `step` is None."""
    connection.execute(
        "DELETE FROM step_failure WHERE app_id = ? AND kind = ? AND name = ?"
        " AND step = ifnull(?, step)",
        (subject.app_id, subject.kind, subject.name, step),
    )


def read_intents(connection: sqlite3.Connection) -> tuple[Intent, ...]:
    """What persons asked for, oldest first."""
    rows = connection.execute(
        "SELECT kind, app_id, service_id, until_release, purpose, container_id, seen_start, at_ms"
        " FROM intent ORDER BY id"
    ).fetchall()
    try:
        return tuple(
            Intent(
                kind=IntentKind(kind),
                app_id=int(app_id),
                service_id=service_id,
                until_release=bool(until_release),
                purpose=purpose,
                container_id=container_id,
                seen_start=seen_start,
                at_ms=int(at_ms),
            )
            for (
                kind,
                app_id,
                service_id,
                until_release,
                purpose,
                container_id,
                seen_start,
                at_ms,
            ) in rows
        )
    except (TypeError, ValueError) as error:
        raise DatabaseCorrupt(f"intent: {error}") from error


def write_intent(connection: sqlite3.Connection, intent: Intent) -> None:
    """Insert or replace by (kind, app, service); a replaced one counts as asked for now."""
    connection.execute(
        "INSERT OR REPLACE INTO intent (kind, app_id, service_id, until_release, purpose,"
        " container_id, seen_start, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        _intent_values(intent),
    )


def delete_intent(connection: sqlite3.Connection, intent: Intent) -> None:
    """Remove exactly this one: a newer wish for the same service, made meanwhile, stays."""
    connection.execute(
        "DELETE FROM intent WHERE kind = ? AND app_id = ? AND service_id = ?"
        " AND until_release = ? AND purpose = ? AND container_id = ? AND seen_start IS ?"
        " AND at_ms = ?",
        _intent_values(intent),
    )


def _intent_values(intent: Intent) -> tuple[object, ...]:
    return (
        intent.kind.value,
        intent.app_id,
        intent.service_id,
        intent.until_release,
        intent.purpose,
        intent.container_id,
        intent.seen_start,
        intent.at_ms,
    )


def read_settings(connection: sqlite3.Connection) -> dict[str, str]:
    """What `config set` stored, by name."""
    rows = connection.execute("SELECT name, value FROM setting ORDER BY name").fetchall()
    return {str(name): str(value) for name, value in rows}


def write_settings(connection: sqlite3.Connection, changes: Mapping[str, str | None]) -> None:
    """Store settings; None removes one."""
    for name, value in changes.items():
        if value is None:
            connection.execute("DELETE FROM setting WHERE name = ?", (name,))
        else:
            connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))
