"""Locks of apps, and trying a release again."""

from __future__ import annotations

from aiohttp import web

from iotistic.agent.api.acts import check_allowed
from iotistic.agent.api.locks import SOMEBODY, BeingUpdated, locks_now, note, parse_lock
from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.requests import read_fields
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.rows import AppRow, find_app_called
from iotistic.agent.api.views import Json, lock_json, verdict_of
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.planner.world import Lock, LockOwner

_ROUNDS_TO_BE_SURE = 2
"""A round under way may have been planned before the lock was there; the one after it was not."""
_ROUNDS_WITHIN_S = 5.0
_LOOK_S = 0.05


class LockRoutes:
    """`/v1/locks`, and `/v1/apps/{app}/retry`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/locks", self.locks),
            web.get("/v1/locks/{app}", self.locks_of_app),
            web.post("/v1/locks/{app}", self.lock),
            web.delete("/v1/locks/{app}", self.unlock),
            web.post("/v1/apps/{app}/retry", self.retry),
        ]

    async def locks(self, _: web.Request) -> web.Response:
        """All locks in force."""
        facts = self._rooms.facts()
        seen = [lock for lock in facts.locks if lock.owner is LockOwner.SERVICE]
        found = sorted((*await self._rooms.store.locks.all(), *seen), key=_by_app)
        return json_reply({"locks": [lock_json(lock, facts) for lock in found]})

    async def locks_of_app(self, request: web.Request) -> web.Response:
        """The locks in force on one app."""
        app_id = self._app(request).app_id
        return json_reply({"appId": app_id, "locks": await self._shown(app_id)})

    async def lock(self, request: web.Request) -> web.Response:
        """Hold updates of an app off, for a time."""
        fields = await read_fields(request)
        app_id, store = self._app(request).app_id, self._rooms.store
        lock = parse_lock(fields, app_id, self._rooms)
        before = await self._persons(app_id)
        if await self._is_being_updated(app_id):
            raise _being_updated(app_id)
        await store.locks.save(lock)
        await self._rounds_pass()
        if await self._is_being_updated(app_id):
            # The agent took its lock by a plan from before this one: both cannot hold.
            await store.locks.remove(app_id, LockOwner.PERSON)
            if before is not None:
                await store.locks.save(before)
            raise _being_updated(app_id)
        shown = lock_json(lock, self._rooms.facts())
        await note(
            self._rooms,
            JournalEntry(
                at_ms=self._rooms.clock.wall_ms(),
                app_id=app_id,
                event=JournalEvent.LOCKED,
                reason=lock.reason,
                detail={"by": lock.holder, "until": shown["untilAt"]},
            ),
        )
        replaced = None if before is None else lock_json(before, self._rooms.facts())
        return json_reply({**shown, "replaced": replaced})

    async def unlock(self, request: web.Request) -> web.Response:
        """Let go of a person's lock, whoever asks."""
        holder = request.query.get("holder", SOMEBODY)[:100]
        app_id = self._app(request).app_id
        before = await self._persons(app_id)
        was = None if before is None else lock_json(before, self._rooms.facts())
        if before is not None:
            await self._rooms.store.locks.remove(app_id, LockOwner.PERSON)
            await note(
                self._rooms,
                JournalEntry(
                    at_ms=self._rooms.clock.wall_ms(),
                    app_id=app_id,
                    event=JournalEvent.UNLOCKED,
                    reason=f"was locked by {before.holder}: {before.reason}".rstrip(": "),
                    detail={"by": holder},
                ),
            )
            self._rooms.reconciler.wake()
        status = "not-locked" if before is None else "unlocked"
        locks = await self._shown(app_id)
        return json_reply({"appId": app_id, "status": status, "was": was, "locks": locks})

    async def retry(self, request: web.Request) -> web.Response:
        """Try again at once what was taken back or failed of an app."""
        await read_fields(request)
        app, facts = self._app(request), self._rooms.facts()
        check_allowed(facts, app.app_id)
        found = verdict_of(app, facts)
        known = facts.snapshot.releases.rejected
        rejected = [r for r in known if r.app_id == app.app_id]
        wanted = next((r for r in rejected if r.release_hash == found.release_hash), None)
        await self._rooms.reconciler.retry(app.app_id)
        await note(
            self._rooms,
            JournalEntry(
                at_ms=self._rooms.clock.wall_ms(),
                app_id=app.app_id,
                event=JournalEvent.RELEASE_RETRY,
                release=found.release,
                reason=f"was taken back: {wanted.reason}" if wanted else "asked for by a person",
            ),
        )
        return json_reply(
            {
                "appId": app.app_id,
                "status": "retrying",
                "release": found.release or None,
                "wasRejected": wanted is not None,
            },
            status=202,
        )

    def _app(self, request: web.Request) -> AppRow:
        return find_app_called(self._rooms.facts().apps, request.match_info["app"])

    async def _persons(self, app_id: int) -> Lock | None:
        held = await self._rooms.store.locks.all()
        return next((k for k in held if (k.app_id, k.owner) == (app_id, LockOwner.PERSON)), None)

    async def _is_being_updated(self, app_id: int) -> bool:
        held = await self._rooms.store.locks.all()
        return any((lock.app_id, lock.owner) == (app_id, LockOwner.AGENT) for lock in held)

    async def _rounds_pass(self) -> None:
        """Until what was planned before this moment is done; nothing while the engine is away."""
        reconciler, clock = self._rooms.reconciler, self._rooms.clock
        enough = reconciler.snapshot().rounds + _ROUNDS_TO_BE_SURE
        until_s = clock.now_s() + _ROUNDS_WITHIN_S
        while reconciler.snapshot().rounds < enough and clock.now_s() < until_s:
            if reconciler.snapshot().engine_error is not None:
                return
            reconciler.wake()
            await clock.sleep(_LOOK_S)

    async def _shown(self, app_id: int) -> list[Json]:
        facts = self._rooms.facts()
        return [lock_json(lock, facts) for lock in await locks_now(self._rooms, app_id)]


def _by_app(lock: Lock) -> tuple[int, str]:
    return (lock.app_id, str(lock.owner))


def _being_updated(app_id: int) -> BeingUpdated:
    return BeingUpdated(
        f"app {app_id} is being updated at this moment, so it cannot be locked",
        remedy=f"wait until it is at rest (iotctl explain {app_id}), then lock it",
    )
