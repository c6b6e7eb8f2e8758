"""Holding updates of an app off, as a person asks for it; and who does so now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from iotistic.agent.api.rooms import Rooms
from iotistic.agent.store.lock_table import LOCK_SPAN_MAX_S, TEXT_MAX, parse_lock_span_s
from iotistic.agent.store.records import JournalEntry
from iotistic.model.errors import Conflict, InvalidField, IotisticError
from iotistic.model.reader import Fields
from iotistic.planner.world import Lock, LockOwner

HOLDER_LENGTH_MAX = 100
SOMEBODY = "somebody"


class BeingUpdated(Conflict):
    """The agent is changing the app at this moment, which a lock cannot stop half-way."""

    code: str = "being-updated"


class AppLocked(Conflict):
    """Somebody holds changes of the app off."""

    code: str = "locked"

    def __init__(self, lock: Lock, *, remaining_s: float | None, until_ms: int | None) -> None:
        self.lock = lock
        self.remaining_s = remaining_s
        self.until_ms = until_ms
        why = f" ({lock.reason})" if lock.reason else ""
        until = "" if until_ms is None else f" until {_clock(until_ms)}"
        super().__init__(
            f"app {lock.app_id} is locked by {lock.owner} {lock.holder}".rstrip() + why + until,
            remedy=_remedy(lock),
        )

    def details(self) -> dict[str, object]:
        """Who, why, and for how long still."""
        return {
            **super().details(),
            "owner": str(self.lock.owner),
            "holder": self.lock.holder,
            "reason": self.lock.reason,
            "untilAt": self.until_ms,
            "remainingMs": None if self.remaining_s is None else round(self.remaining_s * 1000),
        }


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(max(0, at_ms // 1000), UTC).strftime("%Y-%m-%d %H:%MZ")


def _remedy(lock: Lock) -> str:
    force = "or go on in spite of it with --force (force: true)"
    if lock.owner is LockOwner.PERSON:
        return f"wait, unlock it (iotctl apps unlock {lock.app_id}), {force}"
    return f"wait until the service lets go of it, {force}"


def parse_lock(fields: Fields, app_id: int, rooms: Rooms) -> Lock:
    """A person's lock, from a body with `for` or `until`; raises InvalidField."""
    now_s, wall_ms = rooms.clock.now_s(), rooms.clock.wall_ms()
    span = fields.optional_text("for", length_max=64)
    until_ms = fields.optional_integer("until")
    if (span is None) == (until_ms is None):
        raise InvalidField(
            "for",
            expected="either for (such as 30m or 2h) or until (Unix milliseconds)",
            found=None if span is None else "both",
            remedy="a lock has to end by itself: nobody may remember it",
        )
    if span is not None:
        span_s = parse_lock_span_s(span, "for")
    else:
        span_s = ((until_ms or 0) - wall_ms) / 1000
        if not 0 < span_s <= LOCK_SPAN_MAX_S:
            raise InvalidField(
                "until", expected="a time in the future, at most 30 days ahead", found=until_ms
            )
    return Lock(
        app_id=app_id,
        owner=LockOwner.PERSON,
        holder=holder_in(fields),
        reason=fields.optional_text("reason", length_max=TEXT_MAX) or "",
        until_s=now_s + span_s,
        at_ms=wall_ms,
        boot_id=rooms.clock.boot_id,
    )


def holder_in(fields: Fields) -> str:
    """Who asks, by the name that the request gives."""
    return fields.optional_text("holder", length_max=HOLDER_LENGTH_MAX) or SOMEBODY


async def locks_now(rooms: Rooms, app_id: int) -> tuple[Lock, ...]:
    """The locks in force on an app: the store's as they are, services' as last seen."""
    stored = [lock for lock in await rooms.store.locks.all() if lock.app_id == app_id]
    seen = [lock for lock in rooms.facts().locks_of(app_id) if lock.owner is LockOwner.SERVICE]
    return (*stored, *seen)


def check_unlocked(rooms: Rooms, locks: Iterable[Lock], *, holder: str) -> None:
    """Raise AppLocked if a service, or another person than `holder`, holds changes off."""
    now_s, wall_ms = rooms.clock.now_s(), rooms.clock.wall_ms()
    for lock in locks:
        own = lock.owner is LockOwner.PERSON and lock.holder == holder != SOMEBODY
        if lock.owner is LockOwner.AGENT or own:
            continue
        left_s = None if lock.until_s is None else max(0.0, lock.until_s - now_s)
        until_ms = None if left_s is None else wall_ms + round(left_s * 1000)
        raise AppLocked(lock, remaining_s=left_s, until_ms=until_ms)


async def note(rooms: Rooms, *entries: JournalEntry) -> None:
    """Put what a person did into the journal. It explains; nothing fails for want of it."""
    try:
        await rooms.store.journal.add(entries)
    except IotisticError as error:
        rooms.log.warning("journal not written", entries=len(entries), error=error)
