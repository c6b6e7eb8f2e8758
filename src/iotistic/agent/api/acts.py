"""What a person asks of a service, as wishes for the reconciler; and whether it has come true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from iotistic.agent.api.locks import SOMEBODY, note
from iotistic.agent.api.ports import Reconciler
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.rows import Facts, ServiceRow
from iotistic.agent.api.views import Json, is_settled, stop_of
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.model.errors import Conflict
from iotistic.model.words import RunState
from iotistic.planner.order import ACTIVE
from iotistic.planner.world import Intent, IntentKind, StepKind, Subject

SAFE_MODE = "safe-mode"
_LOOK_S = 0.05
_STOPS_AND_RESTARTS = (IntentKind.STOP, IntentKind.RESTART)


class Act(StrEnum):
    """What can be asked of services, by its name in the paths."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    PURGE = "purge"


_WORDS = {  # (under way, done)
    Act.START: ("starting", "started"),
    Act.STOP: ("stopping", "stopped"),
    Act.RESTART: ("restarting", "restarted"),
    Act.PURGE: ("purging", "purged"),
}


def check_allowed(facts: Facts, app_id: int) -> None:
    """Raise Refused (`safe-mode`), or Conflict for an app that is not allowed here.

    Nothing would be done about it then.
    """
    error = facts.snapshot.look_error
    if error is not None and error.code == SAFE_MODE:
        raise error
    if (rejection := facts.rejections.get(app_id)) is not None:
        raise Conflict(
            f"nothing is done about app {app_id}: {rejection}",
            code="app-rejected",
            remedy="change the target, or POLICY_ALLOW on the device",
        )


def actable(rows: Sequence[ServiceRow], act: Act, *, what: str) -> tuple[ServiceRow, ...]:
    """Those of `rows` that the act can be done to; raises Conflict when there is none."""
    states = {row.subject: row.wanted.target.state for row in rows if row.wanted is not None}
    if act in (Act.START, Act.RESTART):
        able = [row for row in rows if states.get(row.subject) is RunState.RUNNING]
    else:
        able = [row for row in rows if row.subject in states]
    if able or act is Act.PURGE:
        return tuple(able)
    if states:
        raise Conflict(
            f"the target wants {what} {next(iter(states.values()))}",
            code="target-says-stopped",
            remedy="change its state in the target: iotctl fleet target edit DEVICE",
        )
    raise Conflict(
        f"{what} is not in the target any more", remedy="it will be removed, see iotctl plan"
    )


@dataclass(frozen=True, slots=True)
class Wishes:
    """Stores what a person asked for, and notes who it was. All that it does may be done twice."""

    rooms: Rooms
    person: str = SOMEBODY

    async def stop(self, rows: Sequence[ServiceRow], *, until_release: bool) -> None:
        """The services stay stopped until the target changes them, or until a start."""
        at_ms = self.rooms.clock.wall_ms()
        for row in rows:
            if row.wanted is not None:
                await self._reconciler.intend(
                    Intent(
                        kind=IntentKind.STOP,
                        app_id=row.app_id,
                        service_id=row.wanted.key,
                        until_release=until_release,
                        purpose=row.wanted.spec_hash,
                        at_ms=at_ms,
                    )
                )
        await self._withdraw(rows, (IntentKind.RESTART,))
        until = "release" if until_release else "forever"
        await self._note(JournalEvent.STOPPED_BY_PERSON, rows, until=until)

    async def start(self, rows: Sequence[ServiceRow]) -> None:
        """A stop by hand ends, and what failed is tried again at once."""
        await self._withdraw(rows, (IntentKind.STOP,))
        await self._forget(rows)
        await self._note(JournalEvent.STARTED_BY_PERSON, rows)

    async def restart(self, rows: Sequence[ServiceRow]) -> None:
        """Once more from the start. Raises EngineUnavailable before anything is stored."""
        wishes = [await self._restart_of(row) for row in rows if row.container is not None]
        # The restart first: killed in between, a stop in force holds it back, and nothing is lost.
        for wish in wishes:
            await self._reconciler.intend(wish)
        await self._withdraw(rows, (IntentKind.STOP,))
        await self._forget(rows)
        await self._note(JournalEvent.RESTARTED_BY_PERSON, rows)

    async def purge(self, app_id: int) -> None:
        """Containers and volumes of the app go, then what is wanted is made anew."""
        await self._reconciler.intend(
            Intent(
                kind=IntentKind.PURGE,
                app_id=app_id,
                service_id="",
                at_ms=self.rooms.clock.wall_ms(),
            )
        )
        entry = JournalEntry(
            at_ms=self.rooms.clock.wall_ms(),
            app_id=app_id,
            event=JournalEvent.PURGED_BY_PERSON,
            detail={"by": self.person},
        )
        await note(self.rooms, entry)

    async def _note(
        self, event: JournalEvent, rows: Sequence[ServiceRow], *, until: str | None = None
    ) -> None:
        at_ms = self.rooms.clock.wall_ms()
        detail = {"by": self.person} | ({} if until is None else {"until": until})
        entries = (
            JournalEntry(
                at_ms=at_ms,
                app_id=row.app_id,
                event=event,
                service_id=str(row.service_id),
                service_name=row.service_name,
                detail=detail,
            )
            for row in rows
        )
        await note(self.rooms, *entries)

    @property
    def _reconciler(self) -> Reconciler:
        return self.rooms.reconciler

    async def _restart_of(self, row: ServiceRow) -> Intent:
        container_id = row.container_id or ""
        return Intent(
            kind=IntentKind.RESTART,
            app_id=row.app_id,
            service_id=str(row.service_id),
            container_id=container_id,
            seen_start=await self.rooms.engine.started_at(container_id),
            at_ms=self.rooms.clock.wall_ms(),
        )

    async def _withdraw(self, rows: Sequence[ServiceRow], kinds: Sequence[IntentKind]) -> None:
        keys = {(row.app_id, str(row.service_id)) for row in rows}
        for intent in await self.rooms.store.intents():
            if intent.kind in kinds and (intent.app_id, intent.service_id) in keys:
                await self._reconciler.withdraw(intent)

    async def _forget(self, rows: Sequence[ServiceRow]) -> None:
        subjects = [row.subject for row in rows]
        failed = {
            a.subject for a in self._reconciler.snapshot().attempts if a.step is StepKind.PULL
        }
        images = {row.wanted.image for row in rows if row.wanted is not None}
        subjects += [subject for subject in failed if subject.name in images]
        await self._reconciler.forget_failures(sorted(set(subjects)))


