"""Spans of records in the file: how many, how large, and away with them."""

from __future__ import annotations

import sqlite3

RECORD_OVERHEAD_BYTES = 24
"""What a record takes in the file beside its data."""

Span = tuple[int, int]
"""First and last row number, both included."""


def measure(connection: sqlite3.Connection, span: Span) -> tuple[int, int]:
    """(number of records, bytes that they count)."""
    number, data_bytes = connection.execute(
        "SELECT count(*), ifnull(sum(length(data)), 0) FROM record WHERE id BETWEEN ? AND ?", span
    ).fetchone()
    return number, data_bytes + number * RECORD_OVERHEAD_BYTES


def delete(connection: sqlite3.Connection, span: Span) -> tuple[int, int]:
    """Remove all of them; what `measure` said before."""
    found = measure(connection, span)
    if found[0]:
        connection.execute("DELETE FROM record WHERE id BETWEEN ? AND ?", span)
    return found


def oldest(connection: sqlite3.Connection, span: Span) -> tuple[int, float] | None:
    """(at_ms, when it was made in lived time) of the first record."""
    row: tuple[int, float] | None = connection.execute(
        "SELECT at_ms, made_s - older_s FROM record"
        " JOIN epoch ON no = (record.id >> 38) & 4194303"
        " WHERE record.id BETWEEN ? AND ? ORDER BY record.id LIMIT 1",
        span,
    ).fetchone()
    return row


def delete_older(connection: sqlite3.Connection, span: Span, keep_from_s: float) -> tuple[int, int]:
    """Remove the records before the first that was made at `keep_from_s` or later."""
    row = connection.execute(
        "SELECT record.id FROM record JOIN epoch ON no = (record.id >> 38) & 4194303"
        " WHERE record.id BETWEEN ? AND ? AND made_s - older_s >= ? ORDER BY record.id LIMIT 1",
        (*span, keep_from_s),
    ).fetchone()
    return delete(connection, span if row is None else (span[0], row[0] - 1))


def thin(connection: sqlite3.Connection, span: Span, among: int) -> tuple[int, int]:
    """Remove every second of the first `among` records."""
    doomed = connection.execute(
        "SELECT id, length(data) FROM ("
        " SELECT id, data, row_number() OVER (ORDER BY id) AS place FROM record"
        " WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?) WHERE place % 2 = 0",
        (*span, among),
    ).fetchall()
    connection.executemany("DELETE FROM record WHERE id = ?", [(row[0],) for row in doomed])
    return len(doomed), sum(row[1] for row in doomed) + len(doomed) * RECORD_OVERHEAD_BYTES


def end_of(connection: sqlite3.Connection, span: Span, size_bytes: int) -> int:
    """The record with which the first ones come to `size_bytes`."""
    last = span[0]
    for packed, data_bytes in connection.execute(
        "SELECT id, length(data) FROM record WHERE id BETWEEN ? AND ? ORDER BY id", span
    ):
        last = packed
        size_bytes -= data_bytes + RECORD_OVERHEAD_BYTES
        if size_bytes <= 0:
            break
    return last
