"""Deadlines that outlive a boot: kept with the boot they are of, and with the span that is left.

What is left is written again from time to time, and a boot costs one such time: a release that
makes the device boot over and over has to run out of its time as well. A watched release keeps
most of what was left when only the agent was away: nobody watched it meanwhile.
"""

from __future__ import annotations

import sqlite3

from iotistic.agent.clock import Clock

WRITTEN_EVERY_S = 30.0
KEPT_SHARE = 0.8
"""Of the time of a watched release, when the agent starts again. Not all of it: a release that
ends the agent over and over has to run out of its time as well."""


def remaining_s(deadline_s: float | None, clock: Clock) -> float | None:
    """What is left of a deadline on this boot's clock."""
    return None if deadline_s is None else max(0.0, deadline_s - clock.now_s())


def carry(connection: sqlite3.Connection, clock: Clock) -> None:
    """Make earlier boots' and runs' deadlines this run's. Once, when the store is opened.

    The agent's own locks go: the files that stood for them went with the boot.
    """
    now_s, boot_id = clock.now_s(), clock.boot_id
    connection.execute(
        "UPDATE step_failure SET boot_id = ?, not_before_s = ? + remaining_s WHERE boot_id != ?",
        (boot_id, now_s, boot_id),
    )
    connection.execute(
        "UPDATE release_candidate SET remaining_s = remaining_s * ?2,"
        " deadline_s = ?3 + remaining_s * ?2 WHERE boot_id = ?1",
        (boot_id, KEPT_SHARE, now_s),
    )
    connection.execute(
        "UPDATE release_candidate SET boot_id = ?1, remaining_s = max(0, remaining_s - ?2),"
        " deadline_s = ?3 + max(0, remaining_s - ?2) WHERE boot_id != ?1",
        (boot_id, WRITTEN_EVERY_S, now_s),
    )
    connection.execute("DELETE FROM app_lock WHERE owner = 'agent' AND boot_id != ?", (boot_id,))
    connection.execute(
        "UPDATE app_lock SET boot_id = ?1, remaining_s = max(0, remaining_s - ?2),"
        " until_s = ?3 + max(0, remaining_s - ?2) WHERE boot_id != ?1",
        (boot_id, WRITTEN_EVERY_S, now_s),
    )


def write(connection: sqlite3.Connection, clock: Clock) -> None:
    """Bring what is left up to date; locks that have run out go."""
    now_s = clock.now_s()
    connection.execute(
        "UPDATE release_candidate SET remaining_s = max(0, deadline_s - ?)", (now_s,)
    )
    connection.execute("DELETE FROM app_lock WHERE until_s <= ?", (now_s,))
    connection.execute("UPDATE app_lock SET remaining_s = max(0, until_s - ?)", (now_s,))