Done = Callable[[ServiceRow, Facts, Sequence[Intent]], bool]


def is_stopped(row: ServiceRow, facts: Facts, _: Sequence[Intent]) -> bool:
    """The stop is known to the last look, and nothing of the service is active."""
    active = row.container is not None and row.container.state in ACTIVE
    return stop_of(row, facts) is not None and not active


def is_started(row: ServiceRow, facts: Facts, stored: Sequence[Intent]) -> bool:
    """No stop is in force any more, and the service is as wanted."""
    held = [*stored, *facts.snapshot.intents]
    return not _has(held, row, (IntentKind.STOP,)) and is_settled(row, facts)


def is_restarted(row: ServiceRow, facts: Facts, stored: Sequence[Intent]) -> bool:
    """The wish is gone from the store and from the last look, and the service is as wanted.

    Both, because a look from before the wish knows nothing of it, and one from during the restart
    still does.
    """
    held = [*stored, *facts.snapshot.intents]
    return not _has(held, row, _STOPS_AND_RESTARTS) and is_settled(row, facts)


def is_purged(row: ServiceRow, facts: Facts, stored: Sequence[Intent]) -> bool:
    """The purge is over and the service is there again."""
    held = [*stored, *facts.snapshot.intents]
    return not any(i.kind is IntentKind.PURGE and i.app_id == row.app_id for i in held) and (
        is_settled(row, facts)
    )


DONE: dict[Act, Done] = {
    Act.START: is_started,
    Act.STOP: is_stopped,
    Act.RESTART: is_restarted,
    Act.PURGE: is_purged,
}


def _has(intents: Sequence[Intent], row: ServiceRow, kinds: Sequence[IntentKind]) -> bool:
    key = (row.app_id, str(row.service_id))
    return any(i.kind in kinds and (i.app_id, i.service_id) == key for i in intents)


async def wait_for(
    act: Act, app_id: int, subjects: Sequence[Subject], rooms: Rooms, *, wait_s: float
) -> tuple[bool, Json]:
    """Wait until the act is done to all, at most `wait_s`: (done, the reply's body)."""
    until_s = rooms.clock.now_s() + wait_s
    while True:
        stored = await rooms.store.intents()
        facts = rooms.facts()
        rows = _rows_of(facts, subjects)
        states = [(row, DONE[act](row, facts, stored)) for row in rows]
        done = all(is_done for _, is_done in states) and not _purging(act, app_id, stored)
        if done or rooms.clock.now_s() >= until_s:
            return done, _reply(act, app_id, states, done=done)
        await rooms.clock.sleep(_LOOK_S)


def _purging(act: Act, app_id: int, stored: Sequence[Intent]) -> bool:
    return act is Act.PURGE and any(
        i.kind is IntentKind.PURGE and i.app_id == app_id for i in stored
    )


def _rows_of(facts: Facts, subjects: Sequence[Subject]) -> list[ServiceRow]:
    wanted = set(subjects)
    return [row for app in facts.apps for row in app.services if row.subject in wanted]


def _reply(act: Act, app_id: int, states: Sequence[tuple[ServiceRow, bool]], *, done: bool) -> Json:
    under_way, finished = _WORDS[act]
    return {
        "appId": app_id,
        "status": finished if done else under_way,
        "containerId": states[0][0].container_id if states else None,
        "services": [
            {
                "serviceId": row.service_id,
                "serviceName": row.service_name,
                "containerId": row.container_id,
                "status": finished if is_done else under_way,
            }
            for row, is_done in states
        ],
    }
